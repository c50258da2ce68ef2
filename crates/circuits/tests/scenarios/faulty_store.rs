//! An instance's connection to its store: it can be interrupted, and it counts writes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use breaker::{ModelKey, Transition};
use circuits::{ChangeNotification, Changes, Listing, Loaded, Store, StoreError, StoreInfo, Swap, Write};
use futures_util::future::{BoxFuture, FutureExt as _, pending, ready};

/// One instance's connection to the store.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    store: Arc<dyn Store>,
    changes: Changes,
    /// The instance has crashed: nothing of it reaches the store any more.
    is_killed: AtomicBool,
    /// The instance's own network is broken.
    is_unreachable: AtomicBool,
    write_count: Arc<AtomicUsize>,
}

impl FaultyStore {
    /// A connection to this store, counting writes.
    pub(crate) fn new(store: Arc<dyn Store>, written: Arc<AtomicUsize>) -> Arc<Self> {
        let changes = store.changes();
        let gate = Arc::new(Self {
            store,
            changes: Changes::default(),
            is_killed: AtomicBool::new(false),
            is_unreachable: AtomicBool::new(false),
            write_count: written,
        });
        tokio::spawn(Arc::clone(&gate).forward_changes(changes));
        gate
    }

    pub(crate) fn kill(&self) {
        self.is_killed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn set_unreachable(&self, away: bool) {
        self.is_unreachable.store(away, Ordering::SeqCst);
        self.changes.publish(if away {
            ChangeNotification::Lost(Self::unreachable_error())
        } else {
            ChangeNotification::Everything
        });
    }

    pub(crate) fn request_full_read(&self) {
        self.changes.publish(ChangeNotification::Everything);
    }

    pub(crate) fn is_unreachable(&self) -> bool {
        self.is_unreachable.load(Ordering::SeqCst)
    }

    fn unreachable_error() -> StoreError {
        StoreError::Unreachable("this instance's network is broken".to_owned())
    }

    async fn forward_changes(self: Arc<Self>, changes: Changes) {
        while !self.is_killed.load(Ordering::SeqCst) {
            let change = changes.next().await;
            if !self.is_unreachable() {
                self.changes.publish(change);
            }
        }
    }

    fn if_reachable<'a, T: Send + 'a>(
        &'a self,
        answer: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        if self.is_killed.load(Ordering::SeqCst) {
            pending().boxed()
        } else if self.is_unreachable() {
            ready(Err(Self::unreachable_error())).boxed()
        } else {
            answer
        }
    }
}

impl Store for FaultyStore {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.if_reachable(self.store.load(key))
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.if_reachable(self.store.load_all(known, discover))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        // Not even started if it cannot pass: the store in memory writes when it is called, not when it is polled.
        if self.is_killed.load(Ordering::SeqCst) || self.is_unreachable() {
            return self.if_reachable(ready(Err(Self::unreachable_error())).boxed());
        }
        async move {
            let swap = self.store.compare_and_set(key, write).await;
            if matches!(swap, Ok(Swap::Done { .. })) {
                self.write_count.fetch_add(1, Ordering::SeqCst);
            }
            swap
        }
        .boxed()
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        self.if_reachable(self.store.history(key, most))
    }

    fn share_secret(&self, secret: bytes::Bytes) -> BoxFuture<'_, Result<bytes::Bytes, StoreError>> {
        self.if_reachable(self.store.share_secret(secret))
    }

    fn changes(&self) -> Changes {
        self.changes.clone()
    }

    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}
