//! Providers of all API formats, and a caller of each.

use std::{sync::Arc, time::Duration};

use circuits::{Circuits, Policies};
use dialects::{Dialect, Endpoint, Request};
use http::HeaderMap;
use manager::{Body, Call, CallError, ModelManager, Reply, Response, Settings, StreamMode};
use providers::{ProviderConfig, ProviderKind};
use serde_json::{Value, json};
use simulator::Simulator;

use crate::support::{TEST_TIMEOUT, TestConfig, collect_events, reply_of};

pub(crate) const CLAUDE: &str = "anthropic:claude-sonnet-5";
pub(crate) const GPT: &str = "openai:gpt-5.4";
pub(crate) const GEMINI: &str = "google-genai:gemini-2.5-pro";
/// Amazon Bedrock's: a Claude by InvokeModel, and another maker's by Converse.
pub(crate) const BEDROCK_CLAUDE: &str = "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub(crate) const NOVA: &str = "bedrock:amazon.nova-pro-v1:0";
/// A model of a server that has chat completions alone.
pub(crate) const LOCAL: &str = "local:llama";

/// A simulator for each provider: an account of its own, which refuses what another one signed.
pub(crate) struct Formats {
    pub(crate) anthropic: Simulator,
    pub(crate) openai: Simulator,
    pub(crate) google: Simulator,
    pub(crate) local: Simulator,
    pub(crate) bedrock: Simulator,
    pub(crate) manager: Arc<ModelManager>,
    circuits: Circuits,
}

impl Formats {
    pub(crate) async fn new() -> Self {
        Self::with(TestConfig::default()).await
    }

    /// With the route `planner` over Claude, GPT and Gemini, `local-first` over the local model and GPT, and `local-only`.
    pub(crate) async fn with(config: TestConfig) -> Self {
        Self::with_route(config, &[LOCAL]).await
    }

    /// The same, and the route `agent` over these models.
    pub(crate) async fn with_route(config: TestConfig, agent: &[&str]) -> Self {
        let start = async |name: &str| {
            let settings = simulator::Settings { name: name.to_owned(), ..simulator::Settings::default() };
            Simulator::start_with(settings).await.unwrap()
        };
        let (anthropic, openai) = (start("anthropic").await, start("openai").await);
        let (google, local) = (start("google").await, start("local").await);
        let bedrock = start("bedrock").await;
        let provider = |name: &str, kind, url: String, speaks| ProviderConfig {
            api_key: Some("key-of-ours".into()),
            speaks,
            ..ProviderConfig::new(name, kind, url.parse().unwrap())
        };
        let both = Some(vec![Dialect::OpenAiResponses, Dialect::OpenAiChat]);
        let providers = vec![
            provider("anthropic", ProviderKind::Anthropic, anthropic.anthropic_base_url(), None),
            provider("openai", ProviderKind::OpenAi, openai.openai_base_url(), both),
            provider("google-genai", ProviderKind::GoogleGenAi, google.anthropic_base_url(), None),
            provider("local", ProviderKind::OpenAi, local.openai_base_url(), None),
            provider("bedrock", ProviderKind::Bedrock, bedrock.bedrock_base_url(), None),
        ];
        let route = |models: &[&str]| config.route(models);
        let settings = Settings {
            providers,
            routes: [
                ("planner".to_owned(), route(&[CLAUDE, GPT, GEMINI])),
                ("local-first".to_owned(), route(&[LOCAL, GPT])),
                ("local-only".to_owned(), route(&[LOCAL])),
                ("agent".to_owned(), route(agent)),
            ]
            .into(),
            retry: config.retry,
            timeouts: config.timeouts,
            stream: config.stream,
            buffer_limit: config.buffer_limit,
        };
        let circuits = Circuits::in_memory(Policies { default: config.policy, ..Policies::default() });
        let manager = Arc::new(ModelManager::new(settings, circuits.clone()).unwrap());
        Self { anthropic, openai, google, local, bedrock, manager, circuits }
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let response = tokio::time::timeout(TEST_TIMEOUT * 2, self.manager.call(call)).await.unwrap();
        response.map(reply_of)
    }

    /// All events of a buffered stream.
    pub(crate) async fn buffered(&self, call: Call) -> Vec<String> {
        match self.manager.call(call).await {
            Ok(Response::Buffered(events)) => collect_events(events).await,
            other => panic!("not buffered: {other:?}"),
        }
    }

    /// The model's circuit in words, once it has processed all outcomes; `None`: it has seen no call.
    pub(crate) async fn circuit(&self, key: &str) -> Option<String> {
        let key = key.parse().unwrap();
        self.circuits.wait_idle(&key).await;
        let reports = self.circuits.reports();
        reports.iter().find(|report| report.key == key).map(|report| format!("{:?}", report.state))
    }
}

