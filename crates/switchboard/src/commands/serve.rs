//! `switchboard serve`: the gateway.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use breaker::InstanceId;
use circuits::{Circuits, MemoryStore, RedisStore, Settings, Store};
use futures_util::{Stream, stream};
use gateway::{Gateway, Keys, ShutdownMode};
use manager::ModelManager;
use tokio::signal::unix::{SignalKind, signal};

use super::Session;
use crate::{
    cli::ServeArguments,
    config::{Config, RedisConfig, RedisUrl, ServerConfig, Sources},
    limits, reload,
    traces::Traces,
};

/// Redis has so long to be read before the first call is taken (F2); after that, calls go on without it (F3).
const STARTUP_READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The circuits have so long to write what they learnt last.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until it is told to stop.
///
/// # Errors
/// When the configuration is wrong or the address cannot be had.
pub async fn run(session: &Session, arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    limits::raise_open_files();
    let sources = session.sources(arguments.listen)?;
    let config = Config::load(&sources)?;
    let circuits = start_circuits(&config);
    let manager = ModelManager::new(config.manager_settings(), circuits.clone())?;
    let manager = Arc::new(manager.with_propagator(session.traces.as_ref().map(Traces::propagator)));
    let settings = gateway::Settings {
        listen: config.server.listen,
        keys: keys(&config.server),
        shutdown_timeout: config.server.shutdown_timeout,
    };
    let gateway = Gateway::bind(settings, Arc::clone(&manager)).await?;
    if tokio::time::timeout(STARTUP_READ_TIMEOUT, circuits.ready()).await.is_err() {
        tracing::warn!("Redis has not answered yet; calls are taken without it until it does");
    }
    if config.providers.is_empty() {
        tracing::warn!(
            "no provider is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or name one in [providers]"
        );
    }
    tracing::info!(
        address = %format_args!("http://{}", gateway.address()),
        instance = %circuits.instance(),
        routes = config.routes.len(),
        providers = config.providers.len(),
        "listening"
    );
    let shutdown_requests = shutdown_signals()?;
    tokio::select! {
        () = gateway.serve(shutdown_requests) => {}
        () = watch_configuration(session, arguments, sources, &manager) => {}
    }
    if tokio::time::timeout(FLUSH_TIMEOUT, circuits.flush()).await.is_err() {
        tracing::warn!("the circuits' last changes could not all be told");
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The circuits of this process, in the store that the configuration names.
fn start_circuits(config: &Config) -> Circuits {
    let settings = Settings {
        policies: config.policies.clone(),
        store_optional: !config.redis.explicit,
        ..Settings::new(new_instance_id())
    };
    Circuits::start(open_store(&config.redis), settings)
}

fn open_store(redis: &RedisConfig) -> Arc<dyn Store> {
    match &redis.url {
        RedisUrl::Memory => Arc::new(MemoryStore::default()),
        RedisUrl::Redis(address) => Arc::new(RedisStore::start(address.clone())),
    }
}

/// A name that tells this process from all others, short enough for a table.
fn new_instance_id() -> InstanceId {
    let id = uuid::Uuid::new_v4().simple().to_string();
    InstanceId::new(&id[..8])
}

fn keys(server: &ServerConfig) -> Keys {
    Keys::new(server.api_keys.clone(), server.admin_keys.clone())
}

/// Takes up a changed file: what a call needs at once, what the listener needs at the next start.
async fn watch_configuration(
    session: &Session,
    arguments: &ServeArguments,
    sources: Sources,
    manager: &ModelManager,
) {
    let listen = arguments.listen;
    reload::watch(
        sources,
        || session.reread_sources(listen),
        |config| {
            manager.replace(config.manager_settings())?;
            manager.circuits().set_policies(config.policies);
            Ok(())
        },
    )
    .await;
}

/// An item for each SIGINT or SIGTERM that comes.
fn shutdown_signals() -> anyhow::Result<impl Stream<Item = ShutdownMode>> {
    let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(stream::unfold((interrupt, terminate), async |(mut interrupt, mut terminate)| {
        let mode = tokio::select! {
            _ = interrupt.recv() => ShutdownMode::Immediate,
            _ = terminate.recv() => ShutdownMode::WaitForLb,
        };
        Some((mode, (interrupt, terminate)))
    }))
}
