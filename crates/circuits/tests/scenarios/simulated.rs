//! The fleet's store behind a simulated network, in virtual time: every message takes a random few milliseconds.

use std::{sync::Arc, time::Duration};

use breaker::{ModelKey, Timestamp, Transition};
use circuits::{Store, Value, WallClock};
use fleet::{
    network::{InstanceConnection, Server, StoreFault, stored_value},
    rng::{SeededRng, VirtualClock},
};
use tokio::time::sleep;

use crate::{instances::Backend, world::ExternalWrite};

/// A simulated network; to be made in virtual time.
pub(crate) struct SimulatedBackend {
    key: ModelKey,
    clock: VirtualClock,
    server: Arc<Server>,
    instances: usize,
}

impl SimulatedBackend {
    /// With all randomness from this seed.
    pub(crate) fn new(key: &ModelKey, seed: u64) -> Self {
        let clock = VirtualClock::start();
        let server = Server::start(&clock, &SeededRng::from_seed(seed), None);
        Self { key: key.clone(), clock, server, instances: 0 }
    }
}

impl Backend for SimulatedBackend {
    async fn connect(&mut self) -> Result<Arc<dyn Store>, String> {
        self.instances += 1;
        Ok(InstanceConnection::open(&self.server, self.instances) as _)
    }

    fn clock(&self, skew: i64) -> Arc<dyn WallClock> {
        Arc::new(self.clock.skewed(skew))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&mut self, length: Duration) -> Result<(), String> {
        sleep(length).await;
        Ok(())
    }

    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String> {
        match does {
            ExternalWrite::Set(text) => self.server.store().set(&self.key, Some(text)),
            ExternalWrite::Delete => self.server.store().set(&self.key, None),
            ExternalWrite::Flush => self.server.store().flush(),
            ExternalWrite::Rpush(_) | ExternalWrite::History(_) => {
                return Err("a store in memory has no lists: say `runs on: redis`".to_owned());
            }
        }
        Ok(())
    }

    async fn set_available(&mut self, up: bool) -> Result<(), String> {
        self.server.set_fault((!up).then_some(StoreFault::Refusing));
        Ok(())
    }

    async fn value(&mut self) -> Result<Option<Value>, String> {
        Ok(self.server.is_up().then(|| stored_value(&self.server, &self.key)))
    }

    async fn history(&mut self) -> Result<Vec<Transition>, String> {
        if !self.server.is_up() {
            return Ok(Vec::new());
        }
        Ok(self.server.store().history(&self.key, 1_000).await.unwrap_or_default())
    }

    async fn ttl(&mut self) -> Result<Option<Duration>, String> {
        Ok(self.server.store().ttl(&self.key))
    }
}
