//! A request that failed: what happened, and who is responsible.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::cause::{ConnectCause, LocalResource};
use crate::client::ClientError;
use crate::credentials::CredentialsError;
use crate::response::CompleteResponse;

/// A request that failed. It has no message of the provider's, which may quote a prompt (C5); only
/// [`ProviderError::response`], which goes to the caller alone, has it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.describe())]
pub struct ProviderError {
    /// What happened.
    pub kind: ProviderErrorKind,
    /// Who is responsible.
    pub class: FailureClass,
    /// The HTTP status; for an error inside a 200, the one that it names or implies.
    pub status: Option<u16>,
    /// The provider's error type, for instance `overloaded_error`.
    pub error_type: Option<String>,
    /// The provider's error code, for instance `insufficient_quota`.
    pub error_code: Option<String>,
    /// The provider's `retry-after` or `retry-after-ms`, whatever the status.
    pub retry_after: Option<Duration>,
    /// What few errors have: why there was no connection, or the event that was the error.
    pub detail: Option<Box<ErrorDetail>>,
    /// The provider's own response, to be returned unchanged; `None`: it was not received, or not completely.
    pub response: Option<Box<CompleteResponse>>,
}

/// What few errors have.
#[derive(Debug, Clone)]
pub enum ErrorDetail {
    /// Why no connection could be made, in our own words: the host, the certificate, the system's error.
    Connect(ConnectDetail),
    /// The event of a stream of chat completions that was the error, as it came: some vendors name it, which the format does
    /// not.
    Event(ErrorEvent),
    /// Why a request could not be signed.
    Credentials(CredentialsError),
    /// Why a signature was refused, as far as this machine can see: its clock is wrong.
    Clock(String),
}

/// An event that is an error, to be passed on unchanged.
#[derive(Clone)]
pub struct ErrorEvent(pub Bytes);

/// Without the bytes: they may quote the prompt.
impl fmt::Debug for ErrorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorEvent({} bytes)", self.0.len())
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderErrorKind {
    /// No connection could be made (F7).
    Connection(ConnectCause),
    /// This machine lacks what a connection needs; nothing was sent (C8).
    LocalResource(LocalResource),
    /// There are no AWS credentials to sign a request with; nothing was sent.
    Credentials,
    /// One of `[timeouts]` expired.
    Timeout(TimeoutKind),
    /// A status other than 2xx.
    Status,
    /// An error inside a 200: an error event, or an error object as the body.
    ErrorInBody,
    /// A response or event that does not have the shape of its API format.
    Invalid,
    /// A response, an event, or the part of a stream before its first token is larger than this many bytes.
    TooLarge(usize),
    /// A connection or stream that ended before its finish.
    Truncated,
    /// The provider does not have the endpoint's API format. Nothing was sent; see `Provider::dialect`.
    UnsupportedEndpoint,
}

/// Why no connection could be made, in our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectDetail(String);

impl fmt::Display for ConnectDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of `[timeouts]` expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeoutKind {
    /// A stream: until its first event of any kind.
    FirstByte,
    /// A stream: until its first token.
    FirstToken,
    /// A stream: between two events.
    Idle,
    /// A response that is not streamed: from request to end.
    Response,
}

/// Who is responsible, which decides what follows (C1, C2, B9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The provider: it counts against the model (C1).
    Provider,
    /// Nobody: the provider limits the rate (B9).
    RateLimited {
        /// The cooldown that the provider requests; never zero.
        retry_after: Duration,
    },
    /// The account: its quota or credit is exhausted, which a short wait does not fix (B9).
    QuotaExhausted,
    /// The configuration, or the caller of a model without a route: the provider has no such model (B9).
    UnknownModel,
    /// The provider's API key: 401, and what says so with another status (C2).
    Auth,
    /// The model: the prompt does not fit it, or its account's limits, but may fit another's (C2).
    ContextTooLong,
    /// Nobody: the provider does not have this endpoint, which another may have. Of OpenAI's calls that are no conversation, few
    /// compatible servers have all.
    NoEndpoint,
    /// The caller, who gets the provider's own response (C2). Content rejected by policy is included.
    InvalidRequest,
    /// This machine, which lacks what the call needs: no provider and no caller (C8).
    LocalResource,
}

impl ProviderError {
    /// The provider's own words. They may quote the prompt: for the caller alone, and for no log (C5).
    #[must_use]
    pub fn provider_message(&self) -> Option<String> {
        dialects::error::provider_message(&self.response.as_ref()?.body)
    }

    /// What this gateway itself knows about why it is refused or cannot ask: no credentials, a wrong clock.
    #[must_use]
    pub fn own_explanation(&self) -> Option<String> {
        match self.detail.as_deref()? {
            ErrorDetail::Credentials(error) => Some(error.to_string()),
            ErrorDetail::Clock(problem) => Some(problem.clone()),
            ErrorDetail::Connect(_) | ErrorDetail::Event(_) => None,
        }
    }

