//! The errors and the models of Gemini's API.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::error_spec::ErrorSpec;
use crate::provider_error::{Hint, Reason};

const MODELS: [&str; 2] = ["gemini-2.5-flash", "gemini-3-pro-preview"];

pub(super) fn error(spec: ErrorSpec<'_>) -> (StatusCode, Value) {
    let (status, word, message) = describe(spec.reason, spec.model);
    let mut error = json!({
        "code": status.as_u16(),
        "message": spec.custom_message.unwrap_or(message),
        "status": word,
    });
    let details = details(spec.reason, spec.hints);
    if !details.is_empty() {
        error["details"] = details.into();
    }
    (status, json!({"error": error}))
}

fn describe(reason: Reason, model: &str) -> (StatusCode, &'static str, String) {
    const INVALID: &str = "INVALID_ARGUMENT";
    const EXHAUSTED: &str = "RESOURCE_EXHAUSTED";
    match reason {
        Reason::WrongKey => (StatusCode::BAD_REQUEST, INVALID, "API key not valid.".into()),
        Reason::ContextTooLong => (
            StatusCode::BAD_REQUEST,
            INVALID,
            "The input token count (1250000) exceeds the maximum number of tokens allowed (1048576).".into(),
        ),
        Reason::ContentPolicy => {
            (StatusCode::BAD_REQUEST, INVALID, "The content was refused by the safety filter.".into())
        }
        Reason::InsufficientQuota => {
            (StatusCode::TOO_MANY_REQUESTS, EXHAUSTED, "You exceeded your current quota.".into())
        }
        Reason::SpendLimit => {
            (StatusCode::TOO_MANY_REQUESTS, EXHAUSTED, "The project's spending cap is reached.".into())
        }
        Reason::Overloaded => {
            (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The model is overloaded.".into())
        }
        Reason::KeyForbidden => (
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            "This API key is not allowed to use the model.".into(),
        ),
        Reason::RequestTooLarge => (
            StatusCode::TOO_MANY_REQUESTS,
            EXHAUSTED,
            format!("Request too large for {model} on tokens per min (TPM): Limit 30000, Requested 30601."),
        ),
        Reason::ForeignReasoning => (StatusCode::BAD_REQUEST, INVALID, "Corrupted thought signature.".into()),
        // Nothing is stored behind this API.
        Reason::UnknownPreviousResponse | Reason::NotStored => {
            (StatusCode::NOT_FOUND, "NOT_FOUND", "Not found.".into())
        }
        Reason::Status(StatusCode::NOT_FOUND) => {
            let message = format!("models/{model} is not found for API version v1beta.");
            (StatusCode::NOT_FOUND, "NOT_FOUND", message)
        }
        Reason::Status(status) => (status, status_word(status), format!("Simulated error {status}.")),
    }
}

/// Google's word for a status.
fn status_word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

fn details(reason: Reason, hints: &[Hint]) -> Vec<Value> {
    let quota = match reason {
        Reason::InsufficientQuota => Some("GenerateRequestsPerDayPerProjectPerModel"),
        Reason::Status(StatusCode::TOO_MANY_REQUESTS) => Some("GenerateRequestsPerMinutePerProjectPerModel"),
        _ => None,
    };
    let quota_failure = quota.map(|quota| {
        json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]})
    });
    let wrong_key = (reason == Reason::WrongKey).then(|| {
        json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        })
    });
    let waits = hints.iter().filter_map(|hint| match hint {
        Hint::RetryAfter(wait)
        | Hint::RetryAfterMs(wait)
        | Hint::RetryAfterDate(wait)
        | Hint::ResetsIn(wait) => Some(retry_info(*wait)),
        Hint::Header(..) => None,
    });
    quota_failure.into_iter().chain(wrong_key).chain(waits).collect()
}

fn retry_info(wait: Duration) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        "retryDelay": format!("{}s", wait.as_secs_f64()),
    })
}

pub(super) fn models(scripted: Vec<String>) -> Value {
    let models: Vec<Value> = MODELS
        .into_iter()
        .map(str::to_owned)
        .chain(scripted)
        .map(|id| {
            json!({
                "name": format!("models/{id}"),
                "version": "001",
                "displayName": id,
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            })
        })
        .collect();
    json!({"models": models})
}
