//! The shape of OpenAI's errors.

use serde_json::{Value, json};

use crate::format::GatewayError;

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

const fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}
