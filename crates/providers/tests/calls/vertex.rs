//! Calls to Vertex AI: Gemini, and Claude by its raw predictions.

use dialects::Endpoint;
use providers::{FailureClass, ProviderErrorKind, ProviderResponse};
use serde_json::{Value, json};

use crate::aws::{ANSWER, EVENTS, as_anthropics};
use crate::google::{GEMINI_ANSWER, ask, vertex};
use crate::http_server::{HttpServer, Reply};
use crate::setup::{read_all, text};

const KEY: (&str, &str) = ("api_key", "AIza-the-key");
const PROJECT: (&str, &str) = ("GOOGLE_CLOUD_PROJECT", "p");
const PLACE: &str = "/v1/projects/p/locations/europe-west1/publishers";

fn body_of(server: &HttpServer) -> Value {
    serde_json::from_slice(&server.received()[0].body).unwrap()
}

#[tokio::test]
async fn gemini_is_called_in_its_own_format() {
    let server = HttpServer::start(|_| Reply::json(200, GEMINI_ANSWER)).await;
    let response =
        ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::GenerateContent, false).await.unwrap();
    let ProviderResponse::Complete(response) = response else { panic!("no stream was requested") };
    assert_eq!((response.body, response.usage.output), (GEMINI_ANSWER.into(), Some(2)));
    let received = &server.received()[0];
    assert_eq!(received.path, format!("{PLACE}/google/models/gemini-2.5-flash:generateContent"));
    assert_eq!(received.header("x-goog-api-key"), "AIza-the-key");
    assert_eq!((received.header("authorization"), received.header("anthropic-version")), ("", ""));
    assert_eq!(received.header("x-vertex-ai-llm-request-type"), "shared");
    assert_eq!(body_of(&server), json!({"contents": [{"role": "user", "parts": [{"text": "my secret"}]}]}));
}

#[tokio::test]
async fn an_api_key_alone_stands_for_a_project() {
    let server = HttpServer::start(|_| Reply::json(200, GEMINI_ANSWER)).await;
    ask(&vertex(&server.url, &[KEY]), Endpoint::GenerateContent, false).await.unwrap();
    assert_eq!(server.received()[0].path, "/v1/publishers/google/models/gemini-2.5-flash:generateContent");
}

#[tokio::test]
async fn geminis_streams_are_server_sent_events() {
    let events = format!("data: {GEMINI_ANSWER}\r\n\r\n");
    let server = HttpServer::start(move |_| Reply {
        status: 200,
        headers: vec![("content-type", "text/event-stream".to_owned())],
        body: events.clone().into(),
    })
    .await;
    let response = ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::GenerateContent, true).await.unwrap();
    let ProviderResponse::Streaming(mut stream) = response else { panic!("no stream") };
    let (events, end) = read_all(&mut stream).await;
    end.unwrap();
    assert!(text(&events).contains(GEMINI_ANSWER));
    let path = &server.received()[0].path;
    assert_eq!(*path, format!("{PLACE}/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"));
}

#[tokio::test]
async fn claude_is_called_by_raw_predictions() {
    let server = HttpServer::start(|_| Reply::json(200, ANSWER)).await;
    let response = ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::Messages, false).await.unwrap();
    let ProviderResponse::Complete(response) = response else { panic!("no stream was requested") };
    assert_eq!((response.body, response.usage.output), (ANSWER.into(), Some(2)));
    let received = &server.received()[0];
    assert_eq!(received.path, format!("{PLACE}/anthropic/models/claude-haiku-4-5@20251001:rawPredict"));
    assert_eq!(received.header("anthropic-beta"), "context-1m-2025-08-07");
    assert_eq!(received.header("anthropic-version"), "", "it stands in the body");
    let expected = json!({
        "anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "stream": false,
        "messages": [{"role": "user", "content": "my secret"}],
    });
    assert_eq!(body_of(&server), expected);
}

