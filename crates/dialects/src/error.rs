//! Errors: what a provider's means, and how the gateway's own are written.

mod reasoning;
mod translate;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::dialect::Dialect;
pub use crate::error_body::{ErrorBody, ErrorCategory, Wording, wordings};
use crate::format::GatewayError;
pub use reasoning::is_foreign_reasoning;
pub use translate::{translate, translate_event};

/// The code of a rejection by a provider whose body is no error of the caller's API format.
pub const REJECTED_BY_PROVIDER: &str = "rejected_by_provider";

/// The provider's own words in the body of an error, whatever its format. They may quote the prompt: they are for the
/// caller, and for no log (C5).
#[must_use]
pub fn provider_message(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    crate::error_body::message(&body).map(std::borrow::Cow::into_owned)
}

/// The body of an error of the gateway's own. The SDKs choose the exception by the HTTP status, so the response must
/// have `status` too; `code` distinguishes the gateway's errors from a provider's.
#[must_use]
pub fn gateway_error(dialect: Dialect, status: u16, code: &str, message: &str, request_id: &str) -> Bytes {
    let error = GatewayError { status, code, message, request_id: Some(request_id) };
    dialect.format().error_object(&error).to_string().into()
}

/// The event that makes the SDK raise an error in the middle of a stream. No end marker may follow it: after `[DONE]`,
/// OpenAI's SDK would take the response for complete. `status` is the one that the error would have had before the head
/// was sent.
#[must_use]
pub fn error_event(dialect: Dialect, status: u16, code: &str, message: &str) -> Bytes {
    let format = dialect.format();
    let error = GatewayError { status, code, message, request_id: None };
    format.error_event(&format.error_object(&error)).into()
}

/// A provider's error as an event, for a stream whose head was sent before the provider was called. A body that is not an
/// error of this format is replaced by an error of the gateway's own.
#[must_use]
pub fn provider_error_event(dialect: Dialect, status: u16, body: &[u8]) -> Bytes {
    let error =
        serde_json::from_slice::<Value>(body).ok().and_then(|error| dialect.format().error_body(error));
    match error {
        Some(error) => dialect.format().error_event(&error).into(),
        None => {
            let message = format!("the provider rejected the request with HTTP {status}");
            error_event(dialect, status, REJECTED_BY_PROVIDER, &message)
        }
    }
}

/// The data of an event that is an error, as the body of a response. In most formats it is one already.
#[must_use]
pub fn body_of_event(dialect: Dialect, data: Bytes) -> Bytes {
    let parse = |data: &Bytes| serde_json::from_slice::<Value>(data).ok();
    if dialect != Dialect::OpenAiResponses {
        return data;
    }
    parse(&data)
        .and_then(|error| dialect.format().error_body(error))
        .map_or(data, |body| json!({ "error": body["error"] }).to_string().into())
}

#[cfg(test)]
mod tests;
