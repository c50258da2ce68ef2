//! What a provider's error means.
//!
//! This is shared by all formats. Proxies, and servers that implement another provider's API, send errors of many
//! shapes, so this reads a document tree and uses the fields that it finds. No successful call comes through here.

mod aws;
mod category;
mod rule;
mod text;
mod vendors;
mod waits;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use aws::is_exception_name;
pub use category::ErrorCategory;
use text::{ErrorText, words_of};
pub use vendors::{Wording, wordings};

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
    /// How long to wait, where the body says it: Google's `RetryInfo`, or the words of a 429.
    pub retry_after: Option<Duration>,
    /// Until when to wait, in Unix milliseconds, where the body says that: OpenRouter's copy of its headers.
    pub resets_at_ms: Option<u64>,
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
        let number = identifier(&error["code"])
            .or_else(|| identifier(&error["status_code"]))
            .or_else(|| identifier(&error["error_code"]));
        let reason = detail(error, "reason").and_then(identifier);
        let inner = identifier(&error["innererror"]["code"]).or_else(|| identifier(&error["reason"]));
        let error_code = reason
            .or_else(|| number.clone())
            .or_else(|| identifier(&error["details"]["error_code"]))
            .or_else(|| identifier(&body["code"]));
        let named = aws::exception(body).map(|(name, _)| name).or_else(|| aws::type_in_body(body));
        let error_type = error_type(error).or_else(|| identifier(&named?.into()));
        let names = [&number, &error_code, &error_type];
        let implied = || names.into_iter().flatten().find_map(|name| implied_status(name));
        let status = status.or_else(implied);
        let message = message(body).unwrap_or_default();
        let text = ErrorText {
            status,
            identifiers: names.into_iter().chain([&inner]).flatten().map(String::as_str).collect(),
            message: words_of(&words_alone(body).unwrap_or(message)),
            model: model.map(str::to_lowercase),
            flagged: error["metadata"].get("flagged_input").is_some(),
            daily_quota: has_daily_quota(error),
        };
        let category = match vendors::category_of(&text) {
            ErrorCategory::Other => upstream_category(error, status).unwrap_or(ErrorCategory::Other),
            category => category,
        };
        let retry_after = retry_delay(error)
            .or_else(|| (status == Some(429)).then(|| waits::delay_in_words(&text.message)).flatten());
        Self {
            retry_after,
            resets_at_ms: waits::reset_in_headers(&error["metadata"]["headers"]),
            status: status.or(category.implied_status()),
            category,
            error_type,
            error_code,
        }
    }
}

/// What is wrong with a request, without what it is about: FastAPI's list of errors quotes the request.
fn words_alone(body: &Value) -> Option<Cow<'_, str>> {
    let errors = body["detail"].as_array()?;
    let words: Vec<_> = errors.iter().filter_map(|error| error["msg"].as_str()).collect();
    Some(words.join("; ").into())
}

/// What a router's upstream said, where the router only says that something was returned. Of its words only those about the
/// request count: the upstream's keys and credit are not those that the router was called with.
fn upstream_category(error: &Value, status: Option<u16>) -> Option<ErrorCategory> {
    let raw = error["metadata"]["raw"].as_str()?;
    let upstream: Value = serde_json::from_str(raw).ok()?;
    let said = ErrorBody::from_json(status, None, &upstream).category;
    said.is_about_request().then_some(said)
}

/// Whether an object without an answer is an error. Each vendor has its own way to say it.
pub(crate) fn is_error(body: &Value) -> bool {
    let body = body.get(0).unwrap_or(body);
    let text = |field: &str| body[field].as_str().is_some_and(|text| !text.is_empty());
    let labelled = ["object", "type"].iter().any(|field| body[*field] == "error");
    let code = match &body["code"] {
        Value::String(code) => !matches!(&*code.to_ascii_lowercase(), "" | "0" | "200" | "ok" | "success"),
        Value::Number(code) => !matches!(code.as_i64(), Some(0 | 200)),
        _ => false,
    };
    let status = body["status"].as_u64().is_some_and(|status| status >= 400);
    let alone = body.as_object().is_some_and(|fields| fields.len() == 1);
    says_something(&body["error"])
        || labelled
        || base_response(body).is_some()
        || text("detail") && (alone || status)
        || aws::exception(body).is_some()
        || text("message")
            && (code || status || names_an_error(&body["type"]) || names_an_error(&body["__type"]))
}

/// A type that is an error's, and not that of some event.
fn names_an_error(error_type: &Value) -> bool {
    error_type
        .as_str()
        .is_some_and(|name| name.to_ascii_lowercase().contains("error") || name.ends_with("Exception"))
}

/// Whether an `error` field is an error. Beside good answers stand `null`, `false`, `{}`, and objects whose fields are empty.
pub(crate) fn says_something(error: &Value) -> bool {
    match error {
        Value::Null => false,
        Value::Bool(is_error) => *is_error,
        Value::Number(code) => code.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => fields.values().any(says_something),
    }
}

/// MiniMax's own way to say an error, in every answer: a code of 0 is none.
fn base_response(body: &Value) -> Option<&Value> {
    let base = &body["base_resp"];
    base["status_code"].as_i64().is_some_and(|code| code != 0).then_some(base)
}

/// The way of Cloudflare and watsonx (a list) and of ModelScope (an object), with no message beside it.
fn first_of_errors(body: &Value) -> Option<&Value> {
    let has_message = ["message", "error", "detail"].iter().any(|field| says_something(&body[*field]));
    let errors = &body["errors"];
    let first = errors.get(0).unwrap_or(errors);
    (!has_message && first.is_object()).then_some(first)
}

/// The object with type, code and message. vLLM and others put at the top level what OpenAI puts into `error`; a stream of
/// OpenAI Responses may have it in a `response`; Google's compatible endpoints put all of it into a list.
pub(crate) fn error_object(body: &Value) -> &Value {
    let body = body.get(0).unwrap_or(body);
    let objects = [&body["error"], &body["response"]["error"], &body["detail"]];
    let found = objects.into_iter().find(|error| error.is_object() && says_something(error));
    let exception = || aws::exception(body).map(|(_, error)| error);
    found.or_else(|| base_response(body)).or_else(|| first_of_errors(body)).or_else(exception).unwrap_or(body)
}

/// The provider's words.
pub(crate) fn message(body: &Value) -> Option<Cow<'_, str>> {
    let error = error_object(body);
    let words = [
        &error["message"],
        &error["Message"],
        &error["status_msg"],
        &error["error"],
        &body["message"],
        &body["error"],
        &body["detail"],
    ];
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
        other => {
            let number = || other.parse().ok().filter(|status| (400..600).contains(status));
            aws::status_of(other).or_else(number)
        }
    }
}

#[cfg(test)]
mod tests;
