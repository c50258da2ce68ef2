//! Why the client got no response.

use http1::Malformed;

use crate::cause::{ConnectCause, LocalResource};

/// Why the client got no response.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ClientError {
    /// No connection could be made. The detail is in our own words, or the system's.
    #[error("{detail}")]
    NotConnected { cause: ConnectCause, detail: String },
    /// This machine lacks something (C8).
    #[error("out of {0}")]
    Local(LocalResource),
    /// The connection was made, and ended or sent no HTTP.
    #[error("the connection ended early")]
    Interrupted,
}

impl ClientError {
    pub(crate) fn not_connected(cause: ConnectCause, detail: impl Into<String>) -> Self {
        Self::NotConnected { cause, detail: detail.into() }
    }
}

impl From<Malformed> for ClientError {
    fn from(_: Malformed) -> Self {
        Self::Interrupted
    }
}
