//! How long a client waits, as the manager reads it, for the crate `fuzz`: not a part of the interface.

use std::time::Duration;

use http::HeaderMap;

use crate::call_limit::{CallLimit, client_timeout};

/// The limit of a call in time.
#[must_use]
pub fn call_limit(total: Duration, headers: &HeaderMap) -> Duration {
    CallLimit::new(total, client_timeout(headers), false).duration
}
