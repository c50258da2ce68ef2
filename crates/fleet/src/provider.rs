//! The simulated providers: how a call to a model goes at the moment.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{Failure, FailureKind, ModelKey, Outcome};
use tokio::time::Instant;

use crate::rng::SeededRng;

/// The health of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Health {
    /// It responds, but for this share of calls.
    Healthy {
        /// The share that fails.
        failure_rate: f64,
    },
    /// Every call fails after a while.
    Down,
    /// Every call gets a 429 that says how long to wait.
    RateLimited,
    /// This instance cannot connect to it; the others can.
    UnreachableFrom {
        /// Which one.
        instance: usize,
    },
}

/// How one call goes.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// When a stream produces its first token; `None`: it is no stream.
    pub first_token_after: Option<Duration>,
    /// From the request to the end.
    pub duration: Duration,
    /// `None`: the client disconnects.
    pub outcome: Option<Outcome>,
}

/// All models, and the calls that reached unavailable ones.
#[derive(Debug)]
pub struct Providers {
    health: Mutex<BTreeMap<ModelKey, Health>>,
    calls_while_down: Mutex<Vec<Instant>>,
    /// How long responses take, in ms.
    latency_ms: (u64, u64),
}

impl Providers {
    /// All are healthy, and respond within this range of ms.
    #[must_use]
    pub fn new(latency_ms: (u64, u64)) -> Self {
        Self { health: Mutex::default(), calls_while_down: Mutex::default(), latency_ms }
    }

    /// Sets the health of a model.
    pub fn set(&self, key: &ModelKey, health: Health) {
        self.health().insert(key.clone(), health);
    }

    /// The health of a model.
    #[must_use]
    pub fn health_of(&self, key: &ModelKey) -> Health {
        self.health().get(key).copied().unwrap_or(Health::Healthy { failure_rate: 0.0 })
    }

    /// All are healthy from now on.
    pub fn recover_all(&self) {
        self.health().clear();
    }

    /// When calls reached an unavailable model, so far.
    #[must_use]
    pub fn calls_while_down(&self) -> Vec<Instant> {
        self.calls_while_down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How a call that starts now will go.
    pub fn plan_call(&self, key: &ModelKey, instance: usize, rng: &SeededRng) -> CallPlan {
        let length = rng.millis(self.latency_ms.0..=self.latency_ms.1);
        let health = self.health_of(key);
        let plain =
            |length, outcome| CallPlan { first_token_after: None, duration: length, outcome: Some(outcome) };
        match health {
            Health::Down => {
                self.calls_while_down.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                plain(length / 4, Outcome::Failed(Failure::status(529)))
            }
            Health::RateLimited => {
                let failure = Failure { status: Some(429), ..Failure::new(FailureKind::RateLimited) };
                plain(
                    length / 4,
                    Outcome::RateLimited { failure, retry_after: Some(rng.millis(1_000..=5_000)) },
                )
            }
            Health::UnreachableFrom { instance: isolated } if isolated == instance => {
                plain(length / 4, Outcome::Failed(Failure::new(FailureKind::Connection)))
            }
            Health::Healthy { failure_rate: failing } if rng.chance(failing) => {
                let is_truncated = rng.chance(0.3);
                let kind =
                    if is_truncated { Failure::new(FailureKind::Truncated) } else { Failure::status(503) };
                CallPlan {
                    first_token_after: is_truncated.then_some(length / 2),
                    duration: length,
                    outcome: Some(Outcome::Failed(kind)),
                }
            }
            Health::Healthy { .. } | Health::UnreachableFrom { .. } => {
                let streams = rng.chance(0.5);
                let disconnects = rng.chance(0.03);
                let outcome = (!disconnects).then_some(Outcome::Succeeded);
                CallPlan { first_token_after: streams.then_some(length / 3), duration: length, outcome }
            }
        }
    }

    fn health(&self) -> MutexGuard<'_, BTreeMap<ModelKey, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
