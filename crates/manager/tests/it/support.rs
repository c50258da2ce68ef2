//! A manager between a test and its simulated providers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use breaker::{ModelKey, Policy};
use bytes::Bytes;
use circuits::{CallSource, Circuits, Permit, Policies, Refusal};
use dialects::{Endpoint, Request};
use futures_util::StreamExt;
use http::HeaderMap;
use manager::{
    Body, BufferLimit, Call, CallError, Events, ModelManager, OnAuthError, Reply, Response, Retry, Route,
    Settings, StreamMode,
};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use simulator::Simulator;

/// The longest wait of a test.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Two OpenAI providers (`openai`, `backup`) and two of Anthropic's (`anthropic`, `vertex`), on two simulators: the
/// first of each kind on `first`, the others on `second`.
pub(crate) struct Fixture {
    pub(crate) first: Simulator,
    pub(crate) second: Simulator,
    pub(crate) manager: Arc<ModelManager>,
    pub(crate) circuits: Circuits,
    /// Whose the last call was: a circuit may refuse it alone (B12).
    last_source: Mutex<Option<CallSource>>,
}

/// The settings of a test.
pub(crate) struct TestConfig {
    pub(crate) retry: Retry,
    pub(crate) timeouts: Timeouts,
    pub(crate) on_auth_error: OnAuthError,
    pub(crate) policy: Policy,
    pub(crate) stream: StreamMode,
    pub(crate) hedge_after: Option<Duration>,
    pub(crate) buffer_limit: BufferLimit,
    /// Of all providers.
    pub(crate) stream_usage: Option<bool>,
}

impl TestConfig {
    /// A route over these models with this configuration.
    pub(crate) fn route(&self, models: &[&str]) -> Route {
        Route {
            models: models.iter().map(|key| key.parse().unwrap()).collect(),
            retry: self.retry,
            timeouts: self.timeouts,
            stream: self.stream,
            hedge_after: self.hedge_after,
            on_auth_error: self.on_auth_error,
        }
    }
}

impl Default for TestConfig {
    /// Two attempts with hardly a delay; one failure trips, for a minute.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            retry: Retry {
                max_attempts: 2,
                initial_backoff: Duration::from_millis(2),
                max_retry_after: Duration::from_millis(400),
            },
            timeouts: Timeouts { total: TEST_TIMEOUT, ..Timeouts::default() },
            on_auth_error: OnAuthError::Report,
            stream: StreamMode::PassThrough,
            hedge_after: None,
            buffer_limit: BufferLimit::default(),
            stream_usage: None,
            policy: Policy {
                failure_threshold: 1,
                min_failure_span: Duration::ZERO,
                burst_threshold: 1,
                open_duration: minute,
                max_open_duration: minute,
                ..Policy::default()
            },
        }
    }
}

/// A policy that never trips, for tests of retries.
pub(crate) fn never_trips() -> Policy {
    Policy { failure_threshold: 1_000, burst_threshold: 1_000, failure_rate: None, ..Policy::default() }
}

