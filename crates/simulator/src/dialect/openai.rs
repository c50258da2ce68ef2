//! OpenAI's Chat Completions.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::provider_error::Reason;
use crate::response_spec::{ResponseSpec, to_json};

const MODELS: [&str; 2] = ["gpt-5", "gpt-5-mini"];

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// With `include_usage` every chunk has the field, null in all but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are OpenAI's")]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
}

fn id(spec: &ResponseSpec<'_>) -> String {
    format!("chatcmpl-simulated-{}", spec.number)
}

fn usage(spec: &ResponseSpec<'_>) -> Usage {
    let words_of_all = spec.words * usize::from(spec.choices);
    Usage {
        prompt_tokens: spec.prompt_tokens,
        completion_tokens: words_of_all,
        total_tokens: spec.prompt_tokens + words_of_all,
    }
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    let choices = (0..spec.choices).map(|index| {
        json!({
            "index": index,
            "message": {"role": "assistant", "content": spec.text(), "refusal": null, "annotations": []},
            "logprobs": null,
            "finish_reason": "stop",
        })
    });
    json!({
        "id": id(spec),
        "object": "chat.completion",
        "created": spec.created,
        "model": spec.model,
        "choices": choices.collect::<Vec<_>>(),
        "usage": usage(spec),
        "service_tier": "default",
    })
    .to_string()
    .into()
}

pub(super) fn events(spec: &ResponseSpec<'_>) -> Vec<Bytes> {
    let id = id(spec);
    let chunk = |choices: &[Choice<'_>], usage: Option<Usage>| {
        let chunk = Chunk {
            id: &id,
            object: "chat.completion.chunk",
            created: spec.created,
            model: spec.model,
            choices,
            usage: spec.include_usage.then_some(usage),
        };
        Bytes::from(format!("data: {}\n\n", to_json(&chunk)))
    };
    let delta = |index: u8, delta: Delta<'_>, finish_reason: Option<&'static str>| {
        chunk(&[Choice { index, delta, logprobs: None, finish_reason }], None)
    };
    let choices = 0..spec.choices;
    let mut events = Vec::with_capacity((spec.words + 2) * choices.len() + 2);
    for index in choices.clone() {
        events.push(delta(index, Delta { role: Some("assistant"), content: Some("") }, None));
    }
    for word in spec.text_words() {
        let word_of = |index| delta(index, Delta { role: None, content: Some(&word) }, None);
        events.extend(choices.clone().map(word_of));
    }
    events.extend(choices.map(|index| delta(index, Delta::default(), Some("stop"))));
    if spec.include_usage {
        events.push(chunk(&[], Some(usage(spec))));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

pub(super) fn error(reason: Reason, model: &str, custom_message: Option<String>) -> (StatusCode, Value) {
    let (status, kind, code) = kind_and_code(reason);
    let param = match reason {
        Reason::ContextTooLong => Some("messages"),
        Reason::Status(StatusCode::NOT_FOUND) => Some("model"),
        _ => None,
    };
    let message = custom_message.unwrap_or_else(|| message(reason, model));
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
        Reason::Status(StatusCode::UNAUTHORIZED) => "The API key is not right.".into(),
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
