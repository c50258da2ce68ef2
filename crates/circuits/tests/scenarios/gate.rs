//! An instance's way to its store: it can be cut, and it counts what passes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use breaker::{ModelKey, Transition};
use circuits::{Change, Changes, Listing, Loaded, Place, Store, StoreError, Swap, Write};
use futures_util::future::{BoxFuture, FutureExt as _, pending, ready};

/// One instance's way to the store.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    feed: Changes,
    /// The instance is dead: nothing of it reaches the store any more.
    dead: AtomicBool,
    /// The instance's own network is broken.
    away: AtomicBool,
    written: Arc<AtomicUsize>,
}

impl Gate {
    /// A way to this store, counting writes.
    pub(crate) fn new(store: Arc<dyn Store>, written: Arc<AtomicUsize>) -> Arc<Self> {
        let changes = store.changes();
        let gate = Arc::new(Self {
            store,
            feed: Changes::default(),
            dead: AtomicBool::new(false),
            away: AtomicBool::new(false),
            written,
        });
        tokio::spawn(Arc::clone(&gate).pass_on(changes));
        gate
    }

    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
        self.feed.tell(if away { Change::Lost(Self::cut()) } else { Change::Everything });
    }

    pub(crate) fn read_again(&self) {
        self.feed.tell(Change::Everything);
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }

    fn cut() -> StoreError {
        StoreError::Unreachable("this instance's network is broken".to_owned())
    }

    async fn pass_on(self: Arc<Self>, changes: Changes) {
        while !self.dead.load(Ordering::SeqCst) {
            let change = changes.next().await;
            if !self.is_away() {
                self.feed.tell(change);
            }
        }
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        answer: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        if self.dead.load(Ordering::SeqCst) {
            pending().boxed()
        } else if self.is_away() {
            ready(Err(Self::cut())).boxed()
        } else {
            answer
        }
    }
}

impl Store for Gate {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.pass(self.store.load(key))
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.pass(self.store.load_all(known, discover))
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        // Not even begun where it cannot pass: the store in memory writes as soon as it is asked.
        if self.dead.load(Ordering::SeqCst) || self.is_away() {
            return self.pass(ready(Err(Self::cut())).boxed());
        }
        async move {
            let swap = self.store.compare_and_set(key, write).await;
            if matches!(swap, Ok(Swap::Done { .. })) {
                self.written.fetch_add(1, Ordering::SeqCst);
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
        self.pass(self.store.history(key, most))
    }

    fn changes(&self) -> Changes {
        self.feed.clone()
    }

    fn place(&self) -> Place {
        self.store.place()
    }
}
