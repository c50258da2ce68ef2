//! The conditions of the network, and how Redis fails.

use std::{ops::RangeInclusive, time::Duration};

/// The conditions for all messages. Times are ms.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConditions {
    /// How long a command, its response or a push is in flight.
    pub delay: RangeInclusive<u64>,
    /// This share of commands never arrives.
    pub lost_requests: f64,
    /// This share of responses never arrives: the command is executed.
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

/// How Redis, or the connection to it, fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// Connections are closed and refused.
    Refusing,
    /// There is no response; a PING without response reveals it.
    Unresponsive,
    /// It rejects writes: it is full, or a replica.
    ReadOnly,
}

/// How long a lost or late message may matter: the store is found unreachable, tried again and reconciled. A full read
/// without a response times out after 5 s, and is repeated.
pub(super) const RECOVERY_BOUND: Duration = Duration::from_millis(5_500);

/// How long a lost push may matter: until the next full read, and a little.
pub(super) const SLOW_RECOVERY_BOUND: Duration = Duration::from_secs(20);
