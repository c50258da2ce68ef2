//! How an instance takes part: its name, its rules, its pace.

use std::{collections::HashMap, sync::Arc, time::Duration};

use breaker::{InstanceId, ModelKey, Policy};

use crate::{
    chance::{Chance, SystemChance},
    clock::{SystemClock, WallClock},
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
pub struct Pacing {
    /// Counts that cannot trip are written at most so often.
    pub counts: Duration,
    /// A circuit is read at most so often, however many pushes come.
    pub reads: Duration,
    /// Everything is read so often, as a net under missed pushes; a quarter more or less.
    pub slow_read: Duration,
    /// The store has so long to answer; a call waits for it no longer than that (F3).
    pub patience: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            counts: Duration::from_millis(100),
            reads: Duration::from_millis(20),
            slow_read: Duration::from_secs(15),
            patience: Duration::from_millis(80),
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
    pub pacing: Pacing,
    /// This machine's clock.
    pub clock: Arc<dyn WallClock>,
    /// Its chance.
    pub chance: Arc<dyn Chance>,
    /// Nobody asked for this store by name: that it is not there is no fault.
    pub optional: bool,
}

impl Settings {
    /// Usual settings under this name.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            policies: Policies::default(),
            pacing: Pacing::default(),
            clock: Arc::new(SystemClock::default()),
            chance: Arc::new(SystemChance),
            optional: false,
        }
    }
}
