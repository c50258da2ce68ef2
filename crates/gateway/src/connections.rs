//! The open connections, each in a task of its own.

use std::{convert::Infallible, error::Error as _, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep},
};
use tower::ServiceExt as _;

use crate::{
    auth,
    client_socket::{ClientSocket, ClientTimeout},
    connection_pool::{Admission, ConnectionPool, PoolEntry},
    connection_state::{ConnectionPhase, ConnectionState},
    error::{Error, dialect_of},
    headers,
    metrics::{ConnectionMetrics, GaugeGuard},
    refused_requests::RemoteAddress,
    request_path, request_rules,
    tracked_body::TrackedBody,
    unread_body::{self, RequestBody},
};

/// A connection that completes no request head in this time is closed, also between requests.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// The limit of a request's head, and of what is read ahead or waits to be written, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The delay after `accept` failed, as it does without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The delay before a new connection is admitted, where others have just come.
const ADMISSION_RETRY_DELAY: Duration = Duration::from_millis(5);

/// The same trouble is logged once in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    router: Router,
    pool: Arc<ConnectionPool>,
    metrics: ConnectionMetrics,
    graceful: GracefulShutdown,
    tasks: JoinSet<()>,
    /// When trouble with new connections was last logged.
    logged_at: Option<Instant>,
}

impl Connections {
    pub(crate) fn new(router: Router, max_connections: usize, metrics: ConnectionMetrics) -> Self {
        Self {
            router,
            pool: ConnectionPool::new(max_connections),
            metrics,
            graceful: GracefulShutdown::new(),
            tasks: JoinSet::new(),
            logged_at: None,
        }
    }

    pub(crate) async fn accept(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        while self.tasks.try_join_next().is_some() {}
        let (socket, address) = match accepted {
            Ok((socket, address)) => (socket, RemoteAddress(address)),
            Err(error) => {
                if self.may_log() {
                    tracing::warn!(%error, "failed to accept a connection");
                }
                return sleep(ACCEPT_RETRY_DELAY).await;
            }
        };
        let admission = loop {
            match self.pool.admit() {
                Admission::Wait => sleep(ADMISSION_RETRY_DELAY).await,
                admission => break admission,
            }
        };
        match admission {
            Admission::Served(entry, evicted) => {
                self.metrics.closed("stranger", evicted.strangers);
                self.metrics.closed("idle", evicted.idle);
                self.serve(socket, address, entry, false);
            }
            Admission::Overloaded(entry) => {
                self.report_overload();
                self.serve(socket, address, entry, true);
            }
            Admission::Rejected | Admission::Wait => self.report_overload(),
        }
    }

    /// C8: that this machine has no more descriptors is nobody's failure, but somebody has to hear of it.
    fn report_overload(&mut self) {
        self.metrics.closed("overloaded", 1);
        if self.may_log() {
            tracing::error!(
                "too many connections, and a request in flight on each: new ones get 503 overloaded; \
                 raise ulimit -n / LimitNOFILE, or add instances"
            );
        }
    }

    fn may_log(&mut self) -> bool {
        let may_log = self.logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL);
        if may_log {
            self.logged_at = Some(Instant::now());
        }
        may_log
    }

    /// Serves one connection, until it closes; `overloaded`: with nothing but an error.
    fn serve(&mut self, socket: TcpStream, address: RemoteAddress, entry: PoolEntry, overloaded: bool) {
        // Without it each hop can delay a stream by 40 ms: Nagle's algorithm waits for a delayed acknowledgement.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        let (router, state) = (self.router.clone(), Arc::clone(&entry.state));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(address);
            let (router, state) = (router.clone(), Arc::clone(&state));
            async move { Ok::<_, Infallible>(respond(router, state, request, overloaded).await) }
        });
        let socket = ClientSocket::new(socket, Arc::clone(&entry.state));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(socket), service);
        let connection = self.graceful.watch(connection);
        let metrics = self.metrics.clone();
        let guard = GaugeGuard::new(&metrics.open);
        self.tasks.spawn(async move {
            let _guard = guard;
            let mut connection = pin!(connection);
            let result = tokio::select! {
                biased;
                result = &mut connection => result,
                () = entry.state.close_requested() => return,
            };
            if let Err(error) = result {
                report_end(&error, &metrics);
            }
        });
    }

    /// Closes each connection as soon as it is idle.
    pub(crate) async fn shutdown(&mut self) {
        let graceful = std::mem::take(&mut self.graceful).shutdown();
        tokio::join!(graceful, async { while self.tasks.join_next().await.is_some() {} });
    }

    /// Closes what is still open.
    pub(crate) async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// A client that stops reading keeps a provider's stream open, so that end is logged; others come and go.
fn report_end(error: &hyper::Error, metrics: &ConnectionMetrics) {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let timeout = source.and_then(|error| error.get_ref()?.downcast_ref::<ClientTimeout>());
    match timeout {
        Some(ClientTimeout::Write) => {
            metrics.closed("write_timeout", 1);
            tracing::info!("connection closed: {}", ClientTimeout::Write);
        }
        Some(ClientTimeout::Head) => {
            metrics.closed("head_timeout", 1);
            tracing::debug!("connection closed: {}", ClientTimeout::Head);
        }
        None => tracing::debug!(%error, "connection closed early"),
    }
}

/// Answers one request.
async fn respond(
    router: Router,
    state: Arc<ConnectionState>,
    request: Request<Incoming>,
    overloaded: bool,
) -> Response<TrackedBody> {
    if !state.enter(ConnectionPhase::InRequest) {
        // It has to close, and begins nothing.
        return std::future::pending().await;
    }
    let awaits_continue = request.headers().contains_key(header::EXPECT);
    let mut request = request.map(|body| RequestBody::new(body, awaits_continue, Arc::clone(&state)));
    let rejection = if overloaded {
        let message = "the gateway has too many connections; retry the request";
        Some(Error::overloaded(message.to_owned()))
    } else {
        let invalid = |message: &str| Error::invalid_request(message.to_owned()).with_connection_close();
        request_rules::violation(request.uri(), request.headers()).map(invalid)
    };
    let response = match rejection {
        Some(error) => {
            let response = reject(&error, request.uri(), request.headers());
            drop(request);
            response
        }
        None => {
            // Before anything looks at it: what needs a key is decided by the path that is then served.
            if let Some(uri) = request_path::usual(request.uri()) {
                *request.uri_mut() = uri;
            }
            let shows_key = !state.is_known() && !auth::is_public(request.uri().path());
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(infallible) => match infallible {},
            };
            if shows_key && !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                state.mark_known();
            }
            response
        }
    };
    // A client that is slow to send its body has its error at once.
    if let Some(rest) = state.take_unread()
        && response.status() != StatusCode::REQUEST_TIMEOUT
    {
        unread_body::discard(rest).await;
    }
    response.map(|body| TrackedBody::new(body, state))
}

fn reject(error: &Error, uri: &Uri, request_headers: &HeaderMap) -> Response {
    let id = auth::request_id(request_headers);
    let mut response = error.respond(dialect_of(uri.path(), request_headers), &id);
    response.headers_mut().insert(headers::REQUEST_ID, id);
    response
}
