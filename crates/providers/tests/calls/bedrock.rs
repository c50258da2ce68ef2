//! Calls to Bedrock: Claude by InvokeModel.

use dialects::Endpoint;
use futures_util::FutureExt as _;
use providers::{
    FailureClass, ProviderError, ProviderErrorKind, ProviderResponse, StreamEvent, UPSTREAM_REQUEST_ID,
};
use serde_json::{Value, json};

use crate::aws::{
    ANSWER, CLAUDE, EVENTS, KEYS, SECRET, as_anthropics, ask, bedrock, body_of, chunk, exception,
    verified_key,
};
use crate::http_server::{HttpServer, Reply};
use crate::setup::{read_all, text};

const STREAM_TYPE: &str = "application/vnd.amazon.eventstream";

fn stream_of(messages: &[Vec<u8>]) -> Reply {
    let headers = vec![("content-type", STREAM_TYPE.to_owned()), ("x-amzn-requestid", "r-1".to_owned())];
    Reply { status: 200, headers, body: messages.concat().into() }
}

/// The events of a stream that Bedrock begins with a 200, and how it ends.
async fn read_stream(messages: &[Vec<u8>]) -> (Vec<StreamEvent>, Result<(), ProviderError>) {
    let reply = stream_of(messages);
    let server = HttpServer::start(move |_| reply.clone()).await;
    match ask(&bedrock(&server.url, &KEYS), Endpoint::Messages, true).await.unwrap() {
        ProviderResponse::Streaming(mut stream) => {
            assert_eq!(stream.headers()["content-type"], "text/event-stream");
            assert_eq!(stream.headers()[UPSTREAM_REQUEST_ID], "r-1");
            read_all(&mut stream).await
        }
        ProviderResponse::Complete(_) => panic!("no stream"),
    }
}

fn chunks(events: &[&str]) -> Vec<Vec<u8>> {
    events.iter().map(|event| chunk(event)).collect()
}

