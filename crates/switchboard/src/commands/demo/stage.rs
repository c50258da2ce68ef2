//! The setup of the demo: two simulated providers behind the real gateway.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use breaker::{ModelKey, Policy, Transition};
use circuits::{Circuits, Policies, Report};
use futures_util::{FutureExt as _, stream};
use gateway::{BindError, DemoProviders, Gateway, Keys, Resources, ShutdownMode};
use manager::{CallLines, ModelManager, OnAuthError, Retry, Route, StreamMode};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use tokio::{sync::oneshot, task::JoinHandle};

use super::providers::{ProviderChange, Providers};

/// The route that callers request.
pub(super) const ROUTE: &str = "demo";

/// The first open period, shorter than the default to keep the demo short.
pub(super) const OPEN_DURATION: Duration = Duration::from_secs(3);

/// More transitions than can happen between two polls.
const MAX_RECENT_TRANSITIONS: usize = 50;

/// How long requests in flight may take at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The port of the gateway, if it is free: that of `switchboard serve`, so that the page has one address.
const PORT: u16 = 4100;

/// Two simulated providers and a gateway with one route over both.
#[derive(Debug)]
pub(super) struct Stage {
    /// The model that fails.
    pub(super) primary: ModelKey,
    /// Its fallback.
    pub(super) backup: ModelKey,
    providers: Arc<Providers>,
    circuits: Circuits,
    address: SocketAddr,
    stop_gateway: oneshot::Sender<()>,
    gateway: JoinHandle<()>,
}

impl Stage {
    /// Starts everything on 127.0.0.1.
    pub(super) async fn start(lines: Option<&'static dyn CallLines>) -> anyhow::Result<Self> {
        let primary = ModelKey::new("primary", "gpt-5")?;
        let backup = ModelKey::new("backup", "gpt-5-mini")?;
        let providers = Arc::new(Providers::start(&primary, &backup).await?);
        let [primary_url, backup_url] = providers.base_urls();
        let policy = Policy { open_duration: OPEN_DURATION, ..Policy::default() };
        let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
        circuits.ready().await;
        let settings = manager::Settings {
            providers: vec![provider_config(&primary, &primary_url)?, provider_config(&backup, &backup_url)?],
            routes: BTreeMap::from([(ROUTE.to_owned(), route(&primary, &backup))]),
            ..manager::Settings::default()
        };
        let manager = Arc::new(ModelManager::new(settings, circuits.clone())?.with_lines(lines));
        let gateway = bind(&manager, &providers).await?;
        let address = gateway.address();
        let (stop_gateway, stopped) = oneshot::channel();
        // A dropped sender ends it too.
        let stops = stream::once(stopped.map(|_| ShutdownMode::Immediate));
        let gateway = tokio::spawn(gateway.serve(stops));
        Ok(Self { primary, backup, providers, circuits, address, stop_gateway, gateway })
    }

    /// Where the gateway listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// By schedule, the primary fails or answers from now on. Returns whether that changes anything.
    pub(super) fn set_outage(&self, outage: bool) -> bool {
        self.providers.set_outage(outage)
    }

    /// What people have broken and healed on the page since the last call.
    pub(super) fn take_changes(&self) -> Vec<ProviderChange> {
        self.providers.take_changes()
    }

    /// Requests sent to the primary, counted by its provider.
    pub(super) fn primary_calls(&self) -> usize {
        self.providers.primary_calls()
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

    /// Stops everything; the providers stop with the last that holds them.
    pub(super) async fn stop(self) {
        // Either fails only if the gateway has stopped already.
        _ = self.stop_gateway.send(());
        _ = self.gateway.await;
    }
}

/// The gateway on [`PORT`], or on a free port if somebody has that.
async fn bind(manager: &Arc<ModelManager>, providers: &Arc<Providers>) -> Result<Gateway, BindError> {
    let bind_to = |port| {
        let demo: Arc<dyn DemoProviders> = Arc::<Providers>::clone(providers);
        let settings = gateway::Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            keys: Keys::default(),
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            resources: Resources::default(),
            demo: Some(demo),
        };
        Gateway::bind(settings, Arc::clone(manager))
    };
    match bind_to(PORT).await {
        Err(BindError::Listen { .. }) => bind_to(0).await,
        bound => bound,
    }
}

fn provider_config(model: &ModelKey, base_url: &str) -> anyhow::Result<ProviderConfig> {
    Ok(ProviderConfig::new(model.provider(), ProviderKind::OpenAi, base_url.parse()?))
}

fn route(primary: &ModelKey, backup: &ModelKey) -> Route {
    Route {
        models: vec![primary.clone().into(), backup.clone().into()],
        retry: Retry::default(),
        timeouts: Timeouts::default(),
        stream: StreamMode::default(),
        hedge_after: None,
        on_auth_error: OnAuthError::default(),
    }
}
