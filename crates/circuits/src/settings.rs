//! How an instance takes part: its name, its rules, its pace.

use std::{collections::HashMap, sync::Arc, time::Duration};

use breaker::{InstanceId, ModelKey, Policy};

use crate::{
    clock::{SystemClock, WallClock},
    rng::{Rng, SystemRng},
};

/// Which policy each circuit has.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Of every circuit that has none of its own.
    pub default: Policy,
    /// Of these circuits.
    pub models: HashMap<ModelKey, Policy>,
}

/// How often and how long. The defaults are those of DESIGN 3; tests shorten them.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Counts that cannot trip are written at most so often.
    pub count_write_interval: Duration,
    /// A circuit is read at most so often, however many pushes come.
    pub min_read_interval: Duration,
    /// Everything is read so often, as a net under missed pushes; a quarter more or less.
    pub resync_interval: Duration,
    /// The store has so long to answer; a call waits for it no longer than that (F3).
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
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in Redis.
    pub instance: InstanceId,
    /// The rules.
    pub policies: Policies,
    /// How often and how long.
    pub timing: Timing,
    /// This machine's clock.
    pub clock: Arc<dyn WallClock>,
    /// Its chance.
    pub rng: Arc<dyn Rng>,
    /// Nobody asked for this store by name: that it is not there is no fault.
    pub store_optional: bool,
}

impl Settings {
    /// Usual settings under this name.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            policies: Policies::default(),
            timing: Timing::default(),
            clock: Arc::new(SystemClock::default()),
            rng: Arc::new(SystemRng),
            store_optional: false,
        }
    }
}
