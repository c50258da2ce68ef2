//! The listener, and the process's life from bind to shutdown.

use std::{future::pending, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use manager::ModelManager;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    active_keys::{ActiveKeys, MissingApiKeys},
    connections::Connections,
    demo_providers::DemoProviders,
    fair_share::FairShare,
    feed::Feed,
    fleet::Fleet,
    keys::Keys,
    metrics::Metrics,
    refused_requests::RefusedRequests,
    resources::Resources,
    service::Service,
    shutdown::{Lifecycle, Phase, ShutdownMode},
    state::App,
};

/// The limit of a request's body, in bytes: Anthropic's, the largest of all API formats.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// The time for aborted requests to receive their error.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// The interval at which a draining gateway checks whether its calls have ended.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The kernel's buffer for what a client has not taken yet, in bytes; it doubles it. Left to itself, the kernel keeps up to
/// 4 MiB of a stream that nobody reads.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// The settings of a gateway.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Port 0: a free one.
    pub listen: SocketAddr,
    /// The keys that are accepted.
    pub keys: Keys,
    /// The limit for draining requests in flight once the shutdown starts.
    pub shutdown_timeout: Duration,
    /// What the process has, and callers share.
    pub resources: Resources,
    /// The simulated providers, if this gateway is a demonstration.
    pub demo: Option<Arc<dyn DemoProviders>>,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Without API keys, anyone on the network could call.
    #[error(transparent)]
    MissingApiKeys(#[from] MissingApiKeys),
    /// The address is not available.
    #[error("cannot listen on {address}: {source}; choose another with [server] listen or --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// A gateway that is bound to its address.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    keys: Arc<ActiveKeys>,
    connections: Connections,
    manager: Arc<ModelManager>,
    fleet: Arc<Fleet>,
    lifecycle: Arc<Lifecycle>,
    shutdown_timeout: Duration,
}

impl Gateway {
    /// Binds the address. Connections queue from here on, until [`serve`](Self::serve) accepts them.
    ///
    /// # Errors
    /// See [`BindError`].
    #[expect(clippy::unused_async, reason = "its callers need not change when it waits for something")]
    pub async fn bind(settings: Settings, manager: Arc<ModelManager>) -> Result<Self, BindError> {
        let Settings { listen, keys, shutdown_timeout, resources, demo } = settings;
        let keys = Arc::new(ActiveKeys::new(keys, listen)?);
        let to_bind_error = |source| BindError::Listen { address: listen, source };
        let listener = bind(listen).map_err(to_bind_error)?;
        let address = listener.local_addr().map_err(to_bind_error)?;
        let lifecycle = Lifecycle::new();
        let refused_requests = Arc::new(RefusedRequests::new());
        let metrics = Metrics::new(&manager, &resources, &refused_requests);
        let connection_metrics = metrics.connections.clone();
        let fleet = Fleet::new(Arc::clone(&manager), demo);
        let app = App {
            manager: Arc::clone(&manager),
            keys: Arc::clone(&keys),
            refused_requests,
            max_body_bytes: MAX_BODY_BYTES,
            lifecycle: Arc::clone(&lifecycle),
            metrics,
            feed: Feed::new(Arc::clone(&fleet)),
            fleet: Arc::clone(&fleet),
            permit_registry: Arc::default(),
            fair_share: FairShare::new(resources.max_connections),
        };
        let service = Service::new(Arc::new(app));
        let connections = Connections::new(service, &resources, connection_metrics);
        Ok(Self { listener, address, keys, connections, manager, fleet, lifecycle, shutdown_timeout })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The keys in force, which a changed configuration replaces.
    #[must_use]
    pub const fn keys(&self) -> &Arc<ActiveKeys> {
        &self.keys
    }

    /// Serves until the first of `shutdown_requests`. Then it rejects new calls and drains those in flight, for at most
    /// [`Settings::shutdown_timeout`]. A second request ends that early. What has not ended by then is aborted with an
    /// error.
    pub async fn serve(self, shutdown_requests: impl Stream<Item = ShutdownMode>) {
        let Self { listener, mut connections, lifecycle, shutdown_timeout, manager, fleet, .. } = self;
        // Dropped with this future, it ends.
        let mut heartbeats = JoinSet::new();
        heartbeats.spawn(Arc::clone(&fleet).run());
        let mut shutdown_requests = pin!(shutdown_requests.chain(pending().into_stream()));
        let mode = loop {
            tokio::select! {
                accepted = listener.accept() => connections.accept(accepted).await,
                Some(mode) = shutdown_requests.next() => break mode,
            }
        };
        let since = Instant::now();
        lifecycle.enter(Phase::Draining);
        connections.wake();
        tracing::info!(
            "shutting down: draining in-flight requests for up to {} s",
            shutdown_timeout.as_secs_f64()
        );
        let deadline = async {
            tokio::select! {
                () = sleep(shutdown_timeout) => tracing::warn!(
                    "shutdown timeout: aborting in-flight requests after {} s (server.shutdown_timeout)",
                    shutdown_timeout.as_secs_f64()
                ),
                _ = shutdown_requests.next() => tracing::warn!("second signal: aborting in-flight requests"),
            }
        };
        let mut deadline = pin!(deadline);
        let drained = async {
            while !lifecycle.is_drained(mode, since) {
                tokio::select! {
                    accepted = listener.accept() => connections.accept(accepted).await,
                    () = sleep(DRAIN_POLL_INTERVAL) => {}
                }
            }
        };
        let mut in_time = tokio::select! {
            () = drained => true,
            () = &mut deadline => false,
        };
        drop(listener);
        if in_time {
            in_time = tokio::select! {
                () = connections.shutdown() => true,
                () = &mut deadline => false,
            };
        }
        if !in_time {
            manager.mark_aborting();
            lifecycle.enter(Phase::Aborting);
            connections.wake();
            // A client that does not read misses its error.
            let _ = timeout(ABORT_GRACE, connections.shutdown()).await;
        }
        connections.abort().await;
        heartbeats.shutdown().await;
        fleet.withdraw().await;
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
