//! Errors: what a provider's means, and how the gateway's own are written.

use bytes::Bytes;
use serde_json::Value;

use crate::dialect::Dialect;
pub use crate::error_body::{ErrorBody, ErrorCategory};
use crate::format::GatewayError;

/// The code of a rejection by a provider whose body is no error of the caller's API format.
pub const REJECTED_BY_PROVIDER: &str = "rejected_by_provider";

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
    match serde_json::from_slice::<Value>(body) {
        Ok(error) if error.get("error").is_some() => dialect.format().error_event(&error).into(),
        _ => {
            let message = format!("the provider rejected the request with HTTP {status}");
            error_event(dialect, status, REJECTED_BY_PROVIDER, &message)
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::{error_event, gateway_error, provider_error_event};
    use crate::dialect::Dialect;
    use crate::events::{EventClass, classify_event};
    use crate::response_meta::ResponseMeta;
    use crate::sse::Decoder;

    #[test]
    fn openais_shape() {
        let body = gateway_error(Dialect::OpenAiChat, 503, "circuit_open", "no model", "r1");
        let expected = json!({"error":
            {"message": "no model", "type": "server_error", "param": null, "code": "circuit_open"}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn anthropics_shape() {
        let body = gateway_error(Dialect::Anthropic, 529, "circuit_open", "no model", "r1");
        let expected = json!({"type": "error", "request_id": "r1", "error":
            {"type": "overloaded_error", "message": "no model", "code": "circuit_open"}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn types_follow_the_status() {
        for (status, expected) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (503, "api_error"),
        ] {
            let body = gateway_error(Dialect::Anthropic, status, "c", "m", "r");
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["type"], expected);
        }
    }

    #[test]
    fn a_providers_error_is_passed_on_unchanged() {
        let body = b"{\"type\":\"error\",\n \"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}";
        let event = provider_error_event(Dialect::Anthropic, 529, body);
        let expected: &[u8] = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n";
        assert_eq!(event, expected);
        let event = provider_error_event(Dialect::OpenAiChat, 400, b"<html>");
        assert!(
            event.starts_with(
                b"data: {\"error\":{\"message\":\"the provider rejected the request with HTTP 400"
            )
        );
    }

    #[test]
    fn an_error_event_is_one_event_and_an_error() {
        for dialect in [Dialect::OpenAiChat, Dialect::Anthropic] {
            let event: Bytes = error_event(dialect, 500, "cut", "two\nlines");
            let mut decoder = Decoder::default();
            decoder.push(event.clone());
            let frame = decoder.next_frame().unwrap().unwrap();
            assert_eq!(frame.raw(), &event);
            let EventClass::Error(error) = classify_event(dialect, &frame, &mut ResponseMeta::default())
            else {
                panic!("no error: {frame:?}")
            };
            assert_eq!(error.error_code.as_deref(), Some("cut"));
        }
    }
}
