//! The shape of Google's errors.

use serde_json::{Map, Value, json};

use crate::error_body::ErrorCategory;
use crate::format::{GatewayError, TranslatedError};

pub(super) fn object(error: &GatewayError<'_>) -> Value {
    json!({
        "error": {
            "code": error.status,
            "message": error.message,
            "status": word_of(error.status),
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": error.code,
                "domain": "switchboard",
            }],
        },
    })
}

/// How Google's message says that the prompt does not fit. Agents with Google's format shorten their conversation on these
/// words (opencode's list: `input token count.*exceeds the maximum`).
const PROMPT_TOO_LONG: &str = "The input token count exceeds the maximum number of tokens allowed";

pub(super) fn translated(error: &TranslatedError<'_>) -> Value {
    let message = match error.category {
        ErrorCategory::ContextTooLong if !says_too_long(error.message) => {
            format!("{PROMPT_TOO_LONG}: {}", error.message)
        }
        _ => error.message.to_owned(),
    };
    let word = match error.category {
        ErrorCategory::QuotaExhausted => "RESOURCE_EXHAUSTED",
        _ => word_of(error.status),
    };
    json!({"error": {"code": error.status, "message": message, "status": word}})
}

fn says_too_long(message: &str) -> bool {
    message.split_once("input token count").is_some_and(|(_, rest)| rest.contains("exceeds the maximum"))
}

/// Without the list that a stream which is no SSE puts around it.
pub(super) fn body(error: Value) -> Option<Value> {
    let body = match error {
        Value::Array(items) => items.into_iter().next()?,
        object => object,
    };
    body.get("error").is_some().then_some(body)
}

/// A chunk. Google's SDK raises only if `error` is its first key.
pub(super) fn event(body: &Value) -> String {
    let mut chunk = Map::new();
    chunk.insert("error".to_owned(), body["error"].clone());
    for (key, value) in body.as_object().into_iter().flatten().filter(|(key, _)| *key != "error") {
        chunk.insert(key.clone(), value.clone());
    }
    format!("data: {}\n\n", Value::Object(chunk))
}

/// The status words of Google's APIs.
const fn word_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        502 | 503 | 529 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
