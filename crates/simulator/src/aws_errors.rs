//! Errors of Amazon Bedrock that the other APIs have no equal of, by AWS' names, with their statuses and words.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>; the expired
//! token: <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>.

use http::StatusCode;

use crate::provider_error::ProviderError;

const ERRORS: [(&str, StatusCode, &str); 8] = [
    (
        "InternalServerException",
        StatusCode::INTERNAL_SERVER_ERROR,
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    (
        "ModelNotReadyException",
        StatusCode::TOO_MANY_REQUESTS,
        "The model specified in the request is not ready to serve inference requests.",
    ),
    (
        "ModelStreamErrorException",
        StatusCode::FAILED_DEPENDENCY,
        "An error occurred while streaming the response. Retry your request.",
    ),
    (
        "ModelTimeoutException",
        StatusCode::REQUEST_TIMEOUT,
        "The request took too long to process. Processing time exceeded the model timeout length.",
    ),
    (
        "ServiceQuotaExceededException",
        StatusCode::BAD_REQUEST,
        "Your request exceeds the service quota for your account.",
    ),
    (
        "ValidationException",
        StatusCode::BAD_REQUEST,
        "The input fails to satisfy the constraints specified by Amazon Bedrock.",
    ),
    (
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: bedrock:InvokeModel on resource: \
        arn:aws:bedrock:us-east-1::foundation-model/m because no identity-based policy allows the bedrock:InvokeModel action",
    ),
    ("ExpiredTokenException", StatusCode::FORBIDDEN, "The security token included in the request is expired"),
];

/// The names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ERRORS.iter().map(|(name, ..)| *name)
}

/// The error of this name.
pub(crate) fn error(name: &str) -> Option<ProviderError> {
    let (name, status, message) = ERRORS.iter().find(|(listed, ..)| *listed == name)?;
    Some(ProviderError::status(*status).message(*message).aws_type(name))
}
