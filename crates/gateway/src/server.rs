//! The listener and its connections, from the first to the last.

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
    Keys,
    app::{App, router},
    feed::Feed,
    metrics::{GaugeGuard, Metrics},
    shutdown::{Lifecycle, Phase, ShutdownMode},
};

/// The largest request body, in bytes: Anthropic's limit, the largest of those that are spoken.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// A connection that sends no whole request head for so long is closed, also between requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// What is broken off has so long to be told so.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// So often a stopping gateway looks whether its calls have ended.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The pause after `accept` failed, as it does when there are no file descriptors left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0: a free one.
    pub listen: SocketAddr,
    /// Who may call.
    pub keys: Keys,
    /// How long calls under way may take to end once the gateway is to stop.
    pub shutdown_timeout: Duration,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Anyone on the network could call.
    #[error(
        "listening on {0} needs api_keys, since others than this machine reach it: set [server] api_keys, or listen on 127.0.0.1"
    )]
    MissingApiKeys(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; choose another with [server] listen or --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A gateway that has its address and can be served.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    connections: Connections,
    manager: Arc<ModelManager>,
    lifecycle: Arc<Lifecycle>,
    shutdown_timeout: Duration,
}

impl Gateway {
    /// Takes the address. Connections queue from here on, and are answered by [`serve`](Self::serve).
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(settings: Settings, manager: Arc<ModelManager>) -> Result<Self, BindError> {
        let Settings { listen, keys, shutdown_timeout } = settings;
        if !listen.ip().is_loopback() && !keys.has_api_keys() {
            return Err(BindError::MissingApiKeys(listen));
        }
        let to_bind_error = |source| BindError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(to_bind_error)?;
        let address = listener.local_addr().map_err(to_bind_error)?;
        let lifecycle = Lifecycle::new();
        let metrics = Metrics::new(&manager);
        let open_connections = metrics.connections.clone();
        let app = App {
            manager: Arc::clone(&manager),
            keys,
            max_body_bytes: MAX_BODY_BYTES,
            lifecycle: Arc::clone(&lifecycle),
            metrics,
            feed: Feed::new(manager.circuits().clone(), Arc::clone(manager.metrics())),
            permit_registry: Arc::default(),
        };
        let connections = Connections::new(router(Arc::new(app)), open_connections);
        Ok(Self { listener, address, connections, manager, lifecycle, shutdown_timeout })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the first of `stops` comes; then refuses new calls and lets those under way end, for at most
    /// [`Settings::drain`]. A second one cuts that short. What has not ended by then is broken off, and told so.
    pub async fn serve(self, shutdown_requests: impl Stream<Item = ShutdownMode>) {
        let Self { listener, mut connections, lifecycle, shutdown_timeout, manager, .. } = self;
        let mut shutdown_requests = pin!(shutdown_requests.chain(pending().into_stream()));
        let mode = loop {
            tokio::select! {
                accepted = listener.accept() => connections.accept(accepted).await,
                Some(stop) = shutdown_requests.next() => break stop,
            }
        };
        let since = Instant::now();
        lifecycle.enter(Phase::Draining);
        tracing::info!(
            "stopping: new calls are refused, those under way have {} s",
            shutdown_timeout.as_secs_f64()
        );
        let deadline = async {
            tokio::select! {
                () = sleep(shutdown_timeout) => tracing::warn!("some calls had not ended after {} s (server.shutdown_timeout)", shutdown_timeout.as_secs_f64()),
                _ = shutdown_requests.next() => tracing::warn!("told to stop again: calls under way are broken off"),
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
            // Who does not read by now never gets its last word.
            let _ = timeout(ABORT_GRACE, connections.shutdown()).await;
        }
        connections.tasks.shutdown().await;
    }
}

/// The connections that are open, each in a task of its own.
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
            Ok((socket, _)) => self.serve(socket),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }

    /// Serves one connection, until the client leaves.
    fn serve(&mut self, socket: TcpStream) {
        // Without it three peers in a row stall a stream by 40 ms: Nagle's algorithm against delayed acknowledgements.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let router = self.router.clone();
        let service =
            TowerToHyperService::new(router.map_request(|request: Request<Incoming>| request.map(Body::new)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .serve_connection(TokioIo::new(socket), service);
        let connection = self.graceful.watch(connection);
        let guard = GaugeGuard::new(&self.gauge);
        self.tasks.spawn(async move {
            let _guard = guard;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }

    /// Closes connections as soon as they have nothing to answer.
    async fn shutdown(&mut self) {
        let graceful = std::mem::take(&mut self.graceful).shutdown();
        tokio::join!(graceful, async { while self.tasks.join_next().await.is_some() {} });
    }
}