    /// The provider sent more than the `limit`, in bytes.
    #[must_use]
    #[cold]
    pub const fn too_large(limit: usize) -> Self {
        Self::provider_failure(ProviderErrorKind::TooLarge(limit))
    }

    /// A failure of the provider without a response.
    #[must_use]
    #[cold]
    pub const fn provider_failure(kind: ProviderErrorKind) -> Self {
        Self {
            kind,
            class: FailureClass::Provider,
            status: None,
            error_type: None,
            error_code: None,
            retry_after: None,
            detail: None,
            response: None,
        }
    }

    fn describe(&self) -> String {
        let status = self.status.map(|status| format!("HTTP {status}"));
        let error_code = self.error_code.as_ref().filter(|code| Some(*code) != self.error_type.as_ref());
        let words: Vec<&str> =
            [&status, &self.error_type].into_iter().flatten().chain(error_code).map(String::as_str).collect();
        match self.kind {
            ProviderErrorKind::Connection(cause) => match self.detail.as_deref() {
                Some(ErrorDetail::Connect(detail)) => {
                    format!("could not connect to the provider ({cause}: {detail})")
                }
                _ => format!("could not connect to the provider ({cause})"),
            },
            ProviderErrorKind::Credentials => match self.detail.as_deref() {
                Some(ErrorDetail::Credentials(error)) => error.to_string(),
                _ => self.kind.to_string(),
            },
            // "HTTP 503" needs no introduction.
            ProviderErrorKind::Status if !words.is_empty() => match self.detail.as_deref() {
                Some(ErrorDetail::Clock(problem)) => format!("{}: {problem}", words.join(" ")),
                _ => words.join(" "),
            },
            kind if words.is_empty() => kind.to_string(),
            kind => format!("{kind} ({})", words.join(" ")),
        }
    }
}

/// Nobody's failure: what is wrong with the credentials is the operator's to mend, and a service that hands them out may be back
/// in a moment.
impl From<CredentialsError> for ProviderError {
    #[cold]
    fn from(error: CredentialsError) -> Self {
        let class = if error.is_temporary() { FailureClass::LocalResource } else { FailureClass::Auth };
        Self {
            class,
            error_code: Some(error.code().to_owned()),
            detail: Some(Box::new(ErrorDetail::Credentials(error))),
            ..Self::provider_failure(ProviderErrorKind::Credentials)
        }
    }
}

impl From<ClientError> for ProviderError {
    #[cold]
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotConnected { cause, detail } => Self {
                error_code: Some(cause.code().to_owned()),
                detail: Some(Box::new(ErrorDetail::Connect(ConnectDetail(detail)))),
                ..Self::provider_failure(ProviderErrorKind::Connection(cause))
            },
            ClientError::Local(resource) => Self {
                class: FailureClass::LocalResource,
                ..Self::provider_failure(ProviderErrorKind::LocalResource(resource))
            },
            ClientError::Interrupted => Self::provider_failure(ProviderErrorKind::Truncated),
        }
    }
}

impl fmt::Display for ProviderErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(cause) => write!(f, "could not connect to the provider ({cause})"),
            Self::LocalResource(resource) => write!(f, "this machine is out of {resource}"),
            Self::Credentials => f.write_str("there are no AWS credentials"),
            Self::Timeout(timeout) => write!(f, "the provider took longer than timeouts.{timeout}"),
            Self::Status => f.write_str("the provider returned an error"),
            Self::ErrorInBody => f.write_str("the provider returned an error inside a 200"),
            Self::Invalid => f.write_str("the provider's response does not match its API"),
            Self::TooLarge(limit) => write!(f, "the provider sent more than {limit} bytes in one piece"),
            Self::Truncated => f.write_str("the provider's response ended early"),
            Self::UnsupportedEndpoint => f.write_str("the provider does not support this endpoint"),
        }
    }
}

/// The name of the setting.
impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstByte => "first_byte",
            Self::FirstToken => "first_token",
            Self::Idle => "idle",
            Self::Response => "response",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ProviderError, ProviderErrorKind, TimeoutKind};

    #[test]
    fn an_error_is_described_in_one_line() {
        let mut error = ProviderError::provider_failure(ProviderErrorKind::Timeout(TimeoutKind::FirstToken));
        assert_eq!(error.to_string(), "the provider took longer than timeouts.first_token");
        error.kind = ProviderErrorKind::Status;
        error.status = Some(529);
        error.error_type = Some("overloaded_error".to_owned());
        assert_eq!(error.to_string(), "HTTP 529 overloaded_error");
        error.kind = ProviderErrorKind::ErrorInBody;
        error.error_code = Some("busy".to_owned());
        assert_eq!(
            error.to_string(),
            "the provider returned an error inside a 200 (HTTP 529 overloaded_error busy)"
        );
    }
}
