//! How an admitted call ended, as far as the circuit is concerned.

use std::time::Duration;

use crate::CallerName;

/// What went wrong with a call: the provider's fault, or a rate limit. Holds no message, since a message may quote a
/// prompt (C5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The sort of failure.
    pub kind: FailureKind,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's error type, for instance `overloaded_error`.
    pub error_type: Option<String>,
    /// The provider's error code, for instance `insufficient_quota`.
    pub error_code: Option<String>,
    /// The caller who reported it by a permit; `None`: this process saw it itself.
    pub reported_by: Option<CallerName>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub const fn new(kind: FailureKind) -> Self {
        Self { kind, status: None, error_type: None, error_code: None, reported_by: None }
    }

    /// An HTTP status that counts as a failure.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self {
            kind: FailureKind::Status,
            status: Some(status),
            error_type: None,
            error_code: None,
            reported_by: None,
        }
    }

    /// Whether this instance itself could not connect, which may be its own network's fault (F7). What an application
    /// reports by a permit is about the application's network, and counts as any failure of its caller (B12).
    pub(crate) fn is_own_connection_failure(&self) -> bool {
        self.kind == FailureKind::Connection && self.reported_by.is_none()
    }
}

/// The sorts of failure (C1, C2, B9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection could be made: refused, no route, no such host, TLS, connect timeout (F7 is about these).
    Connection,
    /// A timeout of `[timeouts]` expired.
    Timeout,
    /// An HTTP status that counts.
    Status,
    /// A response or event that is not of the expected shape.
    Invalid,
    /// A connection or stream that ended before its finish.
    #[serde(rename = "cut")]
    Truncated,
    /// A 429.
    RateLimited,
    /// Exhausted quota or credit, or a spend limit.
    Quota,
    /// The provider does not know the model.
    UnknownModel,
}

/// How an admitted call ended. A call that says nothing about the provider (the client disconnected, its request was
/// invalid) has no outcome: its permit is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A complete, valid response.
    Succeeded,
    /// The provider's fault (C1).
    Failed(Failure),
    /// The provider limits its callers (B9): for `retry_after`, or for the longest cooldown where it does not say.
    RateLimited {
        /// What the provider responded.
        failure: Failure,
        /// For how long; `None`: `max_cooldown`.
        retry_after: Option<Duration>,
    },
}
