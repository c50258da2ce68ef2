//! The listener, its connections, and their orderly end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use manager::ModelManager;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::{
    Keys,
    app::{App, router},
};

/// The largest request body, in bytes: Anthropic's limit, the largest of those that are spoken.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A connection that sends no whole request head for so long is closed, also between requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// How long answers under way may take to end once the gateway is to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// The pause after `accept` failed, as it does when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0: a free one.
    pub listen: SocketAddr,
    /// Who may call.
    pub keys: Keys,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Anyone on the network could call.
    #[error(
        "listening on {0} needs api_keys, since others than this machine reach it: set [server] api_keys, or listen on 127.0.0.1"
    )]
    NoKeys(SocketAddr),
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
    router: Router,
}

impl Gateway {
    /// Takes the address. Connections queue from here on, and are answered by [`serve`](Self::serve).
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(settings: Settings, manager: Arc<ModelManager>) -> Result<Self, BindError> {
        let Settings { listen, keys } = settings;
        if !listen.ip().is_loopback() && !keys.has_api_keys() {
            return Err(BindError::NoKeys(listen));
        }
        let in_vain = |source| BindError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(in_vain)?;
        let address = listener.local_addr().map_err(in_vain)?;
        let app = App { manager, keys, max_body: MAX_BODY };
        Ok(Self { listener, address, router: router(Arc::new(app)) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` comes; then takes no more connections, and lets answers under way end, for at most
    /// half a minute.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let connections = GracefulShutdown::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, _)) => serve_connection(socket, self.router.clone(), &connections),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut shutdown => break,
            }
        }
        drop(self.listener);
        if tokio::time::timeout(DRAIN, connections.shutdown()).await.is_err() {
            tracing::warn!("some answers had not ended after {} s and are broken off", DRAIN.as_secs());
        }
    }
}

/// Serves one connection in a task of its own, which ends when the client leaves.
fn serve_connection(socket: TcpStream, router: Router, connections: &GracefulShutdown) {
    // Without it three peers in a row stall a stream by 40 ms: Nagle's algorithm against delayed acknowledgements.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service =
        TowerToHyperService::new(router.map_request(|request: Request<Incoming>| request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
