//! What a provider of another API format sent, in the caller's.

use translate::Translation;

use crate::error::{ProviderError, ProviderErrorKind};
use crate::headers::translated_response_headers;
use crate::response::CompleteResponse;

/// A response. One that cannot be read is invalid, like one that fails the check of its own format.
pub(crate) fn response(
    mut response: CompleteResponse,
    translation: Option<&Translation>,
) -> Result<CompleteResponse, ProviderError> {
    let Some(translation) = translation else { return Ok(response) };
    let body = translation.response(&response.body);
    response.body = body.ok_or_else(|| ProviderError::provider_failure(ProviderErrorKind::Invalid))?;
    response.headers = translated_response_headers(&response.headers);
    Ok(response)
}

/// An error, whose response the caller may get (T7).
#[cold]
pub(crate) fn error(mut error: ProviderError, translation: Option<&Translation>) -> ProviderError {
    if let (Some(translation), Some(response)) = (translation, &mut error.response) {
        error_response(response, translation);
    }
    error
}

fn error_response(response: &mut CompleteResponse, translation: &Translation) {
    let (from, to) = (translation.provider(), translation.caller());
    let status = response.status.as_u16();
    response.body = dialects::error::translate(from, to, status, &response.body, None);
    response.headers = translated_response_headers(&response.headers);
}
