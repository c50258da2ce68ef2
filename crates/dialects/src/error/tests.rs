use bytes::Bytes;
use serde_json::{Value, json};

use super::{body_of_event, error_event, gateway_error, provider_error_event};
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

/// What clients of each format act on where a stream is cut: Anthropic's type, OpenAI's type and code, Google's status.
#[test]
fn an_error_within_a_stream_is_one_that_clients_retry() {
    let cut = |dialect, status| {
        let event = error_event(dialect, status, "stream_interrupted", "m");
        let mut decoder = Decoder::default();
        decoder.push(event);
        let data = decoder.next_frame().unwrap().unwrap().data().unwrap().into_owned();
        let error = serde_json::from_slice::<Value>(&data).unwrap()["error"].take();
        let field = if dialect == Dialect::Gemini { "status" } else { "type" };
        error[field].as_str().unwrap().to_owned()
    };
    for (dialect, status, expected) in [
        (Dialect::Anthropic, 500, "overloaded_error"),
        (Dialect::Anthropic, 503, "overloaded_error"),
        (Dialect::Anthropic, 504, "overloaded_error"),
        (Dialect::Anthropic, 429, "rate_limit_error"),
        (Dialect::Anthropic, 401, "authentication_error"),
        (Dialect::OpenAiChat, 500, "server_error"),
        (Dialect::OpenAiChat, 503, "server_error"),
        (Dialect::OpenAiResponses, 500, "server_error"),
        (Dialect::Gemini, 500, "INTERNAL"),
        (Dialect::Gemini, 503, "UNAVAILABLE"),
    ] {
        assert_eq!(cut(dialect, status), expected, "{dialect} {status}");
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
        event.starts_with(b"data: {\"error\":{\"message\":\"the provider rejected the request with HTTP 400")
    );
}

#[test]
fn an_error_event_is_one_event_and_an_error() {
    for dialect in [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::Gemini] {
        let event: Bytes = error_event(dialect, 500, "cut", "two\nlines");
        let mut decoder = Decoder::default();
        decoder.push(event.clone());
        let frame = decoder.next_frame().unwrap().unwrap();
        assert_eq!(frame.raw(), &event);
        let EventClass::Error(error) = classify_event(dialect, &frame, &mut ResponseMeta::default()) else {
            panic!("no error: {frame:?}")
        };
        assert_eq!(error.error_code.as_deref(), Some("cut"));
    }
}

#[test]
fn googles_shape() {
    let body = gateway_error(Dialect::Gemini, 503, "circuit_open", "no model", "r1");
    let expected = json!({"error": {"code": 503, "message": "no model", "status": "UNAVAILABLE", "details":
        [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "circuit_open", "domain": "switchboard"}]}});
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    // Its SDK knows an error by its first key.
    let event = provider_error_event(Dialect::Gemini, 500, br#"{"a":1,"error":{"code":500}}"#);
    assert_eq!(event, r#"data: {"error":{"code":500},"a":1}"#.to_owned() + "\n\n");
    let event = provider_error_event(Dialect::Gemini, 500, br#"[{"error":{"code":500}}]"#);
    assert_eq!(event, r#"data: {"error":{"code":500}}"#.to_owned() + "\n\n");
}

#[test]
fn a_stream_of_responses_ends_as_openais() {
    let mut decoder = Decoder::default();
    decoder.push(error_event(Dialect::OpenAiResponses, 502, "cut", "two\nlines"));
    let mut next = || {
        let frame = decoder.next_frame().unwrap().unwrap();
        let class = classify_event(Dialect::OpenAiResponses, &frame, &mut ResponseMeta::default());
        let EventClass::Error(error) = class else { panic!("no error: {frame:?}") };
        assert_eq!(error.error_code.as_deref(), Some("cut"));
        let name = String::from_utf8(frame.event().to_vec()).unwrap();
        (name, serde_json::from_slice::<Value>(&frame.data().unwrap()).unwrap())
    };
    let (name, data) = next();
    assert_eq!(
        (name.as_str(), &data["type"], &data["message"]),
        ("error", &json!("error"), &json!("two\nlines"))
    );
    assert_eq!(data["error"]["message"], "two\nlines", "without it Python's SDK raises nothing");
    let (name, data) = next();
    assert_eq!((name.as_str(), &data["type"]), ("response.failed", &json!("response.failed")));
    assert_eq!(data["response"]["error"]["message"], "two\nlines");
}

#[test]
fn an_event_of_responses_as_a_body() {
    let expected = json!({"error": {"message": "m", "type": "server_error", "param": null, "code": "c"}});
    for data in [
        r#"{"type":"error","code":"c","message":"m","param":null,"sequence_number":2}"#,
        r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#,
        r#"{"type":"error","error":{"message":"m","type":"server_error","param":null,"code":"c"}}"#,
    ] {
        let body = body_of_event(Dialect::OpenAiResponses, Bytes::from_static(data.as_bytes()));
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected, "{data}");
        let event = provider_error_event(Dialect::OpenAiResponses, 500, data.as_bytes());
        assert!(event.starts_with(b"event: error\n") && !event.is_empty(), "{data}");
        assert!(!String::from_utf8_lossy(&event).contains("rejected"), "{data}");
    }
    for dialect in Dialect::ALL {
        assert_eq!(body_of_event(dialect, Bytes::from_static(b"oops")), "oops");
    }
}
