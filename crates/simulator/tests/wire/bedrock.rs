//! Amazon Bedrock's Converse and InvokeModel.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, ProviderError, Simulator, Usage};

use crate::client::{http, json_of};

const MODEL: &str = "amazon.nova-lite-v1:0";

fn request(simulator: &Simulator, operation: &str, body: &Value) -> RequestBuilder {
    let model = MODEL.replace(':', "%3A");
    http().post(format!("{}/model/{model}/{operation}", simulator.bedrock_base_url())).json(body)
}

async fn converse(simulator: &Simulator, operation: &str) -> Response {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "Hello?"}]}]});
    request(simulator, operation, &body).send().await.unwrap()
}

fn claude() -> Value {
    json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]})
}

/// The messages of a stream as their headers' last words and their payloads, and whether each is whole.
async fn messages(mut response: Response) -> (Vec<(String, Value)>, bool) {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
    }
    let (mut messages, mut rest) = (Vec::new(), &bytes[..]);
    while rest.len() >= 16 {
        let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        if rest.len() < total || number(total - 4) != crc32fast::hash(&rest[..total - 4]) as usize {
            return (messages, false);
        }
        // The first header is the event's name or the exception's.
        let name_at = 12 + 1 + usize::from(rest[12]) + 1;
        let length = usize::from(u16::from_be_bytes(rest[name_at..name_at + 2].try_into().unwrap()));
        let name = String::from_utf8(rest[name_at + 2..name_at + 2 + length].to_vec()).unwrap();
        messages.push((name, serde_json::from_slice(&rest[12 + headers..total - 4]).unwrap()));
        rest = &rest[total..];
    }
    (messages, rest.is_empty())
}

fn names(messages: &[(String, Value)]) -> Vec<&str> {
    messages.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_plain_answer() {
    let simulator = Simulator::start().await.unwrap();
    let usage = Usage { input: 9, cache_read: 4, cache_write: 2, output: 3, ..Usage::default() };
    simulator.script(MODEL, Behaviour::ok().thinking("Hm.", "1").tool_call("f", r#"{"a": 1}"#).usage(usage));
    let response = json_of(converse(&simulator, "converse").await).await;
    let content = &response["output"]["message"]["content"];
    assert!(content[0]["reasoningContent"]["reasoningText"]["signature"].is_string());
    assert_eq!(content[1], json!({"text": "Hello from amazon.nova-lite-v1:0."}));
    assert_eq!(content[2]["toolUse"]["input"], json!({"a": 1}));
    assert_eq!(response["stopReason"], "tool_use");
    assert_eq!(
        (&response["usage"]["inputTokens"], &response["usage"]["totalTokens"]),
        (&json!(3), &json!(12))
    );
}

#[tokio::test]
async fn a_stream_of_messages() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script(MODEL, Behaviour::ok().tool_call("f", r#"{"a": 1}"#));
    let response = converse(&simulator, "converse-stream").await;
    assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
    let (messages, is_whole) = messages(response).await;
    let delta = "contentBlockDelta";
    let expected = [
        "messageStart",
        delta,
        delta,
        delta,
        "contentBlockStop",
        "contentBlockStart",
        delta,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ];
    assert_eq!((names(&messages), is_whole), (expected.to_vec(), true));
    assert_eq!(messages[1].1["delta"], json!({"text": "Hello"}));
    assert_eq!(messages[8].1["stopReason"], "tool_use");
}

#[tokio::test]
async fn faults_of_a_stream() {
    let simulator = Simulator::start().await.unwrap();
    let overloaded = ProviderError::overloaded();
    for (fault, expected, is_whole) in [
        (Fault::Cut { after: 2 }, &["messageStart", "contentBlockDelta"][..], false),
        (Fault::Garbage { after: 1 }, &["messageStart"], false),
        (Fault::End { after: 1 }, &["messageStart"], true),
        (
            Fault::ErrorEvent { after: 1, error: overloaded.clone() },
            &["messageStart", "serviceUnavailableException"],
            true,
        ),
        (
            Fault::ErrorEvent { after: 0, error: ProviderError::rate_limited() },
            &["throttlingException"],
            true,
        ),
        (
            Fault::ErrorEvent { after: 0, error: overloaded.aws_type("ModelStreamErrorException") },
            &["modelStreamErrorException"],
            true,
        ),
    ] {
        simulator.script(MODEL, fault.clone());
        let (messages, whole) = messages(converse(&simulator, "converse-stream").await).await;
        assert_eq!((names(&messages), whole), (expected.to_vec(), is_whole), "{fault:?}");
    }
}

#[tokio::test]
async fn an_errors_type_is_in_a_header() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script(MODEL, ProviderError::status(StatusCode::TOO_MANY_REQUESTS));
    let response = converse(&simulator, "converse").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let header = response.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
    assert!(header.starts_with("ThrottlingException:http"), "{header}");
    assert_eq!(json_of(response).await, json!({"message": "Simulated error 429 Too Many Requests"}));
}

#[tokio::test]
async fn invoke_model_has_anthropics_answers() {
    let simulator = Simulator::start().await.unwrap();
    let plain = json_of(request(&simulator, "invoke", &claude()).send().await.unwrap()).await;
    assert_eq!((&plain["type"], &plain["stop_reason"]), (&json!("message"), &json!("end_turn")));
    let response = request(&simulator, "invoke-with-response-stream", &claude()).send().await.unwrap();
    let (messages, is_whole) = messages(response).await;
    assert!(is_whole && messages.iter().all(|(name, _)| name == "chunk"));
    let first = BASE64_STANDARD.decode(messages[0].1["bytes"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&first).unwrap()["type"], "message_start");
}

#[tokio::test]
async fn invoke_model_refuses_what_bedrock_refuses() {
    let simulator = Simulator::start().await.unwrap();
    for (field, value) in [("model", json!("m")), ("anthropic_version", json!("2023-06-01"))] {
        let mut body = claude();
        body[field] = value;
        let response = request(&simulator, "invoke", &body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(json_of(response).await["message"].as_str().unwrap().starts_with(field));
    }
}

#[tokio::test]
async fn keys_and_counts() {
    let simulator = Simulator::start().await.unwrap();
    let count =
        json_of(request(&simulator, "count-tokens", &json!({"input": {}})).send().await.unwrap()).await;
    assert!(count["inputTokens"].is_u64());
    simulator.require_key(Some("AKID".to_owned()));
    assert_eq!(converse(&simulator, "converse").await.status(), StatusCode::FORBIDDEN);
    for auth in ["Bearer AKID", "AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/bedrock/aws4_request, x"]
    {
        let request = request(&simulator, "converse", &json!({"messages": []})).header("authorization", auth);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{auth}");
    }
}
