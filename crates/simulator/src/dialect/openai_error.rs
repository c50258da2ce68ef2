//! The errors, the models and the rate limits of both of OpenAI's APIs.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::error_spec::ErrorSpec;
use crate::provider_error::Reason;

const MODELS: [&str; 2] = ["gpt-5", "gpt-5-mini"];

/// `prompt_param` is the name of the field with the prompt.
pub(super) fn error(spec: ErrorSpec<'_>, prompt_param: &str) -> (StatusCode, Value) {
    let (status, kind, code) = kind_and_code(spec.reason);
    let param = match spec.reason {
        Reason::ContextTooLong => Some(prompt_param),
        Reason::Status(StatusCode::NOT_FOUND) => Some("model"),
        Reason::UnknownPreviousResponse => Some("previous_response_id"),
        _ => None,
    };
    let message = spec.custom_message.unwrap_or_else(|| message(spec.reason, spec.model));
    (status, json!({"error": {"message": message, "type": kind, "param": param, "code": code}}))
}

fn kind_and_code(reason: Reason) -> (StatusCode, &'static str, Option<&'static str>) {
    const INVALID: &str = "invalid_request_error";
    match reason {
        Reason::ContextTooLong => (StatusCode::BAD_REQUEST, INVALID, Some("context_length_exceeded")),
        Reason::ContentPolicy => (StatusCode::BAD_REQUEST, INVALID, Some("content_filter")),
        Reason::InsufficientQuota => {
            (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", Some("insufficient_quota"))
        }
        Reason::SpendLimit => {
            (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", Some("billing_hard_limit_reached"))
        }
        Reason::Overloaded => {
            (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable_error", Some("server_is_overloaded"))
        }
        Reason::WrongKey => (StatusCode::UNAUTHORIZED, INVALID, Some("invalid_api_key")),
        Reason::KeyForbidden => (StatusCode::FORBIDDEN, INVALID, None),
        Reason::RequestTooLarge => (StatusCode::TOO_MANY_REQUESTS, "tokens", Some("rate_limit_exceeded")),
        Reason::ForeignReasoning => (StatusCode::BAD_REQUEST, INVALID, Some("invalid_encrypted_content")),
        Reason::UnknownPreviousResponse => {
            (StatusCode::BAD_REQUEST, INVALID, Some("previous_response_not_found"))
        }
        Reason::NotStored => (StatusCode::NOT_FOUND, INVALID, None),
        Reason::Status(status) => match status {
            StatusCode::UNAUTHORIZED => (status, INVALID, Some("invalid_api_key")),
            StatusCode::NOT_FOUND => (status, INVALID, Some("model_not_found")),
            StatusCode::TOO_MANY_REQUESTS => (status, "requests", Some("rate_limit_exceeded")),
            status if status.is_server_error() => (status, "server_error", None),
            status => (status, INVALID, None),
        },
    }
}

fn message(reason: Reason, model: &str) -> String {
    match reason {
        Reason::ContextTooLong => "The messages are longer than the model's context.".into(),
        Reason::ContentPolicy => "The content was refused by the content filter.".into(),
        Reason::InsufficientQuota => "The account has no credit left.".into(),
        Reason::SpendLimit => "The account's spend limit is reached.".into(),
        Reason::Overloaded => "The server has too much to do.".into(),
        Reason::ForeignReasoning => "The encrypted content could not be verified.".into(),
        Reason::UnknownPreviousResponse => "The previous response was not found.".into(),
        Reason::KeyForbidden => "This API key is not allowed to use the model.".into(),
        Reason::RequestTooLarge => {
            format!("Request too large for {model} on tokens per min (TPM): Limit 30000, Requested 30601.")
        }
        Reason::NotStored => "The item was not found.".into(),
        Reason::WrongKey | Reason::Status(StatusCode::UNAUTHORIZED) => "The API key is not right.".into(),
        Reason::Status(StatusCode::NOT_FOUND) => format!("The model `{model}` does not exist."),
        Reason::Status(StatusCode::TOO_MANY_REQUESTS) => format!("Rate limit reached for {model}."),
        Reason::Status(status) => format!("Simulated error {status}."),
    }
}

pub(super) fn models(scripted: Vec<String>) -> Value {
    let data: Vec<Value> = MODELS
        .into_iter()
        .map(str::to_owned)
        .chain(scripted)
        .map(|id| json!({"id": id, "object": "model", "created": 1_754_000_000, "owned_by": "simulator"}))
        .collect();
    json!({"object": "list", "data": data})
}

pub(super) fn rate_limit(wait: Duration) -> Vec<(&'static str, String)> {
    vec![
        ("x-ratelimit-limit-requests", "500".into()),
        ("x-ratelimit-remaining-requests", "0".into()),
        ("x-ratelimit-reset-requests", reset_after(wait)),
        ("x-ratelimit-limit-tokens", "200000".into()),
        ("x-ratelimit-remaining-tokens", "150000".into()),
        ("x-ratelimit-reset-tokens", reset_after(wait * 10)),
    ]
}

/// OpenAI writes "12ms" and "6s".
fn reset_after(wait: Duration) -> String {
    if wait.subsec_nanos() == 0 { format!("{}s", wait.as_secs()) } else { format!("{}ms", wait.as_millis()) }
}
