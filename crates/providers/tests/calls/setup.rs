//! Helpers of all tests here.

use std::time::Duration;

use bytes::Bytes;
use dialects::Endpoint;
use http::HeaderMap;
use providers::{
    CompleteResponse, EventStream, Provider, ProviderConfig, ProviderError, ProviderKind, ProviderRequest,
    ProviderResponse, StreamEvent, Timeouts,
};
use serde_json::json;
use simulator::{Script, Simulator};

pub(crate) const MODEL: &str = "a-model";
pub(crate) const KEY: &str = "sk-providers-own";
pub(crate) const KINDS: [ProviderKind; 2] = [ProviderKind::OpenAi, ProviderKind::Anthropic];

/// A simulator whose model follows a script, and a provider of this kind that calls it.
pub(crate) async fn simulated(kind: ProviderKind, script: impl Into<Script>) -> (Simulator, Provider) {
    let simulator = Simulator::start().await.unwrap();
    simulator.script(MODEL, script);
    let base_url = match kind {
        ProviderKind::OpenAi => simulator.openai_base_url(),
        _ => simulator.anthropic_base_url(),
    };
    let provider = provider(kind, &base_url);
    (simulator, provider)
}

pub(crate) fn provider(kind: ProviderKind, base_url: &str) -> Provider {
    let config = ProviderConfig {
        api_key: Some(KEY.to_owned().into()),
        ..ProviderConfig::new("simulated", kind, base_url.parse().unwrap())
    };
    Provider::new(config, Duration::from_secs(5)).unwrap()
}

pub(crate) fn endpoint(kind: ProviderKind) -> Endpoint {
    match kind {
        ProviderKind::OpenAi => Endpoint::ChatCompletions,
        _ => Endpoint::Messages,
    }
}

pub(crate) fn body(stream: bool) -> Bytes {
    let body = json!({
        "model": MODEL, "stream": stream, "max_tokens": 99, "messages": [{"role": "user", "content": "my secret"}],
    });
    body.to_string().into()
}

/// Makes a call without headers of the caller.
pub(crate) async fn call(
    provider: &Provider,
    stream: bool,
    timeouts: &Timeouts,
) -> Result<ProviderResponse, ProviderError> {
    let endpoint = endpoint(provider.kind());
    let headers = HeaderMap::new();
    provider.call(&request(endpoint, &body(stream), stream, &headers, timeouts)).await
}

/// A request as it came, for [`MODEL`].
pub(crate) fn request<'a>(
    endpoint: Endpoint,
    body: &'a Bytes,
    stream: bool,
    headers: &'a HeaderMap,
    timeouts: &'a Timeouts,
) -> ProviderRequest<'a> {
    ProviderRequest {
        endpoint,
        model: MODEL,
        body,
        tail: None,
        translation: None,
        stream,
        withhold_usage: false,
        json_array: false,
        beta: false,
        wants_meta: true,
        headers,
        timeouts,
    }
}

pub(crate) async fn plain(provider: &Provider) -> Result<CompleteResponse, ProviderError> {
    match call(provider, false, &Timeouts::default()).await? {
        ProviderResponse::Complete(response) => Ok(response),
        ProviderResponse::Streaming(_) => panic!("an unexpected stream"),
    }
}

pub(crate) async fn open(provider: &Provider) -> Result<EventStream, ProviderError> {
    open_with_timeouts(provider, &Timeouts::default()).await
}

pub(crate) async fn open_with_timeouts(
    provider: &Provider,
    timeouts: &Timeouts,
) -> Result<EventStream, ProviderError> {
    match call(provider, true, timeouts).await? {
        ProviderResponse::Streaming(stream) => Ok(stream),
        ProviderResponse::Complete(_) => panic!("no stream"),
    }
}

/// All events, and how the stream ended.
pub(crate) async fn read_all(stream: &mut EventStream) -> (Vec<StreamEvent>, Result<(), ProviderError>) {
    let mut events = Vec::new();
    loop {
        match stream.next().await {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

pub(crate) fn text(events: &[StreamEvent]) -> String {
    let bytes: Vec<u8> = events.iter().flat_map(|event| event.bytes.clone()).collect();
    String::from_utf8(bytes).unwrap()
}