#[tokio::test]
async fn a_plain_call_is_signed_and_its_answer_is_anthropics() {
    let server = HttpServer::start(|_| Reply::json(200, ANSWER).with("x-amzn-requestid", "r-1")).await;
    let response = ask(&bedrock(&server.url, &KEYS), Endpoint::Messages, false).await.unwrap();
    let ProviderResponse::Complete(response) = response else { panic!("no stream was requested") };
    assert_eq!(response.body, ANSWER);
    assert_eq!(response.headers[UPSTREAM_REQUEST_ID], "r-1");
    assert_eq!(response.usage.output, Some(2));
    let received = &server.received()[0];
    assert_eq!(received.path, format!("/model/{}/invoke", CLAUDE.replace(':', "%3A")));
    assert_eq!(verified_key(received, SECRET).as_deref(), Some("AKIDVARIABLES"));
    assert!(received.header("authorization").contains("content-type;host;x-amz-date;x-amzn-bedrock-trace,"));
    assert_eq!(received.header("x-amzn-bedrock-trace"), "ENABLED");
    for absent in ["anthropic-beta", "anthropic-version", "accept", "x-api-key"] {
        assert_eq!(received.header(absent), "", "{absent}");
    }
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    let expected = json!({
        "anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["context-1m-2025-08-07"], "max_tokens": 9,
        "messages": [{"role": "user", "content": "my secret"}],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn an_api_key_is_sent_instead_of_a_signature() {
    let server = HttpServer::start(|_| Reply::json(200, ANSWER)).await;
    let provider =
        bedrock(&server.url, &[&KEYS[..], &[("AWS_BEARER_TOKEN_BEDROCK", "the-api-key")]].concat());
    ask(&provider, Endpoint::Messages, false).await.unwrap();
    let received = &server.received()[0];
    assert_eq!((received.header("authorization"), received.header("x-amz-date")), ("Bearer the-api-key", ""));
}

#[tokio::test]
async fn a_stream_is_anthropics_byte_for_byte() {
    let (events, end) = read_stream(&chunks(&EVENTS)).await;
    end.unwrap();
    assert_eq!(text(&events), as_anthropics(&EVENTS));
    assert!(events[2].has_content);
}

#[tokio::test]
async fn events_that_have_come_are_there_without_waiting() {
    let reply = stream_of(&chunks(&EVENTS));
    let server = HttpServer::start(move |_| reply.clone()).await;
    let response = ask(&bedrock(&server.url, &KEYS), Endpoint::Messages, true).await.unwrap();
    let ProviderResponse::Streaming(mut stream) = response else { panic!("no stream") };
    let mut events = vec![stream.next().await.unwrap().unwrap()];
    while let Some(Some(event)) = stream.next().now_or_never().map(Result::unwrap) {
        events.push(event);
    }
    while let Some(event) = stream.next().await.unwrap() {
        events.push(event);
    }
    assert_eq!(text(&events), as_anthropics(&EVENTS));
    assert!(stream.next().now_or_never().unwrap().unwrap().is_none());
}

#[tokio::test]
async fn an_exception_in_a_stream_is_an_error_of_anthropics() {
    for before in [0, 1, 3] {
        for (name, class, error_type, status) in [
            ("throttlingException", FailureClass::Provider, "rate_limit_error", 429),
            ("internalServerException", FailureClass::Provider, "api_error", 500),
            ("modelStreamErrorException", FailureClass::Provider, "api_error", 424),
            ("serviceUnavailableException", FailureClass::Provider, "overloaded_error", 503),
            ("modelTimeoutException", FailureClass::Provider, "timeout_error", 408),
            ("validationException", FailureClass::InvalidRequest, "invalid_request_error", 400),
        ] {
            let (events, end) =
                read_stream(&[chunks(&EVENTS[..before]), vec![exception(name)]].concat()).await;
            assert_eq!(text(&events), as_anthropics(&EVENTS[..before]));
            let error = end.unwrap_err();
            assert_eq!(
                (error.kind, error.class, error.status),
                (ProviderErrorKind::ErrorInBody, class, Some(status))
            );
            let body: Value = serde_json::from_slice(&error.response.unwrap().body).unwrap();
            let expected = json!({"type": error_type, "message": "the words of AWS"});
            assert_eq!((&body["type"], &body["error"]), (&json!("error"), &expected), "{name}");
        }
    }
}

#[tokio::test]
async fn a_damaged_stream_is_a_cut() {
    let whole = chunks(&EVENTS).concat();
    let lengths: Vec<_> = chunks(&EVENTS).iter().map(Vec::len).collect();
    let third_end: usize = lengths[..3].iter().sum();
    let (events, end) = read_stream(&[whole[..third_end + 20].to_vec()]).await;
    assert_eq!(text(&events), as_anthropics(&EVENTS[..3]));
    assert_eq!(end.unwrap_err().kind, ProviderErrorKind::Truncated);
    let (events, end) = read_stream(&[whole[..third_end].to_vec()]).await;
    assert_eq!(
        (events.len(), end.unwrap_err().kind),
        (3, ProviderErrorKind::Truncated),
        "between two messages"
    );
    let mut damaged = whole.clone();
    damaged[third_end + 50] ^= 1;
    let (events, end) = read_stream(&[damaged]).await;
    let error = end.unwrap_err();
    assert_eq!(
        (events.len(), error.kind, error.class),
        (3, ProviderErrorKind::Invalid, FailureClass::Provider)
    );
}

async fn error_of(status: u16, error_type: &str, body: &'static str, stream: bool) -> ProviderError {
    let error_type = format!("{error_type}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    let reply = Reply::json(status, body).with("x-amzn-ErrorType", &error_type);
    let server = HttpServer::start(move |_| reply.clone()).await;
    ask(&bedrock(&server.url, &KEYS), Endpoint::Messages, stream).await.unwrap_err()
}

#[tokio::test]
async fn errors_are_judged_by_their_type_and_have_anthropics_shape() {
    use FailureClass::{Auth, ContextTooLong, InvalidRequest, Provider, UnknownModel};
    for (status, name, body, class, anthropic_type) in [
        (429, "ThrottlingException", r#"{"message":"Too many requests"}"#, Provider, "rate_limit_error"),
        (429, "ModelNotReadyException", r#"{"message":"m"}"#, Provider, "rate_limit_error"),
        (424, "ModelErrorException", r#"{"message":"m","originalStatusCode":400}"#, Provider, "api_error"),
        (408, "ModelTimeoutException", r#"{"message":"m"}"#, Provider, ""),
        (500, "InternalServerException", r#"{"message":"m"}"#, Provider, "api_error"),
        (503, "ServiceUnavailableException", r#"{"message":"m"}"#, Provider, ""),
        (
            400,
            "ValidationException",
            r#"{"message":"m: Extra inputs are not permitted"}"#,
            InvalidRequest,
            "invalid_request_error",
        ),
        (
            400,
            "ValidationException",
            r#"{"message":"Input is too long for requested model."}"#,
            ContextTooLong,
            "invalid_request_error",
        ),
        (
            403,
            "AccessDeniedException",
            r#"{"message":"You don't have access to the model with the specified model ID."}"#,
            UnknownModel,
            "",
        ),
        (
            403,
            "UnrecognizedClientException",
            r#"{"message":"The security token included in the request is invalid."}"#,
            Auth,
            "",
        ),
    ] {
        for stream in [false, true] {
            let error = error_of(status, name, body, stream).await;
            assert_eq!((error.status, error.class), (Some(status), class), "{name}");
            assert_eq!(error.error_type.as_deref(), Some(name));
            let response: Value = serde_json::from_slice(&error.response.unwrap().body).unwrap();
            assert_eq!(response["type"], "error", "{response}");
            assert!(anthropic_type.is_empty() || response["error"]["type"] == anthropic_type, "{response}");
            let words: Value = serde_json::from_str(body).unwrap();
            // Claude Code shortens a conversation by words of Anthropic's, which stand in front.
            let message = response["error"]["message"].as_str().unwrap();
            assert!(message.ends_with(words["message"].as_str().unwrap()), "{message}");
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_is_named_and_no_session_token_quoted() {
    let words =
        "The request signature we calculated does not match … x-amz-security-token:the-session-token-1";
    let reply = Reply::json(403, json!({ "message": words }).to_string())
        .with("x-amzn-errortype", "InvalidSignatureException")
        .with("date", "Tue, 01 Jul 2025 12:00:00 GMT");
    let server = HttpServer::start(move |_| reply.clone()).await;
    let provider =
        bedrock(&server.url, &[&KEYS[..], &[("AWS_SESSION_TOKEN", "the-session-token-1")]].concat());
    let error = ask(&provider, Endpoint::Messages, false).await.unwrap_err();
    assert_eq!(error.class, FailureClass::Auth);
    assert!(error.to_string().contains("this machine's clock is"), "{error}");
    assert!(error.own_explanation().unwrap().contains("ahead of that of AWS"));
    let body = String::from_utf8(error.response.unwrap().body.to_vec()).unwrap();
    assert!(body.contains("x-amz-security-token:***"), "{body}");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn tokens_are_counted() {
    let server = HttpServer::start(|_| Reply::json(200, r#"{"inputTokens":42}"#)).await;
    let response = ask(&bedrock(&server.url, &KEYS), Endpoint::CountTokens, false).await.unwrap();
    assert_eq!(body_of(response), r#"{"input_tokens":42}"#);
    let received = &server.received()[0];
    assert_eq!(received.path, "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens");
    assert!(verified_key(received, SECRET).is_some());
}

#[tokio::test]
async fn a_model_that_cannot_count_is_not_found() {
    let body = r#"{"message":"The provided model doesn't support counting tokens."}"#;
    let reply = Reply::json(400, body).with("x-amzn-errortype", "ValidationException");
    let server = HttpServer::start(move |_| reply.clone()).await;
    let error = ask(&bedrock(&server.url, &KEYS), Endpoint::CountTokens, false).await.unwrap_err();
    assert_eq!((error.status, error.class), (Some(404), FailureClass::InvalidRequest));
}
