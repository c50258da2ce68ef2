//! `switchboard serve`: the gateway.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use futures_util::{Stream, stream};
use gateway::{Gateway, Keys, Resources, ShutdownMode};
use manager::{MemoryBudget, ModelManager};
use tokio::signal::unix::{SignalKind, signal};

use super::{Session, local_circuits};
use crate::{
    cli::ServeArguments,
    config::{Config, ServerConfig, Sources},
    limits, memory, reload,
    traces::Traces,
};

/// Serves until a signal ends it.
///
/// # Errors
/// When the configuration is invalid, or the address cannot be bound.
pub async fn run(session: &Session, arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let open_files = limits::raise_open_files();
    let sources = session.sources(arguments.listen)?;
    let config = Config::load(&sources)?;
    let circuits = local_circuits::start(&config);
    let manager = ModelManager::new(config.manager_settings(), circuits.clone())?;
    let manager = manager.with_memory_budget(MemoryBudget::new(memory::budget()));
    let manager = Arc::new(manager.with_propagator(session.traces.as_ref().map(Traces::propagator)));
    let settings = gateway::Settings {
        listen: config.server.listen,
        keys: keys(&config.server),
        shutdown_timeout: config.server.shutdown_timeout,
        resources: Resources {
            max_connections: limits::max_connections(open_files),
            dropped_log_lines: session.log.dropped_lines(),
        },
    };
    let gateway = Gateway::bind(settings, Arc::clone(&manager)).await?;
    if !local_circuits::wait_for_first_read(&circuits).await {
        tracing::warn!("Redis has not responded yet; accepting requests without it");
    }
    if config.providers.is_empty() {
        tracing::warn!(
            "no provider configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or add one to [providers]"
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
    local_circuits::flush(&circuits).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn keys(server: &ServerConfig) -> Keys {
    Keys::new(server.api_keys.clone(), server.admin_keys.clone())
}

/// Reloads a changed configuration: routes, providers and policies. `[server]` and `[redis]` need a restart.
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
