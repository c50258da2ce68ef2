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
        CLOCK_TOLERANCE, Change, Changes, History, Listing, Loaded, Place, Store, StoreError, Swap, Value,
        Write,
    },
};

/// The last entries of a history that are kept, as in Redis (DESIGN 1.1).
const HISTORY: usize = 1_000;

/// A store in memory. Clones share what they hold.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    clock: Arc<dyn WallClock>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    values: HashMap<ModelKey, Kept>,
    histories: HashMap<ModelKey, Vec<Transition>>,
    feeds: Vec<Changes>,
    refusal: Option<StoreError>,
}

#[derive(Debug)]
struct Kept {
    text: Bytes,
    until: Option<Timestamp>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock::default()))
    }
}

impl MemoryStore {
    /// A store whose own time is this clock's.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn WallClock>) -> Self {
        Self { clock, held: Arc::default() }
    }

    /// Writes a value as a stranger would, or deletes it.
    pub fn set(&self, key: &ModelKey, text: Option<&str>) {
        let mut held = self.held();
        match text {
            Some(text) => {
                let text = Bytes::copy_from_slice(text.as_bytes());
                held.values.insert(key.clone(), Kept { text, until: None });
            }
            None => {
                held.values.remove(key);
            }
        }
        held.tell(&Change::Key(key.clone()));
    }

    /// Loses everything, as FLUSHALL does.
    pub fn flush(&self) {
        let mut held = self.held();
        held.values.clear();
        held.histories.clear();
        held.tell(&Change::Everything);
    }

    /// Answers every request with this error from now on, or works again.
    pub fn refuse(&self, error: Option<StoreError>) {
        let mut held = self.held();
        held.refusal.clone_from(&error);
        held.tell(&error.map_or(Change::Everything, Change::Lost));
    }

    /// The text that is held under a key.
    #[must_use]
    pub fn get(&self, key: &ModelKey) -> Option<Bytes> {
        self.held().value(key, self.clock.now())
    }

    /// How long a key will live; `None`: for ever, or there is none.
    #[must_use]
    pub fn lifetime(&self, key: &ModelKey) -> Option<Duration> {
        Some(self.held().values.get(key)?.until?.since(self.clock.now()))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Held>, StoreError> {
        let held = self.held();
        match &held.refusal {
            Some(error) => Err(error.clone()),
            None => Ok(held),
        }
    }

    fn load_now(&self, key: &ModelKey) -> Result<Loaded, StoreError> {
        let mut held = self.working()?;
        let time = self.clock.now();
        let value = held.value(key, time).map_or(Value::Absent, Value::Text);
        Ok(Loaded { value, history: held.history_end(key), time })
    }

    fn list_now(&self, known: &[ModelKey], discover: bool) -> Result<Listing, StoreError> {
        let mut held = self.working()?;
        let time = self.clock.now();
        let mut keys = known.to_vec();
        if discover {
            keys.extend(held.values.keys().cloned());
            keys.sort_unstable();
            keys.dedup();
        }
        let values = keys
            .into_iter()
            .map(|key| {
                let value = held.value(&key, time).map_or(Value::Absent, Value::Text);
                (key, value)
            })
            .collect();
        Ok(Listing { values, time })
    }

    fn swap_now(&self, key: &ModelKey, write: &Write) -> Result<Swap, StoreError> {
        let mut held = self.working()?;
        let time = self.clock.now();
        if millis(time.since(write.decided_at).max(write.decided_at.since(time))) > millis(CLOCK_TOLERANCE) {
            return Ok(Swap::ClockAway { time });
        }
        let value = held.value(key, time).map_or(Value::Absent, Value::Text);
        let history = held.history_end(key);
        if value != write.expected || write.history != history {
            return Ok(Swap::Changed(Loaded { value, history, time }));
        }
        match &write.next {
            Some(text) => {
                let until = write.lifetime.map(|lifetime| time + lifetime);
                held.values.insert(key.clone(), Kept { text: text.clone(), until });
            }
            None => {
                held.values.remove(key);
            }
        }
        if !write.entries.is_empty() {
            let history = held.histories.entry(key.clone()).or_default();
            history.extend(write.entries.iter().cloned());
            let excess = history.len().saturating_sub(HISTORY);
            history.drain(..excess);
        }
        held.tell(&Change::Key(key.clone()));
        Ok(Swap::Done { time })
    }

    fn history_now(&self, key: &ModelKey, most: usize) -> Result<Vec<Transition>, StoreError> {
        let held = self.working()?;
        let entries = held.histories.get(key).map(Vec::as_slice).unwrap_or_default();
        Ok(entries.iter().rev().take(most).cloned().collect())
    }
}

impl Held {
    fn history_end(&self, key: &ModelKey) -> History {
        History::ending(self.histories.get(key).and_then(|entries| entries.last()))
    }

    fn value(&mut self, key: &ModelKey, now: Timestamp) -> Option<Bytes> {
        let kept = self.values.get(key)?;
        if kept.until.is_some_and(|until| until <= now) {
            self.values.remove(key);
            self.tell(&Change::Key(key.clone()));
            return None;
        }
        Some(kept.text.clone())
    }

    fn tell(&self, change: &Change) {
        for feed in &self.feeds {
            feed.tell(change.clone());
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
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        ready(self.history_now(key, most)).boxed()
    }

    fn changes(&self) -> Changes {
        let feed = Changes::default();
        feed.tell(Change::Everything);
        self.held().feeds.push(feed.clone());
        feed
    }

    fn place(&self) -> Place {
        Place { kind: "memory", address: "this process".to_owned() }
    }
}
