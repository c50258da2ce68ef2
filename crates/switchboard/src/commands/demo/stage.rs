//! The setup of the demo: two simulated providers behind the real gateway.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use breaker::{ModelKey, Policy, Transition};
use circuits::{Circuits, Policies, Report};
use futures_util::{FutureExt as _, stream};
use gateway::{Gateway, Keys, Resources, ShutdownMode};
use manager::{ModelManager, OnAuthError, Retry, Route, StreamMode};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use simulator::{Behaviour, ProviderError, Simulator};
use tokio::{sync::oneshot, task::JoinHandle};

/// The route that callers request.
pub(super) const ROUTE: &str = "demo";

/// The first open period, shorter than the default to keep the demo short.
pub(super) const OPEN_DURATION: Duration = Duration::from_secs(3);

/// More transitions than can happen between two polls.
const MAX_RECENT_TRANSITIONS: usize = 50;

/// How long requests in flight may take at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The time until a provider responds.
const PROVIDER_LATENCY: Duration = Duration::from_millis(40);

/// Two simulated providers and a gateway with one route over both.
#[derive(Debug)]
pub(super) struct Stage {
    /// The model that fails.
    pub(super) primary: ModelKey,
    /// Its fallback.
    pub(super) backup: ModelKey,
    primary_provider: Simulator,
    backup_provider: Simulator,
    circuits: Circuits,
    address: SocketAddr,
    stop_gateway: oneshot::Sender<()>,
    gateway: JoinHandle<()>,
}

impl Stage {
    /// Starts everything on free ports of 127.0.0.1.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let primary = ModelKey::new("primary", "gpt-5")?;
        let backup = ModelKey::new("backup", "gpt-5-mini")?;
        let primary_provider = start_provider().await?;
        let backup_provider = start_provider().await?;
        let policy = Policy { open_duration: OPEN_DURATION, ..Policy::default() };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        circuits.ready().await;
        let settings = manager::Settings {
            providers: vec![
                provider_config(&primary, &primary_provider)?,
                provider_config(&backup, &backup_provider)?,
            ],
            routes: BTreeMap::from([(ROUTE.to_owned(), route(&primary, &backup))]),
            ..manager::Settings::default()
        };
        let manager = Arc::new(ModelManager::new(settings, circuits.clone())?);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let keys = Keys::default();
        let gateway = Gateway::bind(
            gateway::Settings {
                listen,
                keys,
                shutdown_timeout: SHUTDOWN_TIMEOUT,
                resources: Resources::default(),
            },
            manager,
        )
        .await?;
        let address = gateway.address();
        let (stop_gateway, stopped) = oneshot::channel();
        // A dropped sender ends it too.
        let stops = stream::once(stopped.map(|_| ShutdownMode::Immediate));
        let gateway = tokio::spawn(gateway.serve(stops));
        Ok(Self {
            primary,
            backup,
            primary_provider,
            backup_provider,
            circuits,
            address,
            stop_gateway,
            gateway,
        })
    }

    /// Where the gateway listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the primary answers every request with HTTP 503.
    pub(super) fn fail(&self) {
        let overloaded = Behaviour::from(ProviderError::overloaded()).latency(PROVIDER_LATENCY);
        self.primary_provider.script(self.primary.model(), overloaded);
    }

    /// From now on the primary answers every request.
    pub(super) fn recover(&self) {
        self.primary_provider.script(self.primary.model(), healthy());
    }

    /// Requests sent to the primary, counted by its provider.
    pub(super) fn primary_calls(&self) -> usize {
        self.primary_provider.traffic().calls(self.primary.model())
    }

    /// The primary's last transitions, oldest first.
    pub(super) async fn transitions(&self) -> anyhow::Result<Vec<Transition>> {
        let mut transitions = self.circuits.history(&self.primary, MAX_RECENT_TRANSITIONS).await?;
        transitions.reverse();
        Ok(transitions)
    }

    /// The current circuit of the primary.
    pub(super) fn circuit(&self) -> Option<Report> {
        self.circuits.reports().into_iter().find(|report| report.key == self.primary)
    }

    /// Stops everything.
    pub(super) async fn stop(self) {
        // Either fails only if the gateway has stopped already.
        _ = self.stop_gateway.send(());
        _ = self.gateway.await;
        self.primary_provider.stop().await;
        self.backup_provider.stop().await;
    }
}

async fn start_provider() -> anyhow::Result<Simulator> {
    // Recorded requests would let a long demo grow without bound.
    let settings = simulator::Settings {
        default_behaviour: healthy(),
        record_requests: false,
        ..simulator::Settings::default()
    };
    Simulator::start_with(settings).await.context("cannot listen on 127.0.0.1 for a simulated provider")
}

const fn healthy() -> Behaviour {
    Behaviour::ok().latency(PROVIDER_LATENCY).gap(Duration::from_millis(10)).words(8)
}

fn provider_config(model: &ModelKey, simulator: &Simulator) -> anyhow::Result<ProviderConfig> {
    Ok(ProviderConfig {
        name: model.provider().to_owned(),
        kind: ProviderKind::OpenAi,
        base_url: simulator.openai_base_url().parse()?,
        api_key: None,
        aws: None,
        google: None,
        speaks: None,
        ca_file: None,
        stream_usage: None,
        forward: Vec::new(),
    })
}

fn route(primary: &ModelKey, backup: &ModelKey) -> Route {
    Route {
        models: vec![primary.clone(), backup.clone()],
        retry: Retry::default(),
        timeouts: Timeouts::default(),
        stream: StreamMode::default(),
        hedge_after: None,
        on_auth_error: OnAuthError::default(),
    }
}
