//! The circuits of a process that calls models.

use std::{sync::Arc, time::Duration};

use breaker::InstanceId;
use circuits::{Circuits, MemoryStore, RedisStore, Settings, Store};

use crate::config::{Config, RedisConfig, RedisUrl};

/// How long the first request waits for the first read of Redis (F2); after that, requests go on without it (F3).
const STARTUP_READ_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the last circuit updates may take at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts the circuits of this process on the configured store.
pub(super) fn start(config: &Config) -> Circuits {
    let settings = Settings {
        policies: config.policies.clone(),
        store_optional: !config.redis.explicit,
        ..Settings::new(new_instance_id())
    };
    Circuits::start(open_store(&config.redis), settings)
}

/// Waits for the first read, but not for long; whether it was in time.
pub(super) async fn wait_for_first_read(circuits: &Circuits) -> bool {
    tokio::time::timeout(STARTUP_READ_TIMEOUT, circuits.ready()).await.is_ok()
}

/// Writes what was learnt last, if that does not take long.
pub(super) async fn flush(circuits: &Circuits) {
    if tokio::time::timeout(FLUSH_TIMEOUT, circuits.flush()).await.is_err() {
        tracing::warn!("some circuit updates could not be flushed to Redis");
    }
}

fn open_store(redis: &RedisConfig) -> Arc<dyn Store> {
    match &redis.url {
        RedisUrl::Memory => Arc::new(MemoryStore::default()),
        RedisUrl::Redis(address) => Arc::new(RedisStore::start(address.clone())),
    }
}

/// A unique name of this process, short enough for a table.
fn new_instance_id() -> InstanceId {
    let id = uuid::Uuid::new_v4().simple().to_string();
    InstanceId::new(&id[..8])
}
