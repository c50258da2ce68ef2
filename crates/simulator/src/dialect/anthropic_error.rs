//! The errors, the models and the rate limits of Anthropic's API.

use std::time::Duration;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error_spec::ErrorSpec;
use crate::provider_error::Reason;
use crate::response_spec::request_id;

const MODELS: [&str; 2] = ["claude-opus-4-5", "claude-sonnet-4-5-20250929"];

pub(super) fn error(spec: ErrorSpec<'_>) -> (StatusCode, Value) {
    let (status, kind, message) = describe(spec.reason, spec.model);
    let mut error = json!({"type": kind, "message": spec.custom_message.unwrap_or(message)});
    if spec.reason == Reason::SpendLimit {
        error["details"] = json!({"error_code": "enforced_spend_limit_reached"});
    }
    (status, json!({"type": "error", "error": error, "request_id": request_id(spec.number)}))
}

fn describe(reason: Reason, model: &str) -> (StatusCode, &'static str, String) {
    const INVALID: &str = "invalid_request_error";
    match reason {
        Reason::ContextTooLong => {
            (StatusCode::BAD_REQUEST, INVALID, "prompt is too long: 250000 tokens > 200000 maximum".into())
        }
        Reason::ContentPolicy => {
            (StatusCode::BAD_REQUEST, INVALID, "Output blocked by content filtering policy".into())
        }
        Reason::InsufficientQuota => {
            (StatusCode::PAYMENT_REQUIRED, "billing_error", "The account has no credit left".into())
        }
        Reason::SpendLimit => {
            (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "The account's spend limit is reached".into())
        }
        Reason::Overloaded => {
            let status = StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            (status, "overloaded_error", "Overloaded".into())
        }
        Reason::WrongKey => (StatusCode::UNAUTHORIZED, "authentication_error", "invalid x-api-key".into()),
        Reason::KeyForbidden => (
            StatusCode::FORBIDDEN,
            "permission_error",
            "This API key is not allowed to use the model.".into(),
        ),
        Reason::RequestTooLarge => (
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_error",
            format!("Request too large for {model} on tokens per min (TPM): Limit 30000, Requested 30601."),
        ),
        Reason::ForeignReasoning => {
            (StatusCode::BAD_REQUEST, INVALID, "Invalid `signature` in `thinking` block".into())
        }
        // Nothing is stored behind this API.
        Reason::UnknownPreviousResponse | Reason::NotStored => {
            (StatusCode::NOT_FOUND, "not_found_error", "Not found".into())
        }
        Reason::Status(StatusCode::NOT_FOUND) => {
            (StatusCode::NOT_FOUND, "not_found_error", format!("model: {model}"))
        }
        Reason::Status(status) => (status, kind(status), format!("Simulated error {status}")),
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

pub(super) fn models(scripted: Vec<String>) -> Value {
    let data: Vec<Value> = MODELS
        .into_iter()
        .map(str::to_owned)
        .chain(scripted)
        .map(
            |id| json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-09-29T00:00:00Z"}),
        )
        .collect();
    let id_of = |model: Option<&Value>| model.map(|model| model["id"].clone());
    json!({"first_id": id_of(data.first()), "last_id": id_of(data.last()), "has_more": false, "data": data})
}

pub(super) fn rate_limit(wait: Duration) -> Vec<(&'static str, String)> {
    vec![
        ("anthropic-ratelimit-requests-limit", "50".into()),
        ("anthropic-ratelimit-requests-remaining", "0".into()),
        ("anthropic-ratelimit-requests-reset", reset_time(wait)),
        ("anthropic-ratelimit-tokens-limit", "30000".into()),
        ("anthropic-ratelimit-tokens-remaining", "20000".into()),
        ("anthropic-ratelimit-tokens-reset", reset_time(wait * 10)),
    ]
}

/// Anthropic writes the time of the reset, in RFC 3339.
fn reset_time(wait: Duration) -> String {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX).to_string()
}
