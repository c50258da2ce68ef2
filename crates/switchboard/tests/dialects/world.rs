//! A gateway in this process, with a provider of each format behind it.

use std::sync::Arc;
use std::time::Duration;

use circuits::{Circuits, Policies};
use gateway::{Gateway, Keys};
use manager::{ModelManager, Retry, StreamMode};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use reqwest::Client;
use serde_json::Value;
use simulator::Simulator;

use crate::aws_stream;
use crate::format::Format;
use crate::matters::{MATTERS, Provider};
use crate::recorded::RecordedProvider;
use crate::said;

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) recorded: RecordedProvider,
    client: Client,
    gateway: String,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) translated: Option<String>,
    pub(crate) dropped: Vec<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn said(&self, format: Format, stream: bool) -> Value {
        said::read(format, self.status, &self.body, stream)
    }

    async fn of(response: reqwest::Response) -> Self {
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let dropped = header("x-switchboard-dropped").unwrap_or_default();
        Self {
            status: response.status().as_u16(),
            translated: header("x-switchboard-translated"),
            dropped: dropped.split(", ").filter(|field| !field.is_empty()).map(str::to_owned).collect(),
            error_code: header("x-switchboard-error"),
            // A stream that was cut has no end; what came of it counts.
            body: read_all(response).await,
        }
    }
}

async fn read_all(mut response: reqwest::Response) -> String {
    let content_type = response.headers().get("content-type");
    let is_binary = content_type.is_some_and(|value| value == aws_stream::CONTENT_TYPE);
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
    }
    if is_binary { aws_stream::read(&body) } else { String::from_utf8(body).unwrap() }
}

/// Models that people use, by the format of their provider: what a model can do decides what it is sent.
const fn model(provider: Format) -> &'static str {
    match provider {
        Format::Chat => "qwen3-32b",
        Format::Responses => "gpt-5.2",
        Format::Messages => "claude-sonnet-4-6",
        Format::Gemini => "gemini-3-pro",
        Format::Converse => "us.amazon.nova-pro",
    }
}

/// The model of a call: no other call has it.
pub(crate) fn model_name(provider: Format, matter: &str, caller: Format, mode: &str) -> String {
    format!("{}-m-{matter}-{caller}-{mode}", model(provider))
}

impl World {
    pub(crate) async fn new() -> Self {
        let simulator = Simulator::start().await.unwrap();
        for provider in Format::PROVIDERS {
            for matter in MATTERS {
                let Provider::Simulated(behaviour) = &matter.provider else { continue };
                for caller in Format::ALL {
                    for mode in ["plain", "stream"] {
                        simulator
                            .script(model_name(provider, matter.name, caller, mode), behaviour(provider));
                    }
                }
            }
        }
        let recorded = RecordedProvider::start().await;
        let retry = Retry { max_attempts: 1, ..Retry::default() };
        let settings = manager::Settings {
            providers: providers(&simulator, &recorded),
            retry,
            timeouts: Timeouts { total: Duration::from_secs(20), ..Timeouts::default() },
            stream: StreamMode::PassThrough,
            ..manager::Settings::default()
        };
        let circuits = Circuits::in_memory(Policies::default());
        let manager = Arc::new(ModelManager::new(settings, circuits).unwrap());
        manager.circuits().ready().await;
        let listen = gateway::Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            keys: Keys::default(),
            shutdown_timeout: Duration::from_secs(1),
            resources: gateway::Resources::default(),
            demo: None,
        };
        let gateway = Gateway::bind(listen, manager).await.unwrap();
        let address = format!("http://{}", gateway.address());
        tokio::spawn(gateway.serve(futures_util::stream::pending()));
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { simulator, recorded, client, gateway: address }
    }

    /// A call through the gateway.
    pub(crate) async fn call(&self, caller: Format, model: &str, body: &Value, stream: bool) -> Answer {
        let url = format!("{}{}", self.gateway, caller.path("v1beta", model, stream));
        let request = self.client.post(url).header("anthropic-version", "2023-06-01").json(body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// The same request again as the provider received it, without the gateway.
    pub(crate) async fn call_directly(
        &self,
        provider: Format,
        is_recorded: bool,
        model: &str,
        received: &Value,
        stream: bool,
    ) -> Answer {
        let base = if is_recorded { self.recorded.url() } else { self.simulator.anthropic_base_url() };
        let url = format!("{base}{}", provider.path("v1beta", model, stream));
        let request = self.client.post(url).header("anthropic-version", "2023-06-01").json(received);
        Answer::of(request.send().await.unwrap()).await
    }

    /// What the provider received for this model.
    pub(crate) async fn received(&self, is_recorded: bool, model: &str) -> Vec<Value> {
        if is_recorded {
            return self.recorded.received_for(model);
        }
        let mut received = Vec::new();
        // Without a copy of all the traffic, of which there is much.
        let look = self.simulator.wait_until(|traffic| {
            let bodies =
                traffic.received_for(model).map(|request| serde_json::from_slice(&request.body).unwrap());
            received = bodies.collect();
            true
        });
        look.await;
        received
    }
}

fn providers(simulator: &Simulator, recorded: &RecordedProvider) -> Vec<ProviderConfig> {
    let mut providers = Vec::new();
    for (suffix, base) in [("", simulator.anthropic_base_url()), ("-recorded", recorded.url())] {
        for format in Format::PROVIDERS {
            let (kind, version) = match format {
                Format::Chat | Format::Responses => (ProviderKind::OpenAi, "/v1"),
                Format::Messages => (ProviderKind::Anthropic, ""),
                Format::Gemini => (ProviderKind::GoogleGenAi, "/v1beta"),
                Format::Converse => (ProviderKind::Bedrock, ""),
            };
            providers.push(ProviderConfig {
                api_key: Some("key-of-ours".into()),
                speaks: Some(vec![format.dialect()]),
                ..ProviderConfig::new(
                    format!("{format}{suffix}"),
                    kind,
                    format!("{base}{version}").parse().unwrap(),
                )
            });
        }
    }
    providers
}