/// A call of this format with these fields, and with a prompt unless they have one.
pub(crate) fn call(dialect: Dialect, model: &str, stream: bool, fields: Value) -> Call {
    let prompt = "the secret prompt";
    let message = json!([{"role": "user", "content": prompt}]);
    let mut body = match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => json!({"model": model, "stream": stream, "messages": message}),
        Dialect::OpenAiResponses => json!({"model": model, "stream": stream, "input": message}),
        Dialect::Anthropic => {
            json!({"model": model, "stream": stream, "max_tokens": 99, "messages": message})
        }
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
    };
    let Value::Object(fields) = fields else { panic!("no fields: {fields}") };
    body.as_object_mut().unwrap().extend(fields);
    let request = match dialect {
        Dialect::Gemini => Request::with_path_model(
            Endpoint::GenerateContent,
            body.to_string().into(),
            model.to_owned(),
            stream,
            false,
        ),
        _ => Request::parse(Endpoint::generation(dialect), body.to_string().into()),
    };
    with_request(request.unwrap())
}

pub(crate) fn with_request(request: Request) -> Call {
    Call {
        id: "id-1".into(),
        caller: None,
        allowed_models: None,
        request,
        headers: HeaderMap::new(),
        fallback: true,
        beta: false,
        client_timeout: None,
        injected_fault: None,
    }
}

/// What a caller of this format reads as the answer's text.
pub(crate) fn text(dialect: Dialect, answer: &Value) -> String {
    let texts = |items: &Value, is_text: &dyn Fn(&Value) -> bool| -> String {
        let items = items.as_array().into_iter().flatten().filter(|item| is_text(item));
        items.filter_map(|item| item["text"].as_str()).collect()
    };
    match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => {
            answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
        }
        Dialect::OpenAiResponses => {
            let items = answer["output"].as_array().unwrap().iter();
            items.map(|item| texts(&item["content"], &|part| part["type"] == "output_text")).collect()
        }
        Dialect::Anthropic => texts(&answer["content"], &|block| block["type"] == "text"),
        Dialect::Gemini => {
            texts(&answer["candidates"][0]["content"]["parts"], &|part| part["thought"] != true)
        }
    }
}

/// The same of a stream.
pub(crate) fn streamed_text(dialect: Dialect, events: &[String]) -> String {
    let text = |event: &Value| match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => event["choices"][0]["delta"]["content"].as_str().map(str::to_owned),
        Dialect::OpenAiResponses => (event["type"] == "response.output_text.delta")
            .then(|| event["delta"].as_str().unwrap().to_owned()),
        Dialect::Anthropic => event["delta"]["text"].as_str().map(str::to_owned),
        Dialect::Gemini => Some(self::text(dialect, event)),
    };
    data(events).iter().filter_map(text).collect()
}

/// The events' data.
pub(crate) fn data(events: &[String]) -> Vec<Value> {
    let all = events.concat();
    let lines = all.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter_map(|data| serde_json::from_str(data).ok()).collect()
}

/// Whether a caller of this format takes the stream for whole.
pub(crate) fn is_whole(dialect: Dialect, events: &[String]) -> bool {
    let last = events.last().map(String::as_str).unwrap_or_default();
    match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => events.concat().contains("[DONE]"),
        Dialect::OpenAiResponses => events.concat().contains("event: response.completed"),
        Dialect::Anthropic => events.concat().contains("event: message_stop"),
        Dialect::Gemini => last.contains("finishReason"),
    }
}

/// Whether the last event is an error as this format has it.
pub(crate) fn ends_with_error(dialect: Dialect, events: &[String]) -> bool {
    let Some(last) = data(events).pop() else { return false };
    match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat | Dialect::Gemini => last["error"]["message"].is_string(),
        Dialect::OpenAiResponses => last["type"] == "error" || last["type"] == "response.failed",
        Dialect::Anthropic => last["type"] == "error" && last["error"]["type"].is_string(),
    }
}

/// A reply's body, read to its end.
pub(crate) async fn answer(reply: Reply) -> Value {
    match reply.body {
        Body::Complete(response) => serde_json::from_slice(&response.body).unwrap(),
        Body::Stream { .. } | Body::Bytes { .. } => panic!("a stream"),
    }
}

pub(crate) async fn events(reply: Reply) -> Vec<String> {
    match reply.body {
        Body::Stream { events, .. } | Body::Bytes { bytes: events, .. } => collect_events(events).await,
        Body::Complete(response) => panic!("no stream but {response:?}"),
    }
}

/// Buffered streams and the settings of [`TestConfig`].
pub(crate) fn buffered() -> TestConfig {
    TestConfig { stream: StreamMode::Buffer, ..TestConfig::default() }
}

/// Longer than any simulated delay of a test, shorter than its patience.
pub(crate) const SHORT: Duration = Duration::from_millis(300);
