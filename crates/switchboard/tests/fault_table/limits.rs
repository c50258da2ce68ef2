//! The settings under which the table is run: as the documented ones, but short.

use std::time::Duration;

use breaker::Policy;
use manager::{BufferLimit, Retry};
use providers::Timeouts;

/// The first wait between two calls to one model; chance takes up to half of it away.
pub(crate) const BACKOFF: Duration = Duration::from_millis(60);

/// So much later than it must things may happen: two cores have much to do.
pub(crate) const MAX_LATENESS: Duration = Duration::from_millis(600);

/// A limit begins with the call, and the provider may see that so much later.
pub(crate) const MAX_OBSERVATION_DELAY: Duration = Duration::from_millis(200);

/// A buffered stream that is larger is passed through: some twenty events.
pub(crate) const BUFFER_LIMIT: BufferLimit = BufferLimit(8_192);

pub(crate) const fn retry() -> Retry {
    Retry { max_attempts: 2, initial_backoff: BACKOFF, max_retry_after: Duration::from_millis(2_500) }
}

/// All different, so that a fault shows which one found it.
pub(crate) fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(2),
        first_byte: Duration::from_millis(1_000),
        first_token: Duration::from_millis(2_000),
        idle: Duration::from_millis(1_250),
        response: Duration::from_millis(1_500),
        total: Duration::from_secs(20),
    }
}

/// Failures are counted and trip nothing, so that the circuit shows what was counted.
pub(crate) fn policy() -> Policy {
    Policy {
        failure_threshold: 100,
        burst_threshold: 100,
        failure_rate: Some(1.0),
        minimum_calls: 1_000,
        window: Duration::from_secs(600),
        ..Policy::default()
    }
}
