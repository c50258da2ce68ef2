//! What the demo plays on: two simulated providers, and the real gateway before them.

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
use gateway::{Gateway, Keys, ShutdownMode};
use manager::{ModelManager, OnAuthError, Retry, Route, StreamMode};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use simulator::{Behaviour, ProviderError, Simulator};
use tokio::{sync::oneshot, task::JoinHandle};

/// The route that callers name as the model.
pub(super) const ROUTE: &str = "demo";

/// The first open period; shorter than the default, so that the story need not be waited for.
pub(super) const OPEN_DURATION: Duration = Duration::from_secs(3);

/// More transitions than can happen between two looks.
const MAX_RECENT_TRANSITIONS: usize = 50;

/// At its end, calls under way have so long.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// A provider takes so long until it speaks or refuses.
const PROVIDER_LATENCY: Duration = Duration::from_millis(40);

/// Two simulated providers and a gateway with one route over both.
#[derive(Debug)]
pub(super) struct Stage {
    /// The model that fails.
    pub(super) primary: ModelKey,
    /// The model that stands in for it.
    pub(super) backup: ModelKey,
    first: Simulator,
    second: Simulator,
    circuits: Circuits,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    gateway: JoinHandle<()>,
}

impl Stage {
    /// Sets it up on free ports of 127.0.0.1.
    pub(super) async fn set() -> anyhow::Result<Self> {
        let primary = ModelKey::new("primary", "gpt-5")?;
        let backup = ModelKey::new("backup", "gpt-5-mini")?;
        let first = start_provider().await?;
        let second = start_provider().await?;
        let policy = Policy { open_duration: OPEN_DURATION, ..Policy::default() };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        circuits.ready().await;
        let settings = manager::Settings {
            providers: vec![provider_config(&primary, &first)?, provider_config(&backup, &second)?],
            routes: BTreeMap::from([(ROUTE.to_owned(), route(&primary, &backup))]),
            ..manager::Settings::default()
        };
        let manager = Arc::new(ModelManager::new(settings, circuits.clone())?);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let keys = Keys::new(Vec::new(), Vec::new());
        let gateway =
            Gateway::bind(gateway::Settings { listen, keys, shutdown_timeout: SHUTDOWN_TIMEOUT }, manager)
                .await?;
        let address = gateway.address();
        let (stop, stopped) = oneshot::channel();
        // A sender that is gone is an end too.
        let stops = stream::once(stopped.map(|_| ShutdownMode::Immediate));
        let gateway = tokio::spawn(gateway.serve(stops));
        Ok(Self { primary, backup, first, second, circuits, address, stop, gateway })
    }

    /// Where the gateway listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the primary refuses every call.
    pub(super) fn fail(&self) {
        let refusal = Behaviour::from(ProviderError::overloaded()).latency(PROVIDER_LATENCY);
        self.first.script(self.primary.model(), refusal);
    }

    /// From now on the primary answers every call.
    pub(super) fn recover(&self) {
        self.first.script(self.primary.model(), healthy());
    }

    /// Calls that have reached the primary, by its own count.
    pub(super) fn primary_calls(&self) -> usize {
        self.first.traffic().calls(self.primary.model())
    }

    /// The primary's last transitions, oldest first.
    pub(super) async fn transitions(&self) -> anyhow::Result<Vec<Transition>> {
        let mut transitions = self.circuits.history(&self.primary, MAX_RECENT_TRANSITIONS).await?;
        transitions.reverse();
        Ok(transitions)
    }

    /// The primary's circuit as it is now.
    pub(super) fn circuit(&self) -> Option<Report> {
        self.circuits.reports().into_iter().find(|report| report.key == self.primary)
    }

    /// Ends all of it.
    pub(super) async fn clear(self) {
        // An error of either means that the gateway has ended already.
        _ = self.stop.send(());
        _ = self.gateway.await;
        self.first.stop().await;
        self.second.stop().await;
    }
}

async fn start_provider() -> anyhow::Result<Simulator> {
    // Unrecorded, so that a demo left running does not grow.
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
