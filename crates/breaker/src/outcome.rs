//! How an admitted call ended, as far as the circuit is concerned.

use std::time::Duration;

/// What went wrong with a call: the provider's fault, or a rest it asked for. Holds no message, since a message
/// may quote a prompt (DESIGN 1.1, C5).
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
}

impl Failure {
    /// A failure without further particulars.
    #[must_use]
    pub const fn new(kind: FailureKind) -> Self {
        Self { kind, status: None, error_type: None, error_code: None }
    }

    /// An HTTP status that counts as a failure.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { kind: FailureKind::Status, status: Some(status), error_type: None, error_code: None }
    }
}

/// The sorts of failure (C1, C2, B9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection could be made: refused, no route, no such host, TLS, connect timeout (F7 looks at these).
    Connection,
    /// A limit of `[timeouts]` ran out.
    Timeout,
    /// An HTTP status that counts.
    Status,
    /// An answer or event that is not what the provider promises.
    Invalid,
    /// A connection or stream that ended before its finish.
    #[serde(rename = "cut")]
    Truncated,
    /// A 429.
    RateLimited,
    /// Spent quota or credit, or a spend limit.
    Quota,
    /// The provider does not know the model.
    UnknownModel,
}

/// How an admitted call ended. That it ended without a word (the client left, a neutral answer) is no outcome:
/// the permit is just dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A whole, valid answer.
    Succeeded,
    /// The provider's fault (C1).
    Failed(Failure),
    /// The provider asks to be left alone (B9): for `wait`, or for the longest rest where it does not say.
    RateLimited {
        /// How the provider put it.
        failure: Failure,
        /// For how long; `None`: `max_cooldown`.
        retry_after: Option<Duration>,
    },
}
