//! The shape of Anthropic's errors.

use serde_json::{Value, json};

use crate::format::GatewayError;

pub(super) fn object(error: &GatewayError<'_>) -> Value {
    let mut body = json!({
        "type": "error",
        "error": {"type": type_of(error.status), "message": error.message, "code": error.code},
    });
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
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
