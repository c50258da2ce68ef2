//! The gateway's own errors, in the shapes that the official SDKs raise.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Dialect;

/// The body of an error of the gateway's own. The SDKs pick the exception by the HTTP status, so the answer must have
/// `status` too; `code` is what tells the gateway's errors from a provider's (DESIGN 1.4).
#[must_use]
pub fn gateway_error(dialect: Dialect, status: u16, code: &str, message: &str, request_id: &str) -> Bytes {
    let mut body = error_object(dialect, status, code, message);
    if dialect == Dialect::Anthropic {
        body["request_id"] = request_id.into();
    }
    body.to_string().into()
}

/// The event that makes the dialect's SDK raise in the middle of a stream. No end marker may follow it: behind
/// `[DONE]`, OpenAI's SDK would take the answer for whole. `status` is the one that the error would have had before
/// the head was sent.
#[must_use]
pub fn error_event(dialect: Dialect, status: u16, code: &str, message: &str) -> Bytes {
    event(dialect, &error_object(dialect, status, code, message))
}

/// A provider's own error as an event, for a stream whose head was sent before the provider was asked. A body that is no
/// error of the dialect's is told in words of our own.
#[must_use]
pub fn provider_error_event(dialect: Dialect, status: u16, body: &[u8]) -> Bytes {
    match serde_json::from_slice::<Value>(body) {
        Ok(error) if error.get("error").is_some() => event(dialect, &error),
        _ => {
            let message = format!("the provider refused the call with HTTP {status}");
            error_event(dialect, status, "refused_by_provider", &message)
        }
    }
}

fn event(dialect: Dialect, data: &Value) -> Bytes {
    match dialect {
        Dialect::OpenAiChat => format!("data: {data}\n\n"),
        Dialect::Anthropic => format!("event: error\ndata: {data}\n\n"),
    }
    .into()
}

fn error_object(dialect: Dialect, status: u16, code: &str, message: &str) -> Value {
    match dialect {
        Dialect::OpenAiChat => json!({
            "error": {"message": message, "type": openai_type(status), "param": null, "code": code},
        }),
        Dialect::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic_type(status), "message": message, "code": code},
        }),
    }
}

const fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The types of Anthropic's documentation of errors.
const fn anthropic_type(status: u16) -> &'static str {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::{error_event, gateway_error, provider_error_event};
    use crate::sse::Decoder;
    use crate::{Dialect, EventClass, ResponseMeta, classify_event};

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
            event.starts_with(b"data: {\"error\":{\"message\":\"the provider refused the call with HTTP 400")
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
