//! What a provider's error means.
//!
//! This is shared by all formats. Proxies, and servers that implement another provider's API, send errors of many
//! shapes, so this reads a document tree and uses the fields that it finds. No successful call comes through here.

mod category;
mod text;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

pub use category::ErrorCategory;
use text::ErrorText;

/// A provider's error without its message, which may quote a prompt (C5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// For instance `overloaded_error`.
    pub error_type: Option<String>,
    /// For instance `insufficient_quota`.
    pub error_code: Option<String>,
    /// The HTTP status of the response or, inside a 200, the status that the error names or implies.
    pub status: Option<u16>,
    /// What its words mean.
    pub category: ErrorCategory,
    /// How long to wait, where the body says it: Google's `RetryInfo`. Others say it in headers.
    pub retry_after: Option<Duration>,
}

impl ErrorBody {
    /// Reads the body of a response with `status` to a request for `model`. This succeeds with any body; of a page of
    /// HTML only the status remains.
    #[must_use]
    pub fn from_body(status: u16, model: &str, body: &[u8]) -> Self {
        Self::from_json(Some(status), Some(model), &serde_json::from_slice(body).unwrap_or_default())
    }

    /// Reads an error inside a 200, in the same way.
    #[must_use]
    pub fn from_ok_body(body: &[u8]) -> Self {
        Self::from_json(None, None, &serde_json::from_slice(body).unwrap_or_default())
    }

    /// An error with `status` of which only type and code are known.
    #[must_use]
    pub fn from_codes(status: u16, error_type: Option<&str>, error_code: Option<&str>) -> Self {
        Self::from_json(Some(status), None, &json!({ "type": error_type, "code": error_code }))
    }

    pub(crate) fn from_json(status: Option<u16>, model: Option<&str>, body: &Value) -> Self {
        let error = error_object(body);
        let number = identifier(&error["code"]);
        let reason = detail(error, "reason").and_then(identifier);
        let error_code =
            reason.or_else(|| number.clone()).or_else(|| identifier(&error["details"]["error_code"]));
        let error_type = error_type(error);
        let implied = || {
            [&number, &error_code, &error_type].into_iter().flatten().find_map(|name| implied_status(name))
        };
        let status = status.or_else(implied);
        let text = ErrorText {
            status,
            identifiers: [error_type.as_deref(), error_code.as_deref()],
            message: message(body).unwrap_or_default().to_ascii_lowercase(),
            model: model.map(str::to_ascii_lowercase),
            flagged: error["metadata"].get("flagged_input").is_some(),
            daily_quota: has_daily_quota(error),
        };
        let category = text.category();
        Self { error_type, error_code, status, category, retry_after: retry_delay(error) }
    }
}

/// The object with type, code and message. vLLM and others put at the top level what OpenAI puts into `error`; a stream of
/// OpenAI Responses may have it in a `response`; Google's compatible endpoints put all of it into a list.
pub(crate) fn error_object(body: &Value) -> &Value {
    let body = body.get(0).unwrap_or(body);
    [&body["error"], &body["response"]["error"]].into_iter().find(|error| error.is_object()).unwrap_or(body)
}

/// The provider's words.
pub(crate) fn message(body: &Value) -> Option<Cow<'_, str>> {
    let error = error_object(body);
    let words = [&error["message"], &body["message"], &body["error"], &body["detail"]];
    let text = words.into_iter().filter_map(Value::as_str).find(|words| !words.is_empty()).map(Cow::Borrowed);
    // FastAPI: a list of what is wrong with the request.
    text.or_else(|| body["detail"].is_array().then(|| body["detail"].to_string().into()))
}

/// Google's word is its `status`.
fn error_type(error: &Value) -> Option<String> {
    match &error["type"] {
        // The type of the event, not of the error.
        Value::String(event) if event == "error" => None,
        error_type => identifier(error_type).or_else(|| identifier(&error["status"])),
    }
}

/// A field of Google's details, from the first that has it.
fn detail<'a>(error: &'a Value, name: &str) -> Option<&'a Value> {
    error["details"].as_array()?.iter().find_map(|detail| detail.get(name))
}

/// `retryDelay` is written `"33.5s"`.
fn retry_delay(error: &Value) -> Option<Duration> {
    let seconds = detail(error, "retryDelay")?.as_str()?.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|delay| !delay.is_zero())
}

fn has_daily_quota(error: &Value) -> bool {
    detail(error, "violations").and_then(Value::as_array).is_some_and(|violations| {
        violations
            .iter()
            .any(|violation| violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay")))
    })
}

/// Types and codes are short names. Anything else in their place may be prose and is dropped.
fn identifier(value: &Value) -> Option<String> {
    const MAX_IDENTIFIER_LEN: usize = 64;
    let name = match value {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let fits = (1..=MAX_IDENTIFIER_LEN).contains(&name.len());
    (fits && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))).then_some(name)
}

/// The status that a type or code of an error inside a 200 names (OpenRouter, Google: a number as its code) or implies.
fn implied_status(name: &str) -> Option<u16> {
    match name {
        "invalid_request_error"
        | "context_length_exceeded"
        | "invalid_prompt"
        | "content_filter"
        | "content_policy_violation"
        | "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION" => Some(400),
        "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => Some(401),
        "billing_error" => Some(402),
        "permission_error" | "PERMISSION_DENIED" => Some(403),
        "not_found_error" | "model_not_found" | "NOT_FOUND" => Some(404),
        "request_too_large" => Some(413),
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "insufficient_quota"
        | "slow_down"
        | "RESOURCE_EXHAUSTED" => Some(429),
        "api_error" | "server_error" | "internal_error" | "INTERNAL" => Some(500),
        "server_is_overloaded" | "UNAVAILABLE" => Some(503),
        "timeout_error" | "DEADLINE_EXCEEDED" => Some(504),
        "overloaded_error" => Some(529),
        number => number.parse().ok().filter(|status| (400..600).contains(status)),
    }
}

#[cfg(test)]
mod tests;
