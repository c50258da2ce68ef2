//! How an instance takes part: its name, its policies, its timing.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use breaker::{InstanceId, ModelKey, Policy};

use crate::{
    clock::{SystemClock, WallClock},
    rng::{Rng, SystemRng},
    source::TagKey,
};

/// Which policy each circuit has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies {
    /// For every circuit without a policy of its own.
    pub default: Policy,
    /// For these circuits.
    pub models: HashMap<ModelKey, Policy>,
    /// The models that the configuration names; `None`: all. The circuit of any other begins with its first answer or
    /// failure, so that names that clients invent leave nothing behind.
    pub named: Option<HashSet<ModelKey>>,
}

impl Policies {
    /// Whether the configuration names this model.
    pub(crate) fn names(&self, key: &ModelKey) -> bool {
        self.named.as_ref().is_none_or(|named| named.contains(key))
    }
}

/// Intervals and timeouts. Tests shorten them.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Counts that cannot trip are written at most once in this time.
    pub count_write_interval: Duration,
    /// A circuit is read at most once in this time, however many notifications of changed counts come. A change of state
    /// is read at once.
    pub min_read_interval: Duration,
    /// Everything is read once in this time, give or take a quarter, in case a change notification was lost.
    pub resync_interval: Duration,
    /// The store has this long to respond; a call waits for it no longer than that (F3).
    pub store_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            count_write_interval: Duration::from_millis(100),
            min_read_interval: Duration::from_millis(20),
            resync_interval: Duration::from_secs(15),
            store_timeout: Duration::from_millis(80),
        }
    }
}

/// How an instance takes part.
#[derive(Debug)]
pub struct Settings {
    /// Its name in Redis.
    pub instance: InstanceId,
    /// The policies of its circuits.
    pub policies: Policies,
    /// Intervals and timeouts.
    pub timing: Timing,
    /// This machine's clock.
    pub clock: Arc<dyn WallClock>,
    /// Its source of randomness.
    pub rng: Arc<dyn Rng>,
    /// The secret for the tags of requests, until the store has one (B12).
    pub tag_key: TagKey,
    /// The store is not configured, so it is no fault if there is none.
    pub store_optional: bool,
}

impl Settings {
    /// Default settings under this name.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            policies: Policies::default(),
            timing: Timing::default(),
            clock: Arc::new(SystemClock::default()),
            rng: Arc::new(SystemRng),
            tag_key: TagKey::random(&SystemRng),
            store_optional: false,
        }
    }
}
