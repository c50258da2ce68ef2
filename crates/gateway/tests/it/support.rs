//! A gateway between a test's client and its simulated providers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use breaker::Policy;
use circuits::{Circuits, Policies};
use gateway::{Gateway, Keys, Settings};
use manager::{ModelManager, OnAuthError, Retry, Route, StreamMode};
use providers::{Kind, ProviderConfig, Timeouts};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::Simulator;
use tokio::{sync::oneshot, task::JoinHandle};

/// So long a test waits for what must come.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A served gateway. The providers `openai` and `anthropic` are on `first`, `backup` and `vertex` on `second`; the
/// routes `chat` and `messages` have a model on each.
pub(crate) struct World {
    pub(crate) first: Simulator,
    pub(crate) second: Simulator,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) served: JoinHandle<()>,
}

/// Settings of a gateway on a free port of loopback.
pub(crate) fn settings(keys: Keys) -> Settings {
    Settings { listen: "127.0.0.1:0".parse().unwrap(), keys }
}

/// A manager over two simulators.
pub(crate) fn manager(first: &Simulator, second: &Simulator) -> Arc<ModelManager> {
    let provider = |name: &str, kind, url: String| ProviderConfig {
        name: name.to_owned(),
        kind,
        base_url: url.parse().unwrap(),
        api_key: Some("key-of-ours".into()),
    };
    let retry = Retry { attempts: 1, backoff: Duration::from_millis(2), max_wait: Duration::from_millis(50) };
    let timeouts = Timeouts { total: SOON, ..Timeouts::default() };
    let route = |models: [&str; 2]| Route {
        models: models.iter().map(|key| key.parse().unwrap()).collect(),
        retry,
        timeouts,
        stream: StreamMode::Relay,
        hedge_after: None,
        on_auth_error: OnAuthError::Report,
    };
    let settings = manager::Settings {
        providers: vec![
            provider("openai", Kind::OpenAi, first.openai_base_url()),
            provider("backup", Kind::OpenAi, second.openai_base_url()),
            provider("anthropic", Kind::Anthropic, first.anthropic_base_url()),
            provider("vertex", Kind::Anthropic, second.anthropic_base_url()),
        ],
        routes: [
            ("chat".to_owned(), route(["openai:m", "backup:m"])),
            ("messages".to_owned(), route(["anthropic:m", "vertex:m"])),
        ]
        .into(),
        retry,
        timeouts,
        stream: StreamMode::Relay,
        largest_held: manager::LargestHeld::default(),
    };
    let policy = Policy {
        failure_threshold: 1,
        failure_span: Duration::ZERO,
        failure_burst: 1,
        open_for: Duration::from_secs(40),
        open_for_max: Duration::from_secs(40),
        open_for_jitter: 0.0,
        ..Policy::default()
    };
    let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
    Arc::new(ModelManager::new(settings, circuits).unwrap())
}

impl World {
    /// Without keys.
    pub(crate) async fn new() -> Self {
        Self::with_keys(Keys::default()).await
    }

    /// With the API key `caller` and the admin key `boss`.
    pub(crate) async fn locked() -> Self {
        Self::with_keys(Keys::new(vec!["caller".into()], vec!["boss".into()])).await
    }

    async fn with_keys(keys: Keys) -> Self {
        let (first, second) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
        let manager = manager(&first, &second);
        manager.circuits().ready().await;
        let gateway = Gateway::bind(settings(keys), manager).await.unwrap();
        let address = gateway.address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(gateway.serve(async {
            let _ = stopped.await;
        }));
        let client = Client::builder().no_proxy().timeout(SOON * 2).build().unwrap();
        Self { first, second, client, address, stop, served }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
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

/// The answer once the circuits have taken in what was found out: a call's own answer may be there before that.
pub(crate) async fn until_refused(request: impl Fn() -> RequestBuilder) -> Response {
    let refused = async {
        loop {
            let response = request().send().await.unwrap();
            if header(&response, "x-switchboard-error") == Some("circuit_open") {
                return response;
            }
        }
    };
    tokio::time::timeout(SOON, refused).await.expect("the circuits stay closed")
}

/// A response's header.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// The gateway's own error in OpenAI's shape: status, code, type and message.
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
