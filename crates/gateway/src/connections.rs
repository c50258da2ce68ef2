//! The open connections, each in a task of its own.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    connection::{Connection, report_end},
    connection_pool::{Admission, ConnectionPool, PoolEntry},
    metrics::{ConnectionMetrics, GaugeGuard},
    refused_requests::RemoteAddress,
    resources::Resources,
    service::Service,
    workers::Workers,
};

/// The delay after `accept` failed, as it does without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The delay before a new connection is admitted, where others have just come.
const ADMISSION_RETRY_DELAY: Duration = Duration::from_millis(5);

/// The same trouble is logged once in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    service: Arc<Service>,
    pool: Arc<ConnectionPool>,
    metrics: ConnectionMetrics,
    workers: Workers,
    tasks: JoinSet<()>,
    /// Ends with this.
    _idle_check: JoinSet<()>,
    /// When trouble with new connections was last logged.
    logged_at: Option<Instant>,
}

impl Connections {
    pub(crate) fn new(service: Service, resources: &Resources, metrics: ConnectionMetrics) -> Self {
        let pool = ConnectionPool::new(resources.max_connections);
        let mut idle_check = JoinSet::new();
        idle_check.spawn(Arc::clone(&pool).close_idle());
        Self {
            service: Arc::new(service),
            pool,
            metrics,
            workers: resources.workers.clone(),
            tasks: JoinSet::new(),
            _idle_check: idle_check,
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
        let mut waited = Duration::ZERO;
        let admission = loop {
            match self.pool.admit(waited) {
                Admission::Wait => sleep(ADMISSION_RETRY_DELAY).await,
                admission => break admission,
            }
            waited += ADMISSION_RETRY_DELAY;
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
        let (service, state) = (Arc::clone(&self.service), Arc::clone(&entry.state));
        let metrics = self.metrics.clone();
        let guard = GaugeGuard::new(&metrics.open);
        let connection = async move |socket| {
            let (_guard, _entry) = (guard, entry);
            let connection = Connection::new(socket, address, service, state, overloaded);
            if let Err(error) = connection.await {
                report_end(&error, &metrics);
            }
        };
        let Some(assignment) = self.workers.assign() else {
            self.tasks.spawn(connection(socket));
            return;
        };
        // A socket belongs to the runtime that it was made in.
        let socket = match socket.into_std() {
            Ok(socket) => socket,
            Err(error) => return tracing::warn!(%error, "failed to hand over a connection"),
        };
        let runtime = assignment.runtime.clone();
        let served = async move {
            let _assignment = assignment;
            match TcpStream::from_std(socket) {
                Ok(socket) => connection(socket).await,
                Err(error) => tracing::warn!(%error, "failed to take over a connection"),
            }
        };
        self.tasks.spawn_on(served, &runtime);
    }

    /// Lets all requests look at the phase of the process.
    pub(crate) fn wake(&self) {
        self.pool.wake_all();
    }

    /// Closes each connection as soon as it is idle.
    pub(crate) async fn shutdown(&mut self) {
        self.pool.end_all();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Closes what is still open.
    pub(crate) async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }
}
