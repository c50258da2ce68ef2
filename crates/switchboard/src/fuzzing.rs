//! What the program reads of a request, for the crate `fuzz`: not a part of the interface.

use http::HeaderMap;

use crate::traces;

/// The trace that the headers of a caller belong to, as it is written for a provider.
#[must_use]
pub fn forwarded_trace(callers: &HeaderMap) -> HeaderMap {
    traces::forwarded_trace(callers)
}
