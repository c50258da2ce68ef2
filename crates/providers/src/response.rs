//! A provider's response in one piece.

use std::fmt;

use bytes::Bytes;
use dialects::{ResponseMeta, Usage};
use http::{HeaderMap, StatusCode};

/// A response in one piece.
#[derive(Clone)]
pub struct CompleteResponse {
    /// Its status.
    pub status: StatusCode,
    /// The headers that the caller gets.
    pub headers: HeaderMap,
    /// Its unchanged body.
    pub body: Bytes,
    /// The tokens that it reports.
    pub usage: Usage,
    /// The id and model that it reports, if they were wanted.
    pub meta: ResponseMeta,
}

/// Without the body: it holds the model's output.
impl fmt::Debug for CompleteResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompleteResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}
