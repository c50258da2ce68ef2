//! A gateway whose first models have faults and whose second ones are well, with the SDKs as its callers.

use std::time::Duration;
use std::{collections::HashMap, sync::Arc};

use circuits::{Circuits, Policies};
use dialects::Dialect;
use gateway::{Gateway, Keys};
use manager::{ModelManager, OnAuthError, Route, StreamMode};
use providers::{ProviderConfig, ProviderKind};
use simulator::{Script, Simulator};

use crate::{
    callers::SdkProcesses,
    case::{Case, REFUSED_FAULT},
    limits,
    provider_api::ProviderApi,
    sdk_errors::SdkErrors,
    table::Mode,
};

pub(crate) struct World {
    pub(crate) first: Simulator,
    pub(crate) second: Simulator,
    /// Nobody listens on its port.
    _refusing: Simulator,
    pub(crate) circuits: Circuits,
    pub(crate) callers: SdkProcesses,
    pub(crate) sdk_errors: SdkErrors,
}

impl World {
    /// With a route for each attempt at each case.
    pub(crate) async fn new(cases: &[Case], attempts: usize, sdk_errors: SdkErrors) -> Self {
        // A request that a kept connection loses is sent again and is no other call (C1): here each has its own.
        let first = simulator::Settings { keep_alive: false, ..simulator::Settings::default() };
        let (first, second) =
            (Simulator::start_with(first).await.unwrap(), Simulator::start().await.unwrap());
        let refusing = Simulator::start().await.unwrap();
        refusing.refuse_connections().await.unwrap();
        let mut routes = HashMap::new();
        for case in cases {
            for attempt in 0..attempts {
                let name = case.name(attempt);
                if case.row.fault != REFUSED_FAULT {
                    let script: Script = case.simulated_fault().parse().unwrap();
                    first.script(name.clone(), script);
                }
                if case.mode != Mode::Direct {
                    routes.insert(name, route(case, attempt));
                }
            }
        }
        let settings = manager::Settings {
            providers: providers(&first, &second, &refusing),
            routes: routes.into_iter().collect(),
            retry: limits::retry(),
            timeouts: limits::timeouts(),
            stream: StreamMode::PassThrough,
            buffer_limit: limits::BUFFER_LIMIT,
        };
        let circuits = Circuits::in_memory(Policies { default: limits::policy(), ..Policies::default() });
        let manager = Arc::new(ModelManager::new(settings, circuits.clone()).unwrap());
        let listen = gateway::Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            keys: Keys::default(),
            shutdown_timeout: Duration::from_secs(1),
            resources: gateway::Resources::default(),
            demo: None,
        };
        let gateway = Gateway::bind(listen, manager).await.unwrap();
        let callers = SdkProcesses::start(&format!("http://{}", gateway.address()));
        tokio::spawn(gateway.serve(futures_util::stream::pending()));
        Self { first, second, _refusing: refusing, circuits, callers, sdk_errors }
    }
}

fn route(case: &Case, attempt: usize) -> Route {
    let mut models = vec![case.first(attempt)];
    if case.has_fallback {
        models.push(case.second(attempt));
    }
    Route {
        models: models.iter().map(|key| key.parse().unwrap()).collect(),
        retry: limits::retry(),
        timeouts: limits::timeouts(),
        stream: if case.mode == Mode::Buffered { StreamMode::Buffer } else { StreamMode::PassThrough },
        hedge_after: None,
        on_auth_error: OnAuthError::Report,
    }
}

/// One for each API format and each simulator.
fn providers(first: &Simulator, second: &Simulator, refusing: &Simulator) -> Vec<ProviderConfig> {
    let mut providers = Vec::new();
    for (suffix, simulator) in [("", first), ("-backup", second), ("-refused", refusing)] {
        for api in ProviderApi::all() {
            let (kind, url) = match api {
                ProviderApi::Converse | ProviderApi::Invoke => {
                    (ProviderKind::Bedrock, simulator.bedrock_base_url())
                }
                ProviderApi::Of(Dialect::BedrockConverse) => panic!("no caller has it"),
                ProviderApi::Of(Dialect::OpenAiChat | Dialect::OpenAiResponses) => {
                    (ProviderKind::OpenAi, simulator.openai_base_url())
                }
                ProviderApi::Of(Dialect::Anthropic) => {
                    (ProviderKind::Anthropic, simulator.anthropic_base_url())
                }
                ProviderApi::Of(Dialect::Gemini) => (ProviderKind::GoogleGenAi, simulator.gemini_base_url()),
            };
            providers.push(ProviderConfig {
                api_key: Some("key-of-ours".into()),
                speaks: Some(vec![api.dialect()]),
                ..ProviderConfig::new(format!("{}{suffix}", api.label()), kind, url.parse().unwrap())
            });
        }
    }
    providers
}
