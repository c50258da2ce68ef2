//! A store in this process's memory: for `memory:`, and for tests, where several instances may share one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{ModelKey, Timestamp, Transition, millis};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, ready};

use crate::{
    clock::{SystemClock, WallClock},
    store::{
        CLOCK_TOLERANCE, ChangeNotification, Changes, HistoryTail, Listing, Loaded, Store, StoreError,
        StoreInfo, Swap, Value, Write,
    },
};

/// Entries of a history that are kept, as in Redis.
const MAX_HISTORY_ENTRIES: usize = 1_000;

/// A store in memory. Clones share their content.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    clock: Arc<dyn WallClock>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<ModelKey, Entry>,
    histories: HashMap<ModelKey, Vec<Transition>>,
    subscriptions: Vec<Changes>,
    injected_error: Option<StoreError>,
    secret: Option<Bytes>,
}

#[derive(Debug)]
struct Entry {
    text: Bytes,
    expires_at: Option<Timestamp>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock::default()))
    }
}

impl MemoryStore {
    /// A store with this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn WallClock>) -> Self {
        Self { clock, inner: Arc::default() }
    }

    /// Writes a value externally, or deletes it.
    pub fn set(&self, key: &ModelKey, text: Option<&str>) {
        let mut inner = self.lock();
        match text {
            Some(text) => {
                let text = Bytes::copy_from_slice(text.as_bytes());
                inner.entries.insert(key.clone(), Entry { text, expires_at: None });
            }
            None => {
                inner.entries.remove(key);
            }
        }
        inner.publish(&ChangeNotification::Key(key.clone()));
    }

    /// Loses everything, as FLUSHALL does.
    pub fn flush(&self) {
        let mut inner = self.lock();
        inner.entries.clear();
        inner.histories.clear();
        inner.secret = None;
        inner.publish(&ChangeNotification::Everything);
    }

    /// Responds to every request with this error from now on, or works again (`None`).
    pub fn inject_error(&self, error: Option<StoreError>) {
        let mut inner = self.lock();
        inner.injected_error.clone_from(&error);
        inner.publish(&error.map_or(ChangeNotification::Everything, ChangeNotification::Lost));
    }

    /// The text under a key.
    #[must_use]
    pub fn get(&self, key: &ModelKey) -> Option<Bytes> {
        self.lock().value(key, self.clock.now())
    }

    /// How long a key will live; `None`: it does not expire, or does not exist.
    #[must_use]
    pub fn ttl(&self, key: &ModelKey) -> Option<Duration> {
        Some(self.lock().entries.get(key)?.expires_at?.since(self.clock.now()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_available(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        match &inner.injected_error {
            Some(error) => Err(error.clone()),
            None => Ok(inner),
        }
    }

    fn load_now(&self, key: &ModelKey) -> Result<Loaded, StoreError> {
        let mut inner = self.check_available()?;
        let time = self.clock.now();
        let value = inner.value(key, time).map_or(Value::Absent, Value::Text);
        Ok(Loaded { value, history_tail: inner.history_tail(key), time })
    }

    fn list_now(&self, known: &[ModelKey], discover: bool) -> Result<Listing, StoreError> {
        let mut inner = self.check_available()?;
        let time = self.clock.now();
        let mut keys = known.to_vec();
        if discover {
            keys.extend(inner.entries.keys().cloned());
            keys.sort_unstable();
            keys.dedup();
        }
        let values = keys
            .into_iter()
            .map(|key| {
                let value = inner.value(&key, time).map_or(Value::Absent, Value::Text);
                (key, value)
            })
            .collect();
        Ok(Listing { values, time })
    }

    fn swap_now(&self, key: &ModelKey, write: &Write) -> Result<Swap, StoreError> {
        let mut inner = self.check_available()?;
        let time = self.clock.now();
        if millis(time.since(write.decided_at).max(write.decided_at.since(time))) > millis(CLOCK_TOLERANCE) {
            return Ok(Swap::ClockSkew { time });
        }
        let value = inner.value(key, time).map_or(Value::Absent, Value::Text);
        let history = inner.history_tail(key);
        if value != write.expected || write.history_tail != history {
            return Ok(Swap::Changed(Loaded { value, history_tail: history, time }));
        }
        match &write.new_value {
            Some(text) => {
                let expires_at = write.ttl.map(|lifetime| time + lifetime);
                inner.entries.insert(key.clone(), Entry { text: text.clone(), expires_at });
            }
            None => {
                inner.entries.remove(key);
            }
        }
        if !write.entries.is_empty() {
            let history = inner.histories.entry(key.clone()).or_default();
            history.extend(write.entries.iter().cloned());
            let excess = history.len().saturating_sub(MAX_HISTORY_ENTRIES);
            history.drain(..excess);
        }
        let key = key.clone();
        inner.publish(&if write.entries.is_empty() {
            ChangeNotification::Key(key)
        } else {
            ChangeNotification::State(key)
        });
        Ok(Swap::Done { time })
    }

    fn history_now(&self, key: &ModelKey, limit: usize) -> Result<Vec<Transition>, StoreError> {
        let inner = self.check_available()?;
        let entries = inner.histories.get(key).map(Vec::as_slice).unwrap_or_default();
        Ok(entries.iter().rev().take(limit).cloned().collect())
    }
}

impl Inner {
    fn history_tail(&self, key: &ModelKey) -> HistoryTail {
        HistoryTail::from_last(self.histories.get(key).and_then(|entries| entries.last()))
    }

    fn value(&mut self, key: &ModelKey, now: Timestamp) -> Option<Bytes> {
        let entry = self.entries.get(key)?;
        if entry.expires_at.is_some_and(|until| until <= now) {
            self.entries.remove(key);
            self.publish(&ChangeNotification::Key(key.clone()));
            return None;
        }
        Some(entry.text.clone())
    }

    fn publish(&self, change: &ChangeNotification) {
        for subscription in &self.subscriptions {
            subscription.publish(change.clone());
        }
    }
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        ready(self.load_now(key)).boxed()
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        ready(self.list_now(known, discover)).boxed()
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        ready(self.swap_now(key, write)).boxed()
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        ready(self.history_now(key, limit)).boxed()
    }

    fn share_secret(&self, secret: Bytes) -> BoxFuture<'_, Result<Bytes, StoreError>> {
        let shared = self.check_available().map(|mut inner| inner.secret.get_or_insert(secret).clone());
        ready(shared).boxed()
    }

    fn changes(&self) -> Changes {
        let changes = Changes::default();
        changes.publish(ChangeNotification::Everything);
        self.lock().subscriptions.push(changes.clone());
        changes
    }

    fn info(&self) -> StoreInfo {
        StoreInfo { kind: "memory", address: "this process".to_owned() }
    }
}
