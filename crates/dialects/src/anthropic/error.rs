//! The shape of Anthropic's errors.

use serde_json::{Value, json};

use crate::error_body::ErrorCategory;
use crate::format::{GatewayError, TranslatedError};

/// How Anthropic's message begins where the prompt does not fit. Claude Code shortens its conversation on these words.
const PROMPT_TOO_LONG: &str = "prompt is too long";

pub(super) fn object(error: &GatewayError<'_>) -> Value {
    let error_type = match (error.request_id, error.status) {
        // Within a stream no status says that coming again may help. opencode does so for this type alone
        // (anomalyco/opencode#163), Claude Code 2.1.332 for any.
        (None, 500..) => "overloaded_error",
        (_, status) => type_of(status),
    };
    let mut body = json!({
        "type": "error",
        "error": {"type": error_type, "message": error.message, "code": error.code},
    });
    if let Some(request_id) = error.request_id {
        body["request_id"] = request_id.into();
    }
    body
}

pub(super) fn translated(error: &TranslatedError<'_>) -> Value {
    let too_long = error.category == ErrorCategory::ContextTooLong;
    let message = if too_long && !error.message.starts_with(PROMPT_TOO_LONG) {
        format!("{PROMPT_TOO_LONG}: {}", error.message)
    } else {
        error.message.to_owned()
    };
    let error_type = match (error.category, error.status) {
        (ErrorCategory::QuotaExhausted, _) => "billing_error",
        (ErrorCategory::InvalidKey, _) => "authentication_error",
        // Its clients wait for this one and try again.
        (_, 503 | 529) => "overloaded_error",
        (_, status) => type_of(status),
    };
    let mut body = json!({"type": "error", "error": {"type": error_type, "message": message}});
    if let Some(request_id) = error.request_id {
        body["request_id"] = request_id.into();
    }
    body
}

/// The types of Anthropic's documentation of errors.
const fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        529 => "overloaded_error",
        // 424: the model failed behind the provider (Bedrock).
        424 | 500.. => "api_error",
        _ => "invalid_request_error",
    }
}
