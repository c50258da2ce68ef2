//! Errors of the gateway's own, in the shape that the path's SDK raises.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use dialects::{Dialect, Endpoint, error::gateway_error};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use manager::CallError;

use crate::{headers, shutdown::STOPPING_CODE};

/// Anthropic's SDKs ignore a `retry-after` above this and come back on their own after seconds, OpenAI's at twice
/// this: a longer one goes with `x-should-retry: false`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// An error of the gateway's own.
#[derive(Debug, Clone)]
pub(crate) struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// Whether the client's SDK is told to add no retries of its own.
    sdk_must_not_retry: bool,
    /// Whether the connection ends with it.
    close_connection: bool,
}

impl Error {
    /// An error that no retry mends.
    pub(crate) const fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        Self { status, code, message, retry_after: None, sdk_must_not_retry: false, close_connection: false }
    }

    /// The gateway is stopping; another one, or the next, will take the call, on a connection of its own.
    pub(crate) fn shutting_down(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, STOPPING_CODE, message.to_owned())
            .with_retry_after(Duration::from_secs(1))
            .with_connection_close()
    }

    /// What the request says cannot be meant.
    pub(crate) const fn invalid_request(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The same, and when to come back.
    pub(crate) const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same, and the connection ends with it.
    pub(crate) const fn with_connection_close(mut self) -> Self {
        self.close_connection = true;
        self
    }

    /// The response, in the dialect's shape.
    pub(crate) fn respond(&self, dialect: Dialect, request_id: &HeaderValue) -> Response {
        let id = request_id.to_str().unwrap_or_default();
        let body = gateway_error(dialect, self.status.as_u16(), self.code, &self.message, id);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(headers::ERROR, HeaderValue::from_static(self.code));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ceil_seconds(wait)));
        }
        if self.close_connection {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.sdk_must_not_retry {
            headers.insert(headers::SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        response
    }
}

/// An error on a path that belongs to no SDK. Its shape is OpenAI's.
#[derive(Debug)]
pub(crate) struct ApiError(Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.respond(Dialect::OpenAiChat, &HeaderValue::from_static(""))
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let retry_after = error.retry_in();
        let until_closed_manually = matches!(error, CallError::CircuitOpen { .. }) && retry_after.is_none();
        Self {
            status: StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY),
            code: error.code(),
            message: error.to_string(),
            retry_after,
            sdk_must_not_retry: error.retries_exhausted()
                || until_closed_manually
                || retry_after.is_some_and(|wait| wait > MAX_RETRY_AFTER),
            close_connection: false,
        }
    }
}

/// Whole seconds, rounded up, at least 1: a client that comes back too early is refused again.
fn ceil_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The dialect in which a path's SDK expects its errors.
pub(crate) fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    let anthropic = path
        .strip_prefix(Endpoint::Messages.path())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || headers.contains_key(headers::ANTHROPIC_VERSION);
    if anthropic { Dialect::Anthropic } else { Dialect::OpenAiChat }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (4_200, 5)] {
            assert_eq!(ceil_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }

    #[test]
    fn errors_take_the_shape_of_the_path() {
        let mut anthropic = HeaderMap::new();
        anthropic.insert(headers::ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
        let table = [
            ("/v1/messages", HeaderMap::new(), Dialect::Anthropic),
            ("/v1/messages/count_tokens", HeaderMap::new(), Dialect::Anthropic),
            ("/v1/messagesx", HeaderMap::new(), Dialect::OpenAiChat),
            ("/v1/models", anthropic, Dialect::Anthropic),
            ("/v1/models", HeaderMap::new(), Dialect::OpenAiChat),
            ("/nowhere", HeaderMap::new(), Dialect::OpenAiChat),
        ];
        for (path, headers, expected) in table {
            assert_eq!(dialect_of(path, &headers), expected, "{path}");
        }
    }
}
