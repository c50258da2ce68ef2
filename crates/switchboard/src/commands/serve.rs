//! `switchboard serve`: the gateway.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, stream};
use gateway::{ActiveKeys, Gateway, Resources, ShutdownMode, Workers};
use manager::{MemoryBudget, ModelManager};
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
};

use super::{Session, banner::Banner, local_circuits, simulated::SimulatedProviders};
use crate::{
    cli::ServeArguments,
    config::{Changes, Config, Sources},
    limits, memory, reload,
    service_manager::ServiceManager,
    traces::Traces,
};

/// Serves until a signal ends it.
///
/// # Errors
/// When the configuration is invalid, or the address cannot be bound.
pub async fn run(session: &Session, arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let open_files = limits::raise_open_files();
    let simulated = match arguments.simulate {
        true => Some(SimulatedProviders::start(session).await?),
        false => None,
    };
    let sources = match &simulated {
        Some(simulated) => simulated.sources(&session.environment, arguments.listen),
        None => session.sources(arguments.listen)?,
    };
    let config = Config::load(&sources)?;
    let circuits = local_circuits::start(&config);
    let manager = ModelManager::new(config.manager_settings(), circuits.clone())?;
    let manager = manager.with_memory_budget(MemoryBudget::new(memory::budget()));
    let manager = manager.with_lines(session.log.calls);
    let manager = Arc::new(manager.with_propagator(session.traces.as_ref().map(Traces::propagator)));
    let settings = gateway::Settings {
        listen: config.server.listen,
        keys: config.keys.accepted.clone(),
        shutdown_timeout: config.server.shutdown_timeout,
        resources: Resources {
            max_connections: limits::max_connections(open_files),
            workers: Workers::start(Handle::current().metrics().num_workers())?,
            dropped_log_lines: session.log.queue.dropped_lines(),
        },
        demo: None,
    };
    let gateway = Gateway::bind(settings, Arc::clone(&manager)).await?;
    if !local_circuits::wait_for_first_read(&circuits).await {
        tracing::warn!("Redis has not responded yet; accepting requests without it");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if config.providers.is_empty() {
        tracing::warn!(
            "no provider configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or add one to [providers]"
        );
    }
    let banner = Banner::new(gateway.address(), &config.routes, &circuits);
    tracing::info!(
        address = %format_args!("http://{}", gateway.address()),
        page = banner.page,
        instance = %circuits.instance(),
        routes = banner.routes,
        providers = config.providers.len(),
        store = banner.store,
        "listening"
    );
    if simulated.is_some() {
        let has_keys = !config.keys.accepted.is_empty();
        SimulatedProviders::print_introduction(session.output, gateway.address(), has_keys)?;
    }
    if io::stdout().is_terminal() {
        banner.print(session.output)?;
    }
    let service_manager = ServiceManager::find(&session.environment);
    let shutdown_requests = shutdown_signals()?.inspect(|_| service_manager.stopping());
    let reload_requests = reload_signals()?;
    let keys = Arc::clone(gateway.keys());
    let running = Running { manager: &manager, keys: &keys };
    service_manager.ready(&format!("serving at http://{}", gateway.address()));
    tokio::select! {
        () = gateway.serve(shutdown_requests) => {}
        () = watch_configuration(session, arguments, sources, config, reload_requests, running),
            if simulated.is_none() => {}
    }
    local_circuits::flush(&circuits).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What a changed configuration changes.
struct Running<'a> {
    manager: &'a ModelManager,
    keys: &'a ActiveKeys,
}

impl Running<'_> {
    /// Takes up providers, routes, policies and keys (Q5); all of them or, if one cannot be, none.
    fn apply(&self, config: &Config) -> anyhow::Result<()> {
        self.keys.check(&config.keys.accepted)?;
        self.manager.replace(config.manager_settings())?;
        self.manager.circuits().set_policies(config.policies.clone());
        self.keys.replace(config.keys.accepted.clone())?;
        Ok(())
    }
}

/// Reloads a changed configuration. The address and `[redis]` need a restart.
async fn watch_configuration(
    session: &Session,
    arguments: &ServeArguments,
    sources: Sources,
    started: Config,
    requests: impl Stream<Item = ()>,
    running: Running<'_>,
) {
    let listen = arguments.listen;
    let mut active = started.clone();
    reload::watch(
        sources,
        requests,
        || session.reread_sources(listen),
        |config| {
            running.apply(&config)?;
            let changes = Changes::new(&started, &active, &config);
            active = config;
            Ok(changes)
        },
    )
    .await;
}

/// An item per SIGHUP.
fn reload_signals() -> anyhow::Result<impl Stream<Item = ()>> {
    let hangup = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    Ok(stream::unfold(hangup, async |mut hangup| Some((hangup.recv().await?, hangup))))
}

/// An item per SIGINT or SIGTERM.
fn shutdown_signals() -> anyhow::Result<impl Stream<Item = ShutdownMode>> {
    let interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    Ok(stream::unfold((interrupt, terminate), async |(mut interrupt, mut terminate)| {
        let mode = tokio::select! {
            _ = interrupt.recv() => ShutdownMode::Immediate,
            _ = terminate.recv() => ShutdownMode::WaitForLb,
        };
        Some((mode, (interrupt, terminate)))
    }))
}
