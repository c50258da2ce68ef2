//! The fleet's store in memory, with a clock that stands still until a test advances it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{ModelKey, Timestamp, Transition, millis};
use circuits::{MemoryStore, Store, StoreError, Value, WallClock};

use crate::{instances::Backend, world::ExternalWrite};

/// A clock that stands still until a test advances it; this many ms off.
#[derive(Debug, Clone)]
struct StoppedClock {
    time: Arc<AtomicU64>,
    skew: i64,
}

impl WallClock for StoppedClock {
    fn now(&self) -> Timestamp {
        let time = self.time.load(Ordering::SeqCst);
        Timestamp::from_millis(time.saturating_add_signed(self.skew))
    }
}

/// A store in memory.
pub(crate) struct MemoryBackend {
    key: ModelKey,
    clock: StoppedClock,
    store: MemoryStore,
}

impl MemoryBackend {
    pub(crate) fn new(key: &ModelKey) -> Self {
        let clock = StoppedClock { time: Arc::new(AtomicU64::new(1_800_000_000_000)), skew: 0 };
        Self { key: key.clone(), store: MemoryStore::with_clock(Arc::new(clock.clone())), clock }
    }
}

impl Backend for MemoryBackend {
    async fn connect(&mut self) -> Result<Arc<dyn Store>, String> {
        Ok(Arc::new(self.store.clone()))
    }

    fn clock(&self, skew: i64) -> Arc<dyn WallClock> {
        Arc::new(StoppedClock { skew, ..self.clock.clone() })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&mut self, length: Duration) -> Result<(), String> {
        self.clock.time.fetch_add(millis(length), Ordering::SeqCst);
        Ok(())
    }

    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String> {
        match does {
            ExternalWrite::Set(text) => self.store.set(&self.key, Some(text)),
            ExternalWrite::Delete => self.store.set(&self.key, None),
            ExternalWrite::Flush => self.store.flush(),
            ExternalWrite::Rpush(_) | ExternalWrite::History(_) => {
                return Err("a store in memory has no lists: say `runs on: redis`".to_owned());
            }
        }
        Ok(())
    }

    async fn set_available(&mut self, up: bool) -> Result<(), String> {
        let error = StoreError::Unreachable("made unreachable by the scenario".to_owned());
        self.store.inject_error((!up).then_some(error));
        Ok(())
    }

    async fn value(&mut self) -> Result<Option<Value>, String> {
        Ok(Some(self.store.get(&self.key).map_or(Value::Absent, Value::Text)))
    }

    async fn history(&mut self) -> Result<Vec<Transition>, String> {
        Ok(self.store.history(&self.key, 1_000).await.unwrap_or_default())
    }

    async fn ttl(&mut self) -> Result<Option<Duration>, String> {
        Ok(self.store.ttl(&self.key))
    }
}
