//! The shape of OpenAI's errors.

use serde_json::{Value, json};

use crate::error_body::ErrorCategory;
use crate::format::{GatewayError, TranslatedError};

pub(super) fn object(error: &GatewayError<'_>) -> Value {
    json!({
        "error": {
            "message": error.message,
            "type": type_of(error.status),
            "param": null,
            "code": error.code,
        },
    })
}

pub(super) fn translated(error: &TranslatedError<'_>) -> Value {
    let names = &error.openai_names;
    let error_type = match error.category {
        ErrorCategory::QuotaExhausted => "insufficient_quota",
        ErrorCategory::InvalidKey => "authentication_error",
        _ => names.error_type.unwrap_or(type_of(error.status)),
    };
    json!({
        "error": {
            "message": error.message,
            "type": error_type,
            "param": names.param,
            "code": code_of(error),
        },
    })
}

/// The code that agents act on: Codex compacts its conversation, waits or gives up by it.
fn code_of<'a>(error: &TranslatedError<'a>) -> Option<&'a str> {
    let own = error.openai_names.code;
    match error.category {
        ErrorCategory::ContextTooLong => Some("context_length_exceeded"),
        ErrorCategory::QuotaExhausted => Some("insufficient_quota"),
        ErrorCategory::UnknownModel => Some("model_not_found"),
        ErrorCategory::InvalidKey => Some("invalid_api_key"),
        ErrorCategory::ContentPolicy => own.or(Some("content_policy_violation")),
        // Azure's and others' own codes for these say nothing to an agent.
        ErrorCategory::Other if matches!(error.status, 429 | 503 | 529) => {
            own.filter(|own| WAITING_CODES.contains(own)).or_else(|| code_of_status(error.status))
        }
        ErrorCategory::RequestTooLarge | ErrorCategory::Other => own.or_else(|| code_of_status(error.status)),
    }
}

/// OpenAI's own codes for a limit or an overload.
const WAITING_CODES: [&str; 5] =
    ["rate_limit_exceeded", "slow_down", "server_is_overloaded", "usage_limit_reached", "usage_not_included"];

const fn code_of_status(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("invalid_api_key"),
        429 => Some("rate_limit_exceeded"),
        503 | 529 => Some("server_is_overloaded"),
        _ => None,
    }
}

const fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}
