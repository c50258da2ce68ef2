//! A provider's error in another format: its words stay, and the names are those that the caller's SDK and agents act on.

use bytes::Bytes;
use serde_json::Value;

use super::provider_error_event;
use crate::dialect::Dialect;
use crate::error_body::{ErrorBody, error_object, message};
use crate::format::{OpenAiNames, TranslatedError};

/// The body of a provider's error with `status`, in the caller's format. The same format leaves it as it is. A body that
/// cannot be read becomes a message that names the status.
#[must_use]
pub fn translate(from: Dialect, to: Dialect, status: u16, body: &[u8], request_id: Option<&str>) -> Bytes {
    if from == to {
        return Bytes::copy_from_slice(body);
    }
    translated(from, to, status, body, request_id).to_string().into()
}

/// The same as an event, for a stream whose head was sent. `body` is that of a response, or the data of an event.
#[must_use]
pub fn translate_event(from: Dialect, to: Dialect, status: u16, body: &[u8]) -> Bytes {
    if from == to {
        return provider_error_event(to, status, body);
    }
    to.format().error_event(&translated(from, to, status, body, None)).into()
}

fn translated(from: Dialect, to: Dialect, status: u16, body: &[u8], request_id: Option<&str>) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let read = ErrorBody::from_json(Some(status), None, &body);
    let message =
        message(&body).unwrap_or_else(|| format!("the provider answered with HTTP {status}").into());
    let openai_names = match from {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => openai_names(&body, &read),
        Dialect::Anthropic | Dialect::Gemini | Dialect::BedrockConverse => OpenAiNames::default(),
    };
    let error =
        TranslatedError { status, category: read.category, message: &message, openai_names, request_id };
    to.format().translated_error(&error)
}

/// Without numbers: some servers repeat the status as the code.
fn openai_names<'a>(body: &'a Value, read: &'a ErrorBody) -> OpenAiNames<'a> {
    let is_name = |code: &&str| !code.bytes().all(|byte| byte.is_ascii_digit());
    OpenAiNames {
        error_type: read.error_type.as_deref(),
        code: read.error_code.as_deref().filter(is_name),
        param: error_object(body)["param"].as_str(),
    }
}

#[cfg(test)]
mod tests;
