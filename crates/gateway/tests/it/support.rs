//! A gateway between a test's client and its simulated providers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use breaker::Policy;
use circuits::{Circuits, Policies};
use futures_util::stream;
use gateway::{ActiveKeys, Gateway, Key, KeyDigest, Keys, Resources, Role, Settings, ShutdownMode};
use manager::{
    AllowedModels, BufferLimit, MemoryBudget, ModelManager, OnAuthError, Retry, Route, StreamMode,
};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::Simulator;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

/// How long a test waits for an event that must happen.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A served gateway. The providers `openai` and `anthropic` are on `first`, `backup` and `vertex` on `second`; the
/// routes `chat` and `messages` have a model on each.
pub(crate) struct World {
    pub(crate) first: Simulator,
    pub(crate) second: Simulator,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) manager: Arc<ModelManager>,
    pub(crate) keys: Arc<ActiveKeys>,
    pub(crate) stop: UnboundedSender<ShutdownMode>,
    pub(crate) server: JoinHandle<()>,
}

/// Settings of a gateway on a free port of loopback.
pub(crate) fn settings(keys: Keys) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        keys,
        shutdown_timeout: TEST_TIMEOUT * 2,
        resources: Resources::default(),
        demo: None,
    }
}

/// A key whose text is its name.
pub(crate) fn key(name: &str, role: Role) -> Key {
    Key::new(name.parse().unwrap(), KeyDigest::of(name.as_bytes()), role)
}

/// Keys of callers, whose texts are their names, and the admin key `boss`.
pub(crate) fn keys(callers: &[&str]) -> Keys {
    let callers = callers.iter().map(|name| key(name, Role::Caller));
    Keys::new(callers.chain([key("boss", Role::Admin)]).collect()).unwrap()
}

/// What these patterns cover.
pub(crate) fn allowed_models(patterns: &[&str]) -> AllowedModels {
    AllowedModels::new(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
}

/// The settings that a test may change.
pub(crate) struct Setup {
    pub(crate) keys: Keys,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) retry: Retry,
    pub(crate) timeouts: Timeouts,
    pub(crate) stream: StreamMode,
    pub(crate) hedge_after: Option<Duration>,
    pub(crate) policy: Policy,
    pub(crate) buffer_limit: BufferLimit,
    /// Another OpenAI provider in place of the first simulator.
    pub(crate) first_url: Option<String>,
    /// Another limit of connections.
    pub(crate) max_connections: Option<usize>,
    /// Another limit of what bodies and buffered streams take, in bytes.
    pub(crate) memory_budget: Option<usize>,
}

impl Default for Setup {
    /// No keys; one attempt a model; one failure trips, for 40 s.
    fn default() -> Self {
        let policy = Policy {
            failure_threshold: 1,
            min_failure_span: Duration::ZERO,
            burst_threshold: 1,
            open_duration: Duration::from_secs(40),
            max_open_duration: Duration::from_secs(40),
            open_jitter: 0.0,
            ..Policy::default()
        };
        Self {
            keys: Keys::default(),
            shutdown_timeout: TEST_TIMEOUT * 2,
            retry: Retry {
                max_attempts: 1,
                initial_backoff: Duration::from_millis(2),
                max_retry_after: Duration::from_millis(50),
            },
            timeouts: Timeouts { total: TEST_TIMEOUT, ..Timeouts::default() },
            stream: StreamMode::PassThrough,
            hedge_after: None,
            policy,
            buffer_limit: BufferLimit::default(),
            first_url: None,
            max_connections: None,
            memory_budget: None,
        }
    }
}

/// A policy that trips on nothing.
pub(crate) fn never_trips() -> Policy {
    Policy { failure_threshold: 1_000, burst_threshold: 1_000, failure_rate: None, ..Policy::default() }
}

/// A manager over two simulators.
pub(crate) fn manager(first: &Simulator, second: &Simulator, setup: &Setup) -> Arc<ModelManager> {
    let provider = |name: &str, kind, url: String| ProviderConfig {
        api_key: Some("key-of-ours".into()),
        ..ProviderConfig::new(name, kind, url.parse().unwrap())
    };
    let Setup { retry, timeouts, .. } = *setup;
    let first_url = setup.first_url.clone().unwrap_or_else(|| first.openai_base_url());
    let route = |models: [&str; 2]| Route {
        models: models.iter().map(|key| key.parse().unwrap()).collect(),
        retry,
        timeouts,
        stream: setup.stream,
        hedge_after: setup.hedge_after,
        on_auth_error: OnAuthError::Report,
    };
    let settings = manager::Settings {
        providers: vec![
            provider("openai", ProviderKind::OpenAi, first_url),
            provider("backup", ProviderKind::OpenAi, second.openai_base_url()),
            provider("anthropic", ProviderKind::Anthropic, first.anthropic_base_url()),
            provider("vertex", ProviderKind::Anthropic, second.anthropic_base_url()),
        ],
        routes: [
            ("chat".to_owned(), route(["openai:m", "backup:m"])),
            ("messages".to_owned(), route(["anthropic:m", "vertex:m"])),
        ]
        .into(),
        retry,
        timeouts,
        stream: StreamMode::PassThrough,
        buffer_limit: setup.buffer_limit,
    };
    let circuits = Circuits::in_memory(Policies { default: setup.policy.clone(), ..Policies::default() });
    let memory = setup.memory_budget.map(MemoryBudget::new).unwrap_or_default();
    Arc::new(ModelManager::new(settings, circuits).unwrap().with_memory_budget(memory))
}

