//! The end of a wait, and the timeout that sets it.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{ProviderError, ProviderErrorKind, TimeoutKind};

/// The end of a wait, and the timeout that sets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    kind: TimeoutKind,
}

impl Deadline {
    /// `duration` after `start`. A duration beyond the clock's range counts as a year.
    pub(crate) fn new(start: Instant, duration: Duration, kind: TimeoutKind) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let at = start.checked_add(duration).unwrap_or_else(|| start + YEAR);
        Self { at, kind }
    }

    /// The one that comes first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// Waits for `future` until then.
    pub(crate) async fn timeout<F: Future>(self, future: F) -> Result<F::Output, ProviderError> {
        timeout_at(self.at, future)
            .await
            .map_err(|_| ProviderError::provider_failure(ProviderErrorKind::Timeout(self.kind)))
    }
}
