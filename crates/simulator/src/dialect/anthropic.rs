//! Anthropic's Messages.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::provider_error::Reason;
use crate::response_spec::{ResponseSpec, request_id, to_json};

/// `message_start`, `content_block_start`, `ping`.
pub(super) const PREAMBLE: usize = 3;

const MODELS: [&str; 2] = ["claude-opus-4-5", "claude-sonnet-4-5-20250929"];

#[derive(Serialize)]
struct TextDelta<'a> {
    r#type: &'static str,
    index: u8,
    delta: Text<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

fn message(
    spec: &ResponseSpec<'_>,
    content: &Value,
    stop_reason: Option<&str>,
    output_tokens: usize,
) -> Value {
    json!({
        "id": format!("msg_simulated_{}", spec.number),
        "type": "message",
        "role": "assistant",
        "model": spec.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": spec.prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        },
    })
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    let content = json!([{"type": "text", "text": spec.text()}]);
    message(spec, &content, Some("end_turn"), spec.words).to_string().into()
}

pub(super) fn events(spec: &ResponseSpec<'_>) -> Vec<Bytes> {
    let start = json!({"type": "message_start", "message": message(spec, &json!([]), None, 1)});
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let finish = json!({
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": spec.words},
    });
    let mut events = Vec::with_capacity(spec.words + 6);
    events.push(event("message_start", &start.to_string()));
    events.push(event("content_block_start", block));
    events.push(event("ping", r#"{"type":"ping"}"#));
    events.extend(spec.text_words().map(|word| event("content_block_delta", &text_delta(&word))));
    events.push(event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#));
    events.push(event("message_delta", &finish.to_string()));
    events.push(event("message_stop", r#"{"type":"message_stop"}"#));
    events
}

fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

fn text_delta(word: &str) -> String {
    to_json(&TextDelta {
        r#type: "content_block_delta",
        index: 0,
        delta: Text { r#type: "text_delta", text: word },
    })
}

pub(super) fn error(
    reason: Reason,
    model: &str,
    number: u64,
    custom_message: Option<String>,
) -> (StatusCode, Value) {
    let (status, kind, message) = describe(reason, model);
    let mut error = json!({"type": kind, "message": custom_message.unwrap_or(message)});
    if reason == Reason::SpendLimit {
        error["details"] = json!({"error_code": "enforced_spend_limit_reached"});
    }
    (status, json!({"type": "error", "error": error, "request_id": request_id(number)}))
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