impl World {
    /// Without keys.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// With the API key `caller` and the admin key `boss`.
    pub(crate) async fn with_keys() -> Self {
        Self::with(Setup { keys: keys(&["caller"]), ..Setup::default() }).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let (first, second) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
        let manager = manager(&first, &second, &setup);
        Self::serve(first, second, manager, setup).await
    }

    /// A gateway with this manager over the simulators.
    pub(crate) async fn serve(
        first: Simulator,
        second: Simulator,
        manager: Arc<ModelManager>,
        setup: Setup,
    ) -> Self {
        manager.circuits().ready().await;
        let mut settings = Settings { shutdown_timeout: setup.shutdown_timeout, ..settings(setup.keys) };
        if let Some(max_connections) = setup.max_connections {
            settings.resources.max_connections = max_connections;
        }
        let gateway = Gateway::bind(settings, Arc::clone(&manager)).await.unwrap();
        let (address, keys) = (gateway.address(), Arc::clone(gateway.keys()));
        let (stop, stops) = unbounded_channel();
        let stops = stream::unfold(stops, async |mut stops| Some((stops.recv().await?, stops)));
        let server = tokio::spawn(gateway.serve(Box::pin(stops)));
        let client = Client::builder().no_proxy().timeout(TEST_TIMEOUT * 2).build().unwrap();
        Self { first, second, client, address, manager, keys, stop, server }
    }

    /// The value of a metric, by its name and labels as they are written.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until no call is in flight in the gateway.
    pub(crate) async fn wait_until_idle(&self) {
        let idle = async { while self.metric("switchboard_calls_in_flight").await != Some(0.0) {} };
        tokio::time::timeout(TEST_TIMEOUT, idle).await.expect("the calls end");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.url(path))
    }

    /// A call to chat completions.
    pub(crate) fn chat(&self, model: &str, stream: bool) -> RequestBuilder {
        let messages = json!([{ "role": "user", "content": "the secret prompt" }]);
        let body = json!({ "model": model, "messages": messages, "stream": stream });
        self.client.post(self.url("/v1/chat/completions")).json(&body)
    }

    /// A call to messages.
    pub(crate) fn messages(&self, model: &str, stream: bool) -> RequestBuilder {
        let messages = json!([{ "role": "user", "content": "the secret prompt" }]);
        let body = json!({ "model": model, "max_tokens": 9, "messages": messages, "stream": stream });
        let post = self.client.post(self.url("/v1/messages"));
        post.header("anthropic-version", "2023-06-01").json(&body)
    }
}

/// The response once the circuits have counted the failures: a call's own response may arrive before that.
pub(crate) async fn call_until_rejected(request: impl Fn() -> RequestBuilder) -> Response {
    let rejected = async {
        loop {
            let response = request().send().await.unwrap();
            if header(&response, "x-switchboard-error") == Some("circuit_open") {
                return response;
            }
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, rejected).await.expect("the circuits stay closed")
}

/// Reads until `text` has arrived.
pub(crate) async fn read_until(response: &mut Response, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let chunk =
            tokio::time::timeout(TEST_TIMEOUT, response.chunk()).await.expect("more comes soon").unwrap();
        read.push_str(std::str::from_utf8(&chunk.unwrap_or_else(|| panic!("ended after {read}"))).unwrap());
    }
    read
}

/// A response's header.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// One of the gateway's own errors in OpenAI's shape: status, code, type and message.
pub(crate) async fn openai_error(response: Response) -> (u16, String, String, String) {
    let status = response.status().as_u16();
    let code = header(&response, "x-switchboard-error").expect("an error of the gateway's own").to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], code, "{body}");
    let text = |field: &str| body["error"][field].as_str().unwrap().to_owned();
    (status, code, text("type"), text("message"))
}

/// The same in Anthropic's.
pub(crate) async fn anthropic_error(response: Response) -> (u16, String, String, String) {
    let status = response.status().as_u16();
    let code = header(&response, "x-switchboard-error").expect("an error of the gateway's own").to_owned();
    let id = header(&response, "x-request-id").unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!(id)), "{body}");
    let text = |field: &str| body["error"][field].as_str().unwrap().to_owned();
    (status, code, text("type"), text("message"))
}

/// A provider that answers one call with a stream of this piece again and again, for as long as anybody takes it. It returns
/// how many bytes that was.
pub(crate) async fn endless_sse(piece: String) -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let sending = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = socket.read(&mut request).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        while socket.write_all(piece.as_bytes()).await.is_ok() {
            sent += piece.len();
        }
        sent
    });
    (url, sending)
}