/// The model keys of a route to `chat`: the first model on `first`, the second on `second`.
pub(crate) const CHAT: [&str; 2] = ["openai:m", "backup:m"];
/// The same for Anthropic's API format.
pub(crate) const MESSAGES: [&str; 2] = ["anthropic:m", "vertex:m"];

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(TestConfig::default()).await
    }

    /// With the routes `chat` and `messages` over two models each, and `mixed` over all four.
    pub(crate) async fn with(config: TestConfig) -> Self {
        let (first, second) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
        let provider = |name: &str, kind, url: String| ProviderConfig {
            api_key: Some("key-of-ours".into()),
            stream_usage: config.stream_usage,
            ..ProviderConfig::new(name, kind, url.parse().unwrap())
        };
        let route = |models: &[&str]| config.route(models);
        let settings = Settings {
            providers: vec![
                provider("openai", ProviderKind::OpenAi, first.openai_base_url()),
                provider("backup", ProviderKind::OpenAi, second.openai_base_url()),
                provider("anthropic", ProviderKind::Anthropic, first.anthropic_base_url()),
                provider("vertex", ProviderKind::Anthropic, second.anthropic_base_url()),
            ],
            routes: [
                ("chat".to_owned(), route(&CHAT)),
                ("messages".to_owned(), route(&MESSAGES)),
                ("three".to_owned(), route(&["openai:m", "backup:m", "backup:last"])),
                ("mixed".to_owned(), route(&["anthropic:m", "openai:m", "vertex:m", "backup:m"])),
            ]
            .into(),
            retry: config.retry,
            timeouts: config.timeouts,
            stream: config.stream,
            buffer_limit: config.buffer_limit,
        };
        let circuits = Circuits::in_memory(Policies { default: config.policy, ..Policies::default() });
        let manager = Arc::new(ModelManager::new(settings, circuits.clone()).unwrap());
        Self { first, second, manager, circuits, last_source: Mutex::default() }
    }

    fn remember(&self, call: &Call) {
        let source = CallSource::new(call.caller.clone(), call.request.body().clone());
        *self.last_source.lock().unwrap() = Some(source);
    }

    /// Asks for a permit for the last call, once more.
    async fn admit_again(&self, key: &ModelKey) -> Result<Permit, Refusal> {
        let source = self.last_source.lock().unwrap().clone();
        match source {
            Some(source) => self.circuits.admit_as(key, &source, None).await,
            None => self.circuits.admit(key).await,
        }
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Reply, CallError> {
        self.remember(&call);
        let response = tokio::time::timeout(TEST_TIMEOUT * 2, self.manager.call(call))
            .await
            .expect("the manager keeps its own timeouts");
        response.map(reply_of)
    }

    /// A call with a buffered stream.
    pub(crate) async fn buffered(&self, call: Call) -> Events {
        self.remember(&call);
        match self.manager.call(call).await {
            Ok(Response::Buffered(events)) => events,
            other => panic!("not buffered: {other:?}"),
        }
    }

    /// The circuit's refusal, once it is open.
    pub(crate) async fn refusal(&self, key: &str) -> Refusal {
        let key: ModelKey = key.parse().unwrap();
        let refused = async {
            loop {
                match self.admit_again(&key).await {
                    Err(refusal) => return refusal,
                    Ok(permit) => drop(permit),
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(TEST_TIMEOUT, refused)
            .await
            .unwrap_or_else(|_| panic!("the circuit of {key} stays closed"))
    }

    /// Whether the circuit admits calls, once it has processed all outcomes.
    pub(crate) async fn until_admission_known(&self, key: &str) -> bool {
        let key = key.parse().unwrap();
        self.circuits.wait_idle(&key).await;
        self.admit_again(&key).await.is_ok()
    }

    /// The calls that the first and the second model of `chat` and `messages` have received.
    pub(crate) fn calls(&self) -> (usize, usize) {
        (self.first.traffic().calls("m"), self.second.traffic().calls("m"))
    }
}

/// A call to chat completions.
pub(crate) fn chat(model: &str, stream: bool) -> Call {
    let body = format!(
        r#"{{ "model":"{model}", "messages":[{{"role":"user","content":"the secret prompt"}}],"stream":{stream}, "odd" : 1.50}}"#
    );
    call(Endpoint::ChatCompletions, body)
}

/// A call to messages.
pub(crate) fn messages(model: &str, stream: bool) -> Call {
    let body = format!(
        r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"the secret prompt"}}],"stream":{stream}}}"#
    );
    call(Endpoint::Messages, body)
}

fn call(endpoint: Endpoint, body: String) -> Call {
    Call {
        caller: None,
        allowed_models: None,
        id: "id-1".into(),
        request: Request::parse(endpoint, body.into()).unwrap(),
        headers: HeaderMap::new(),
        fallback: true,
        beta: false,
        client_timeout: None,
        injected_fault: None,
    }
}

/// The reply of a model.
pub(crate) fn reply_of(response: Response) -> Reply {
    match response {
        Response::Reply(reply) => reply,
        Response::Buffered(_) => panic!("a buffered stream"),
    }
}

/// Status and body of a complete response.
pub(crate) fn complete(reply: Reply) -> (u16, Bytes) {
    match reply.body {
        Body::Complete(response) => (response.status.as_u16(), response.body),
        Body::Stream { .. } | Body::Bytes { .. } => panic!("a stream"),
    }
}

/// All events of a stream.
pub(crate) async fn stream_events(reply: Reply) -> Vec<String> {
    match reply.body {
        Body::Stream { events, .. } | Body::Bytes { bytes: events, .. } => collect_events(events).await,
        Body::Complete(response) => panic!("no stream but {response:?}"),
    }
}

/// All events, to the end.
pub(crate) async fn collect_events(events: Events) -> Vec<String> {
    let all = events.map(|event| String::from_utf8(event.unwrap().to_vec()).unwrap()).collect();
    tokio::time::timeout(TEST_TIMEOUT * 2, all).await.expect("the stream ends")
}

/// The text of an OpenAI stream.
pub(crate) fn text_of(events: &[String]) -> String {
    events
        .iter()
        .filter_map(|event| event.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}
