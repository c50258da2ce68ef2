//! The errors of Amazon Bedrock: a message in the body, and the type in a header.

use http::StatusCode;
use serde_json::{Value, json};

use crate::error_spec::ErrorSpec;
use crate::provider_error::{ProviderError, Reason};

pub(super) fn error(spec: ErrorSpec<'_>) -> (StatusCode, Value) {
    let (status, _, message) = describe(spec.reason, spec.model);
    (status, json!({"message": spec.custom_message.unwrap_or(message)}))
}

/// The type, as in the header `x-amzn-errortype`.
pub(super) fn error_type(error: &ProviderError) -> &'static str {
    error.aws_type.unwrap_or_else(|| describe(error.reason, "").1)
}

/// The name of the exception that a stream ends with: its type, with a small letter in front.
pub(super) fn exception(error: &ProviderError, status: StatusCode) -> String {
    let Some(name) = error.aws_type else { return exception_of_status(status).to_owned() };
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}

const fn exception_of_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400..=407 => "validationException",
        408 | 504 => "modelTimeoutException",
        424 => "modelStreamErrorException",
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        _ => "internalServerException",
    }
}

fn describe(reason: Reason, model: &str) -> (StatusCode, &'static str, String) {
    const VALIDATION: &str = "ValidationException";
    match reason {
        Reason::ContextTooLong => {
            (StatusCode::BAD_REQUEST, VALIDATION, "Input is too long for requested model.".into())
        }
        Reason::ContentPolicy => {
            (StatusCode::BAD_REQUEST, VALIDATION, "Output blocked by content filtering policy".into())
        }
        Reason::InsufficientQuota | Reason::SpendLimit => (
            StatusCode::TOO_MANY_REQUESTS,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.".into(),
        ),
        Reason::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.".into(),
        ),
        Reason::WrongKey => (
            StatusCode::FORBIDDEN,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".into(),
        ),
        Reason::KeyForbidden => (
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            "This API key is not allowed to use the model.".into(),
        ),
        Reason::RequestTooLarge => (
            StatusCode::TOO_MANY_REQUESTS,
            "ThrottlingException",
            format!("Request too large for {model} on tokens per min (TPM): Limit 30000, Requested 30601."),
        ),
        Reason::ForeignReasoning => {
            (StatusCode::BAD_REQUEST, VALIDATION, "Invalid `signature` in `thinking` block".into())
        }
        // Nothing is stored behind this API.
        Reason::UnknownPreviousResponse | Reason::NotStored => {
            (StatusCode::NOT_FOUND, "ResourceNotFoundException", "Not found".into())
        }
        Reason::Status(StatusCode::NOT_FOUND) => (
            StatusCode::NOT_FOUND,
            "ResourceNotFoundException",
            "Could not resolve the foundation model from the provided model identifier.".into(),
        ),
        Reason::Status(status) => (status, kind(status), format!("Simulated error {status}")),
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "UnrecognizedClientException",
        403 => "AccessDeniedException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}
