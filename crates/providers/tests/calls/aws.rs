//! Helpers of the tests about Bedrock.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::{BufMut as _, Bytes};
use dialects::Endpoint;
use http::HeaderMap;
use providers::{
    AwsEnvironment, AwsSettings, Provider, ProviderConfig, ProviderError, ProviderKind, ProviderRequest,
    ProviderResponse, Timeouts,
};
use serde_json::json;

use crate::http_server::Received;

pub(crate) const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const SECRET: &str = "the-secret/access+key";
pub(crate) const TOKEN: &str = "the-session/token==";

/// The variables of an account without any role of its machine.
pub(crate) const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIDVARIABLES"),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

pub(crate) fn bedrock(base_url: &str, variables: &[(&str, &str)]) -> Provider {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let environment = AwsEnvironment::read(|name| variables.get(name).map(|value| (*value).to_owned()));
    let config = ProviderConfig {
        api_key: variables.get("AWS_BEARER_TOKEN_BEDROCK").map(|key| (*key).into()),
        aws: Some(AwsSettings { region: REGION.to_owned(), profile: None, environment }),
        ..ProviderConfig::new("aws", ProviderKind::Bedrock, base_url.parse().unwrap())
    };
    Provider::new(config, Duration::from_secs(5)).unwrap()
}

/// A call by Anthropic's API.
pub(crate) async fn ask(
    provider: &Provider,
    endpoint: Endpoint,
    stream: bool,
) -> Result<ProviderResponse, ProviderError> {
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-beta", "context-1m-2025-08-07".parse().unwrap());
    headers.insert("anthropic-version", "2023-06-01".parse().unwrap());
    headers.insert("x-amzn-bedrock-trace", "ENABLED".parse().unwrap());
    headers.insert("accept", "text/event-stream".parse().unwrap());
    let body = json!({"model": "planner", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "my secret"}]});
    provider
        .call(&ProviderRequest {
            beta: false,
            wants_meta: true,
            withhold_usage: false,
            endpoint,
            model: CLAUDE,
            body: &body.to_string().into(),
            tail: None,
            translation: None,
            stream,
            json_array: false,
            headers: &headers,
            timeouts: &Timeouts::default(),
        })
        .await
}

/// The bytes of a message of AWS' format.
pub(crate) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.put_u8(name.len().try_into().unwrap());
        encoded.put_slice(name.as_bytes());
        encoded.put_u8(7);
        encoded.put_u16(value.len().try_into().unwrap());
        encoded.put_slice(value.as_bytes());
    }
    let mut message = Vec::new();
    message.put_u32((encoded.len() + payload.len() + 16).try_into().unwrap());
    message.put_u32(encoded.len().try_into().unwrap());
    message.put_u32(crc32fast::hash(&message));
    message.put_slice(&encoded);
    message.put_slice(payload);
    message.put_u32(crc32fast::hash(&message));
    message
}

/// InvokeModel's message for one of Anthropic's events.
pub(crate) fn chunk(event: &str) -> Vec<u8> {
    let payload = json!({"bytes": BASE64.encode(event), "p": "abcdefgh"}).to_string();
    message(&[(":event-type", "chunk"), (":message-type", "event")], payload.as_bytes())
}

pub(crate) fn exception(name: &str) -> Vec<u8> {
    let headers = [(":message-type", "exception"), (":exception-type", name)];
    message(&headers, br#"{"message":"the words of AWS"}"#)
}

/// The key that a request names, if the signature is right for what has come, as AWS computes it.
pub(crate) fn verified_key(request: &Received, secret: &str) -> Option<String> {
    let authorization = request.header("authorization").strip_prefix("AWS4-HMAC-SHA256 ")?;
    let field = |name: &str| {
        authorization.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap()
    };
    let names = field("SignedHeaders");
    let values = names.split(';').map(|name| format!("{name}:{}\n", request.header(name).trim()));
    // Colons, percent signs and the like are encoded once more than they are sent.
    let path: String = request
        .path
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let hash = sha256(&request.body);
    let canonical = format!("{}\n{path}\n\n{}\n{names}\n{hash}", request.method, values.collect::<String>());
    let (key, scope) = field("Credential").split_once('/')?;
    let time = request.header("x-amz-date");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let first = format!("AWS4{secret}").into_bytes();
    let signing_key = scope.split('/').fold(first, |key, part| mac(&key, part.as_bytes()));
    (field("Signature") == hex(&mac(&signing_key, to_sign.as_bytes()))).then(|| key.to_owned())
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A whole answer of Claude.
pub(crate) const ANSWER: &str = r#"{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;

/// The events of one.
pub(crate) const EVENTS: [&str; 6] = [
    r#"{"type":"message_start","message":{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi, é"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
    r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":2}}"#,
];

/// The same as Anthropic would send them.
pub(crate) fn as_anthropics(events: &[&str]) -> String {
    let name = |event: &str| event.split('"').nth(3).unwrap().to_owned();
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect()
}

pub(crate) fn body_of(response: ProviderResponse) -> Bytes {
    match response {
        ProviderResponse::Complete(response) => response.body,
        ProviderResponse::Streaming(_) => panic!("an unexpected stream"),
    }
}
