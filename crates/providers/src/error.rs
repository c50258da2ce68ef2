//! A call that brought no good answer: what happened, and whose fault it is.

use std::fmt;
use std::time::Duration;

use crate::{CompleteResponse, classify};

/// A call that brought no good answer. Holds and shows no message of the provider's, since that may quote a prompt (C5);
/// only [`Fault::answer`], which goes to the caller alone, has it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.describe())]
pub struct ProviderError {
    /// What happened.
    pub kind: ProviderErrorKind,
    /// Whose fault it is.
    pub class: FailureClass,
    /// The HTTP status; for an error inside a 200, the one that it names or stands for.
    pub status: Option<u16>,
    /// The provider's error type, for instance `overloaded_error`.
    pub error_type: Option<String>,
    /// The provider's error code, for instance `insufficient_quota`.
    pub error_code: Option<String>,
    /// For how long the provider asks callers to stay away (`retry-after`, `retry-after-ms`), whatever the status.
    pub retry_after: Option<Duration>,
    /// The provider's own error answer, to be returned as it is. There is none where nothing came, or not all of it.
    pub response: Option<Box<CompleteResponse>>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderErrorKind {
    /// No connection could be made: refused, no such host, TLS, the connect timeout (F7).
    Connection,
    /// A limit of `[timeouts]` ran out.
    Timeout(TimeoutKind),
    /// A status that is no success.
    Status,
    /// An error inside a 200: an error event, or an error in place of a plain answer.
    ErrorInBody,
    /// An answer or event that is not what the provider promises.
    Invalid,
    /// A plain answer, an event, or what comes before a stream's first content, larger than this many bytes.
    TooLarge(usize),
    /// A connection or stream that ended before its finish.
    Truncated,
    /// The provider does not speak the endpoint's dialect. Nothing was sent; see [`crate::Provider::dialect`].
    UnsupportedEndpoint,
}

/// Which of `[timeouts]` ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeoutKind {
    /// A stream: until its first event of any kind.
    FirstByte,
    /// A stream: until it first says something.
    FirstContent,
    /// A stream: between two events.
    Idle,
    /// A plain answer, from request to end.
    Response,
}

/// Whose fault it is, which decides what follows (C1, C2, B9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The provider's: it counts against the model (C1).
    Provider,
    /// Nobody's: the provider asks to be left alone (B9).
    RateLimited {
        /// For how long; never zero.
        retry_after: Duration,
    },
    /// The account's: its quota or credit is spent, which a little waiting does not mend (B9).
    QuotaExhausted,
    /// The configuration's, or the caller's on a direct call: the provider has no such model (B9).
    UnknownModel,
    /// The provider key's: 401, 403 (C2).
    Auth,
    /// This model's: the prompt does not fit it, but may fit another (C2).
    ContextTooLong,
    /// The caller's, which is told so by the provider's own answer (C2). Content refused by policy is among it.
    InvalidRequest,
}

impl ProviderError {
    /// The provider sent more than `limit` bytes where that is the most that is kept.
    #[must_use]
    pub const fn too_large(limit: usize) -> Self {
        Self::provider_failure(ProviderErrorKind::TooLarge(limit))
    }

    /// A call that somebody else made ended with this status, no success. Judged as if it had come here (C1, C2, B9).
    #[must_use]
    pub fn from_reported(
        status: u16,
        error_type: Option<&str>,
        error_code: Option<&str>,
        retry_after: Option<Duration>,
    ) -> Self {
        classify::from_reported(status, error_type, error_code, retry_after.filter(|wait| !wait.is_zero()))
    }

    /// A failure of the provider's without an answer.
    #[must_use]
    pub const fn provider_failure(kind: ProviderErrorKind) -> Self {
        Self {
            kind,
            class: FailureClass::Provider,
            status: None,
            error_type: None,
            error_code: None,
            retry_after: None,
            response: None,
        }
    }

    fn describe(&self) -> String {
        let mut text = self.kind.to_string();
        if let Some(status) = self.status {
            text += &format!(", status {status}");
        }
        for name in [&self.error_type, &self.error_code].into_iter().flatten() {
            text += &format!(", {name}");
        }
        text
    }
}

impl fmt::Display for ProviderErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("no connection to the provider could be made"),
            Self::Timeout(limit) => write!(f, "the provider took longer than timeouts.{limit}"),
            Self::Status => f.write_str("the provider refused the call"),
            Self::ErrorInBody => f.write_str("the provider reported an error inside its answer"),
            Self::Invalid => f.write_str("the provider's answer is not what its API promises"),
            Self::TooLarge(limit) => write!(f, "the provider sent more than {limit} bytes in one piece"),
            Self::Truncated => f.write_str("the provider's answer was cut off before its end"),
            Self::UnsupportedEndpoint => f.write_str("the provider does not speak this endpoint's dialect"),
        }
    }
}

/// The name it has in the configuration.
impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstByte => "first_byte",
            Self::FirstContent => "first_token",
            Self::Idle => "idle",
            Self::Response => "answer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ProviderError, ProviderErrorKind, TimeoutKind};

    #[test]
    fn an_error_is_described_in_one_line() {
        let mut error =
            ProviderError::provider_failure(ProviderErrorKind::Timeout(TimeoutKind::FirstContent));
        assert_eq!(error.to_string(), "the provider took longer than timeouts.first_token");
        error.kind = ProviderErrorKind::Status;
        error.status = Some(529);
        error.error_type = Some("overloaded_error".to_owned());
        assert_eq!(error.to_string(), "the provider refused the call, status 529, overloaded_error");
    }
}
