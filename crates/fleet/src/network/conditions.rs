//! What messages meet with, and how Redis fails.

use std::{ops::RangeInclusive, time::Duration};

/// What messages meet with. Times are ms.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConditions {
    /// How long a command, its answer or a push is under way.
    pub delay: RangeInclusive<u64>,
    /// This share of commands never arrives.
    pub lost_requests: f64,
    /// This share of answers never arrives: what was asked for is done.
    pub lost_replies: f64,
    /// This share of pushes never arrives.
    pub lost_pushes: f64,
}

impl NetworkConditions {
    /// A network in which nothing is lost, and a message takes up to 2 ms.
    #[must_use]
    pub const fn perfect() -> Self {
        Self { delay: 0..=2, lost_requests: 0.0, lost_replies: 0.0, lost_pushes: 0.0 }
    }

    pub(super) fn is_perfect(&self) -> bool {
        *self.delay.end() <= 5 && self.lost_requests + self.lost_replies + self.lost_pushes <= f64::EPSILON
    }
}

/// How Redis, or the way to it, is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// Connections are closed and refused.
    Refusing,
    /// Nothing is answered; it is found out by a sign of life that does not come.
    Unresponsive,
    /// It is there, and refuses writes: it is full, or a replica.
    ReadOnly,
}

/// What a lost message, or one that was late, may cost: the store is found away, tried again and told all. A full read
/// without an answer is given up after 5 s, and tried again.
pub(super) const RECOVERY_BOUND: Duration = Duration::from_millis(5_500);

/// What a missed push may cost: one slow read and a little.
pub(super) const SLOW_RECOVERY_BOUND: Duration = Duration::from_secs(20);
