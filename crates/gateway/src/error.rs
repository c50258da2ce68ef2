//! The gateway's own errors, in the shape that the SDK of the path raises.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use breaker::ModelKey;
use dialects::{Dialect, Endpoint, error::gateway_error};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use manager::{CallError, StoredResponseError};

use crate::{
    client_backoff::ClientBackoff,
    headers,
    refused_requests::Refusal,
    shutdown::{SHUTTING_DOWN_CODE, SHUTTING_DOWN_MESSAGE},
};

/// Anthropic's SDKs ignore a `retry-after` above this and retry after seconds, OpenAI's do so above twice this: a longer
/// one goes with `x-should-retry: false`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// One of the gateway's own errors.
#[derive(Debug, Clone)]
pub(crate) struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// Sends `x-should-retry: false`: coming again cannot help (C9).
    sdk_must_not_retry: bool,
    /// Closes the connection after the response.
    close_connection: bool,
    /// A call's record has it: it is no refusal.
    is_recorded: bool,
}

impl Error {
    /// An error that a retry does not fix.
    #[cold]
    pub(crate) const fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        Self {
            status,
            code,
            message,
            retry_after: None,
            sdk_must_not_retry: false,
            close_connection: false,
            is_recorded: false,
        }
    }

    /// The gateway is shutting down. The connection closes, so that the retry reaches another instance.
    #[cold]
    pub(crate) fn shutting_down() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, SHUTTING_DOWN_CODE, SHUTTING_DOWN_MESSAGE.to_owned())
            .with_retry_after(Duration::from_secs(1))
            .with_connection_close()
    }

    /// This process lacks what the request needs, for the moment (C8).
    #[cold]
    pub(crate) fn overloaded(message: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
            .with_retry_after(Duration::from_secs(1))
            .with_connection_close()
    }

    /// The request is malformed.
    #[cold]
    pub(crate) const fn invalid_request(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// No circuit has this key.
    pub(crate) fn circuit_not_found(key: &ModelKey) -> Self {
        let message = format!("no such circuit: {key}; GET /circuits lists all circuits");
        Self::new(StatusCode::NOT_FOUND, "circuit_not_found", message)
    }

    /// The same error, with `retry-after`.
    pub(crate) const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same error, telling the SDK that coming again cannot help.
    pub(crate) const fn without_retry(mut self) -> Self {
        self.sdk_must_not_retry = true;
        self
    }

    /// The same error, closing the connection.
    pub(crate) const fn with_connection_close(mut self) -> Self {
        self.close_connection = true;
        self
    }

    /// The response, in the shape of this API format.
    #[cold]
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
        if !self.is_recorded {
            response.extensions_mut().insert(Refusal(self.code));
        }
        response
    }
}

/// An error on a path that no SDK calls. Its shape is OpenAI's.
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

impl From<StoredResponseError> for Error {
    fn from(error: StoredResponseError) -> Self {
        let (status, code) = match &error {
            StoredResponseError::NotFound => (StatusCode::NOT_FOUND, "response_not_found"),
            StoredResponseError::ProviderAuth { status, .. } => {
                (StatusCode::from_u16(*status).unwrap_or(StatusCode::UNAUTHORIZED), "provider_auth")
            }
            StoredResponseError::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            StoredResponseError::Provider { .. } => (StatusCode::BAD_GATEWAY, "attempts_exhausted"),
        };
        let retry_after =
            matches!(error, StoredResponseError::Overloaded(_)).then_some(Duration::from_secs(1));
        let sdk_must_not_retry = matches!(error, StoredResponseError::ProviderAuth { .. });
        Self { retry_after, sdk_must_not_retry, ..Self::new(status, code, error.to_string()) }
    }
}

impl Error {
    /// Why a call got no response, for a client with this backoff.
    #[cold]
    pub(crate) fn of_call(error: &CallError, backoff: ClientBackoff) -> Self {
        let backoff = error.outage().map(|outage| backoff.at_least(outage));
        let retry_after = error.retry_in().map(|wait| wait.max(backoff.unwrap_or_default()));
        Self {
            status: StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY),
            code: error.code(),
            message: error.caller_message(),
            retry_after,
            sdk_must_not_retry: error.is_permanent()
                || retry_after.is_some_and(|wait| wait > MAX_RETRY_AFTER),
            close_connection: false,
            is_recorded: true,
        }
    }
}

impl From<CallError> for Error {
    /// The same for a client that repeats nothing by itself.
    fn from(error: CallError) -> Self {
        Self::of_call(&error, ClientBackoff::None)
    }
}

/// Whole seconds, rounded up, at least 1: a client that retries too early is rejected again.
fn ceil_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Google's methods stand in the path, whatever is before them.
pub(crate) fn is_gemini_call(path: &str) -> bool {
    [":generateContent", ":streamGenerateContent", ":countTokens"].iter().any(|method| path.ends_with(method))
}

/// The API format in which the SDK of a path expects errors.
pub(crate) fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    let is_at = |endpoint: Endpoint| {
        let rest = path.strip_prefix(endpoint.path());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if is_gemini_call(path) {
        Dialect::Gemini
    } else if is_at(Endpoint::Messages) || headers.contains_key(headers::ANTHROPIC_VERSION) {
        Dialect::Anthropic
    } else if path.starts_with("/v1beta/") || headers.contains_key(headers::GOOGLE_API_KEY) {
        Dialect::Gemini
    } else if is_at(Endpoint::Responses) {
        Dialect::OpenAiResponses
    } else {
        Dialect::OpenAiChat
    }
}

#[cfg(test)]
mod never_worse;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_whole_seconds_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (4_200, 5)] {
            assert_eq!(ceil_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }

    #[test]
    fn errors_take_the_shape_of_the_path() {
        let mut anthropic = HeaderMap::new();
        anthropic.insert(headers::ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
        let mut google = HeaderMap::new();
        google.insert(headers::GOOGLE_API_KEY, HeaderValue::from_static("k"));
        let table = [
            ("/v1/messages", HeaderMap::new(), Dialect::Anthropic),
            ("/v1/messages/count_tokens", HeaderMap::new(), Dialect::Anthropic),
            ("/v1/messagesx", HeaderMap::new(), Dialect::OpenAiChat),
            ("/v1/models", anthropic, Dialect::Anthropic),
            ("/v1/models", HeaderMap::new(), Dialect::OpenAiChat),
            ("/v1/responses/resp_1", HeaderMap::new(), Dialect::OpenAiResponses),
            ("/v1beta/models", HeaderMap::new(), Dialect::Gemini),
            ("/v1/models", google, Dialect::Gemini),
            ("/v1/models/m:generateContent", HeaderMap::new(), Dialect::Gemini),
            ("/models/m:streamGenerateContent", HeaderMap::new(), Dialect::Gemini),
            ("/prefix/v1/models/a/b:countTokens", HeaderMap::new(), Dialect::Gemini),
            ("/v1/models/m:predict", HeaderMap::new(), Dialect::OpenAiChat),
            ("/nowhere", HeaderMap::new(), Dialect::OpenAiChat),
        ];
        for (path, headers, expected) in table {
            assert_eq!(dialect_of(path, &headers), expected, "{path}");
        }
    }
}
