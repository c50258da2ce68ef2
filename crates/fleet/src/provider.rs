//! The simulated providers: how a call to a model goes at the moment.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{Failure, FailureKind, ModelKey, Outcome};
use tokio::time::Instant;

use crate::dice::Dice;

/// How a model is at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Health {
    /// It answers, but for this share of calls.
    Well {
        /// The share that fails.
        failing: f64,
    },
    /// Every call fails, at once or after a while.
    Dead,
    /// Every call is answered with a 429 that says how long to wait.
    Limited,
    /// This instance cannot connect to it; the others can.
    CutOff {
        /// Which one.
        instance: usize,
    },
}

/// How one call goes.
#[derive(Debug, Clone)]
pub struct Course {
    /// A stream's first content, where there is one: a share of the whole time.
    pub content_after: Option<Duration>,
    /// From the request to the end.
    pub length: Duration,
    /// `None`: the client leaves.
    pub outcome: Option<Outcome>,
}

/// All models, and what reached the dead ones.
#[derive(Debug)]
pub struct Providers {
    health: Mutex<BTreeMap<ModelKey, Health>>,
    in_vain: Mutex<Vec<Instant>>,
    /// How long answers take, in ms.
    answer: (u64, u64),
}

impl Providers {
    /// All are well, and answer within so many ms.
    #[must_use]
    pub fn new(answer: (u64, u64)) -> Self {
        Self { health: Mutex::default(), in_vain: Mutex::default(), answer }
    }

    /// A model is like this from now on.
    pub fn set(&self, key: &ModelKey, health: Health) {
        self.health().insert(key.clone(), health);
    }

    /// How a model is.
    #[must_use]
    pub fn of(&self, key: &ModelKey) -> Health {
        self.health().get(key).copied().unwrap_or(Health::Well { failing: 0.0 })
    }

    /// All are well from now on.
    pub fn heal(&self) {
        self.health().clear();
    }

    /// When calls reached a dead model, so far.
    #[must_use]
    pub fn in_vain(&self) -> Vec<Instant> {
        self.in_vain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How a call that sets out now will go.
    pub fn course(&self, key: &ModelKey, instance: usize, dice: &Dice) -> Course {
        let length = dice.millis(self.answer.0..=self.answer.1);
        let health = self.of(key);
        let plain = |length, outcome| Course { content_after: None, length, outcome: Some(outcome) };
        match health {
            Health::Dead => {
                self.in_vain.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                plain(length / 4, Outcome::Failed(Failure::status(529)))
            }
            Health::Limited => {
                let failure = Failure { status: Some(429), ..Failure::of(FailureKind::RateLimited) };
                plain(length / 4, Outcome::Rest { failure, wait: Some(dice.millis(1_000..=5_000)) })
            }
            Health::CutOff { instance: cut_off } if cut_off == instance => {
                plain(length / 4, Outcome::Failed(Failure::of(FailureKind::Connection)))
            }
            Health::Well { failing } if dice.happens(failing) => {
                let cut = dice.happens(0.3);
                let kind = if cut { Failure::of(FailureKind::Cut) } else { Failure::status(503) };
                Course {
                    content_after: cut.then_some(length / 2),
                    length,
                    outcome: Some(Outcome::Failed(kind)),
                }
            }
            Health::Well { .. } | Health::CutOff { .. } => {
                let streams = dice.happens(0.5);
                let leaves = dice.happens(0.03);
                let outcome = (!leaves).then_some(Outcome::Succeeded);
                Course { content_after: streams.then_some(length / 3), length, outcome }
            }
        }
    }

    fn health(&self) -> MutexGuard<'_, BTreeMap<ModelKey, Health>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
