//! The simulated providers: how a call to a model goes at the moment.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{Failure, FailureKind, ModelKey, Outcome};
use tokio::time::Instant;

use crate::rng::SeededRng;

/// How a model is at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Health {
    /// It answers, but for this share of calls.
    Healthy {
        /// The share that fails.
        failure_rate: f64,
    },
    /// Every call fails, at once or after a while.
    Down,
    /// Every call is answered with a 429 that says how long to wait.
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
    /// A stream's first content, where there is one: a share of the whole time.
    pub first_token_after: Option<Duration>,
    /// From the request to the end.
    pub duration: Duration,
    /// `None`: the client leaves.
    pub outcome: Option<Outcome>,
}

/// All models, and what reached the dead ones.
#[derive(Debug)]
pub struct Providers {
    health: Mutex<BTreeMap<ModelKey, Health>>,
    calls_while_down: Mutex<Vec<Instant>>,
    /// How long answers take, in ms.
    latency_ms: (u64, u64),
}

impl Providers {
    /// All are well, and answer within so many ms.
    #[must_use]
    pub fn new(answer: (u64, u64)) -> Self {
        Self { health: Mutex::default(), calls_while_down: Mutex::default(), latency_ms: answer }
    }

    /// A model is like this from now on.
    pub fn set(&self, key: &ModelKey, health: Health) {
        self.health().insert(key.clone(), health);
    }

    /// How a model is.
    #[must_use]
    pub fn health_of(&self, key: &ModelKey) -> Health {
        self.health().get(key).copied().unwrap_or(Health::Healthy { failure_rate: 0.0 })
    }

    /// All are well from now on.
    pub fn recover_all(&self) {
        self.health().clear();
    }

    /// When calls reached a dead model, so far.
    #[must_use]
    pub fn calls_while_down(&self) -> Vec<Instant> {
        self.calls_while_down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How a call that sets out now will go.
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
            Health::UnreachableFrom { instance: cut_off } if cut_off == instance => {
                plain(length / 4, Outcome::Failed(Failure::new(FailureKind::Connection)))
            }
            Health::Healthy { failure_rate: failing } if rng.chance(failing) => {
                let cut = rng.chance(0.3);
                let kind = if cut { Failure::new(FailureKind::Truncated) } else { Failure::status(503) };
                CallPlan {
                    first_token_after: cut.then_some(length / 2),
                    duration: length,
                    outcome: Some(Outcome::Failed(kind)),
                }
            }
            Health::Healthy { .. } | Health::UnreachableFrom { .. } => {
                let streams = rng.chance(0.5);
                let leaves = rng.chance(0.03);
                let outcome = (!leaves).then_some(Outcome::Succeeded);
                CallPlan { first_token_after: streams.then_some(length / 3), duration: length, outcome }
            }
        }
    }

    fn health(&self) -> MutexGuard<'_, BTreeMap<ModelKey, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