#[tokio::test]
async fn claudes_streams_are_anthropics_byte_for_byte() {
    let sent = as_anthropics(&EVENTS);
    let server = HttpServer::start(move |_| Reply {
        status: 200,
        headers: vec![("content-type", "text/event-stream".to_owned())],
        body: sent.clone().into(),
    })
    .await;
    let response = ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::Messages, true).await.unwrap();
    let ProviderResponse::Streaming(mut stream) = response else { panic!("no stream") };
    let (events, end) = read_all(&mut stream).await;
    end.unwrap();
    assert_eq!(text(&events), as_anthropics(&EVENTS));
    assert!(server.received()[0].path.ends_with(":streamRawPredict"));
    assert_eq!(body_of(&server)["stream"], true);
}

#[tokio::test]
async fn tokens_are_counted() {
    let server = HttpServer::start(|_| Reply::json(200, r#"{"input_tokens":7}"#)).await;
    let response = ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::CountTokens, false).await.unwrap();
    let ProviderResponse::Complete(response) = response else { panic!("no stream was requested") };
    assert_eq!(response.body, r#"{"input_tokens":7}"#);
    assert_eq!(server.received()[0].path, format!("{PLACE}/anthropic/models/count-tokens:rawPredict"));
    assert_eq!(body_of(&server)["model"], "claude-haiku-4-5@20251001");
}

#[tokio::test]
async fn errors_are_judged_by_googles_words_and_have_the_formats_shape() {
    let limited = FailureClass::RateLimited { retry_after: std::time::Duration::from_secs(30) };
    for (status, body, class, anthropics) in [
        (
            429,
            r#"[{"error":{"code":429,"message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: anthropic-claude-3-5-sonnet. Please submit a quota increase request. https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.","status":"RESOURCE_EXHAUSTED"}}]"#,
            FailureClass::Provider,
            "rate_limit_error",
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"}]}}"#,
            limited,
            "rate_limit_error",
        ),
        (
            404,
            r#"{"error":{"code":404,"message":"Publisher Model `projects/p/locations/l/publishers/anthropic/models/claude-haiku-4-5@20251001` was not found or your project does not have access to it. Please ensure you are using a valid model version.","status":"NOT_FOUND"}}"#,
            FailureClass::UnknownModel,
            "not_found_error",
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"Project `1` is not allowed to use Publisher Model `projects/p/locations/l/publishers/anthropic/models/claude-haiku-4-5@20251001`","status":"FAILED_PRECONDITION"}}]"#,
            FailureClass::UnknownModel,
            "invalid_request_error",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p' (or it may not exist).","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED"}]}}"#,
            FailureClass::Auth,
            "authentication_error",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"Vertex AI API has not been used in project p before or it is disabled.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}]}}"#,
            FailureClass::Auth,
            "authentication_error",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"This API method requires billing to be enabled. Please enable billing on project #p by visiting the console then retry.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BILLING_DISABLED"}]}}"#,
            FailureClass::QuotaExhausted,
            "billing_error",
        ),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_vrtx_1"}"#,
            FailureClass::Provider,
            "overloaded_error",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 250000 tokens > 200000 maximum"}}"#,
            FailureClass::ContextTooLong,
            "invalid_request_error",
        ),
    ] {
        let server = HttpServer::start(move |_| Reply::json(status, body)).await;
        let error = ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::Messages, true).await.unwrap_err();
        assert_eq!((error.kind, error.class), (ProviderErrorKind::Status, class), "{body}");
        let response: Value = serde_json::from_slice(&error.response.unwrap().body).unwrap();
        assert_eq!(
            (&response["type"], &response["error"]["type"]),
            (&json!("error"), &json!(anthropics)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_model_that_has_no_such_endpoint_is_not_asked() {
    let server = HttpServer::start(|_| Reply::json(200, GEMINI_ANSWER)).await;
    let error = ask(&vertex(&server.url, &[KEY, PROJECT]), Endpoint::Responses, false).await.unwrap_err();
    assert_eq!(
        (error.kind, error.class),
        (ProviderErrorKind::UnsupportedEndpoint, FailureClass::InvalidRequest)
    );
    assert!(server.received().is_empty());
}
