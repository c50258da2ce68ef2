//! The listener and its connections.

use std::{future::pending, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use manager::ModelManager;
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tower::ServiceExt;

use crate::{
    active_keys::{ActiveKeys, MissingApiKeys},
    feed::Feed,
    keys::Keys,
    metrics::{GaugeGuard, Metrics},
    rejected_keys::{RejectedKeys, RemoteAddress},
    router::router,
    shutdown::{Lifecycle, Phase, ShutdownMode},
    state::App,
};

/// The limit of a request's body, in bytes: Anthropic's, the largest of all API formats.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// A connection that completes no request head in this time is closed, also between requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// The time for aborted requests to receive their error.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// The interval at which a draining gateway checks whether its calls have ended.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The delay after `accept` failed, as it does without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The settings of a gateway.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Port 0: a free one.
    pub listen: SocketAddr,
    /// The keys that are accepted.
    pub keys: Keys,
    /// The limit for draining requests in flight once the shutdown starts.
    pub shutdown_timeout: Duration,
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
    lifecycle: Arc<Lifecycle>,
    shutdown_timeout: Duration,
}

impl Gateway {
    /// Binds the address. Connections queue from here on, until [`serve`](Self::serve) accepts them.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(settings: Settings, manager: Arc<ModelManager>) -> Result<Self, BindError> {
        let Settings { listen, keys, shutdown_timeout } = settings;
        let keys = Arc::new(ActiveKeys::new(keys, listen)?);
        let to_bind_error = |source| BindError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(to_bind_error)?;
        let address = listener.local_addr().map_err(to_bind_error)?;
        let lifecycle = Lifecycle::new();
        let rejected_keys = Arc::new(RejectedKeys::default());
        let metrics = Metrics::new(&manager, &rejected_keys);
        let open_connections = metrics.connections.clone();
        let app = App {
            manager: Arc::clone(&manager),
            keys: Arc::clone(&keys),
            rejected_keys,
            max_body_bytes: MAX_BODY_BYTES,
            lifecycle: Arc::clone(&lifecycle),
            metrics,
            feed: Feed::new(manager.circuits().clone(), Arc::clone(manager.metrics())),
            permit_registry: Arc::default(),
        };
        let connections = Connections::new(router(Arc::new(app)), open_connections);
        Ok(Self { listener, address, keys, connections, manager, lifecycle, shutdown_timeout })
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
        let Self { listener, mut connections, lifecycle, shutdown_timeout, manager, .. } = self;
        let mut shutdown_requests = pin!(shutdown_requests.chain(pending().into_stream()));
        let mode = loop {
            tokio::select! {
                accepted = listener.accept() => connections.accept(accepted).await,
                Some(mode) = shutdown_requests.next() => break mode,
            }
        };
        let since = Instant::now();
        lifecycle.enter(Phase::Draining);
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
            // A client that does not read misses its error.
            let _ = timeout(ABORT_GRACE, connections.shutdown()).await;
        }
        connections.tasks.shutdown().await;
    }
}

/// The open connections, each in a task of its own.
#[derive(Debug)]
struct Connections {
    router: Router,
    gauge: Gauge,
    graceful: GracefulShutdown,
    tasks: JoinSet<()>,
}

impl Connections {
    fn new(router: Router, gauge: Gauge) -> Self {
        Self { router, gauge, graceful: GracefulShutdown::new(), tasks: JoinSet::new() }
    }

    async fn accept(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        while self.tasks.try_join_next().is_some() {}
        match accepted {
            Ok((socket, address)) => self.serve(socket, RemoteAddress(address)),
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }

    /// Serves one connection, until it closes.
    fn serve(&mut self, socket: TcpStream, address: RemoteAddress) {
        // Without it each hop can delay a stream by 40 ms: Nagle's algorithm waits for a delayed acknowledgement.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        let router = self.router.clone();
        let service = TowerToHyperService::new(router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(address);
            request.map(Body::new)
        }));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .serve_connection(TokioIo::new(socket), service);
        let connection = self.graceful.watch(connection);
        let guard = GaugeGuard::new(&self.gauge);
        self.tasks.spawn(async move {
            let _guard = guard;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection closed early");
            }
        });
    }

    /// Closes each connection as soon as it is idle.
    async fn shutdown(&mut self) {
        let graceful = std::mem::take(&mut self.graceful).shutdown();
        tokio::join!(graceful, async { while self.tasks.join_next().await.is_some() {} });
    }
}
