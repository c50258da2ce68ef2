//! A Redis Cluster: a connection to every master, and which of them has a key.
//!
//! Only the master that owns a slot notifies of changes to its keys, so each master has a subscription of its own. The
//! nodes are polled for the slot map; whenever it changes, everything must be read.
//!
//! The Cluster counts as one store, which is reachable only while every master is. If one is missing, each instance uses
//! its local circuit state, as it does without any Redis (F3).

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{ErrorKind, FromRedisValue, RedisError, ServerErrorKind, aio::ConnectionLike};
use arc_swap::ArcSwap;
use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    connection::{CONNECT_TIMEOUT, CommandCounters, Connection, connection_config},
    error::to_store_error,
    node::RedisNode,
    node_connection::{Destination, KEEPALIVE_INTERVAL, ManagedConnection, NodeConnection},
    script::CircuitCommand,
    slot::SLOTS,
    slots_view::{self, NodeSlots, SlotsView},
    subscribers::{ChangeSink, Subscribers},
};
use crate::store::{ChangeNotification, StoreError};

/// How often the slot map is queried. It is also queried when something points to a change.
const REFRESH_INTERVAL: Duration = KEEPALIVE_INTERVAL;

/// The least time between two queries, however much points to a change.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_millis(20);

/// Redirections that a command follows.
const MAX_REDIRECTS: usize = 6;

/// A command waits this long for a new master's connection.
const CONNECT_WAIT: Duration = Duration::from_millis(100);

/// A command waits this long between two attempts while its slot is migrating.
const TRY_AGAIN_DELAY: Duration = Duration::from_millis(10);

/// A Redis Cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    seeds: Vec<RedisNode>,
    counters: Arc<CommandCounters>,
    topology: ArcSwap<Topology>,
    /// Why no node returned the slot map; `None`: one did, or none was queried yet.
    topology_error: Mutex<Option<StoreError>>,
    events: Arc<ClusterEvents>,
    /// Notified when the nodes were queried and their connections checked.
    refreshed: Notify,
}

/// The slot map, and a connection to each master.
#[derive(Debug, Default)]
struct Topology {
    view: SlotsView,
    /// In the order of the view's masters.
    connections: Vec<Arc<ManagedConnection>>,
}

/// What the connections report.
#[derive(Debug, Default)]
struct ClusterEvents {
    subscribers: Subscribers,
    /// Anything may have changed.
    resync_needed: AtomicBool,
    /// Notified when the nodes should be queried.
    refresh_requested: Notify,
}

impl ChangeSink for ClusterEvents {
    fn on_change(&self, change: ChangeNotification) {
        match change {
            ChangeNotification::Key(_) | ChangeNotification::State(_) => {
                return self.subscribers.on_change(change);
            }
            ChangeNotification::Everything => self.resync_needed.store(true, Ordering::Release),
            ChangeNotification::Lost(_) => {}
        }
        self.refresh_requested.notify_one();
    }
}

enum ClusterHealth {
    Complete,
    /// A connection is being made for the first time.
    Connecting,
    Incomplete(StoreError),
}

impl Cluster {
    pub(super) fn new(seeds: Vec<RedisNode>, counters: Arc<CommandCounters>) -> Self {
        Self {
            seeds,
            counters,
            topology: ArcSwap::default(),
            topology_error: Mutex::default(),
            events: Arc::default(),
            refreshed: Notify::new(),
        }
    }

    pub(super) fn subscribe(&self) -> crate::store::Changes {
        self.events.subscribers.subscribe(|| matches!(self.health(), ClusterHealth::Complete))
    }

    /// The connections to all masters, if all are connected.
    pub(super) fn all_masters(&self) -> Result<Vec<Connection>, StoreError> {
        let topology = self.topology.load();
        if topology.connections.is_empty() {
            return Err(self.unavailable_error());
        }
        topology.connections.iter().map(|managed| managed.node.commands()).collect()
    }

    /// Runs a command at the owner of a slot, following redirections.
    pub(super) async fn execute<T: FromRedisValue>(
        &self,
        slot: usize,
        call: &CircuitCommand,
    ) -> Result<T, StoreError> {
        let mut redirected: Option<(Arc<NodeConnection>, bool)> = None;
        let mut last_error = None;
        for _ in 0..MAX_REDIRECTS {
            let (connection, asking) = match redirected.take() {
                Some(redirected) => redirected,
                None => (self.owner(slot)?, false),
            };
            let connected = self.refreshed.notified();
            if connection.is_pending() {
                let _ = timeout(CONNECT_WAIT, connected).await;
            }
            let error = match call.send(&mut connection.commands()?, asking).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Server(kind @ (ServerErrorKind::Moved | ServerErrorKind::Ask)) => {
                    let refreshed = self.refreshed.notified();
                    self.events.refresh_requested.notify_one();
                    redirected = self
                        .redirect_target(&error)
                        .map(|connection| (connection, kind == ServerErrorKind::Ask));
                    if redirected.is_none() {
                        // To a node that is no known master: the next query finds it.
                        let _ = timeout(CONNECT_WAIT, refreshed).await;
                    }
                }
                // A circuit and its history are migrating to another node.
                ErrorKind::Server(ServerErrorKind::TryAgain) => sleep(TRY_AGAIN_DELAY).await,
                _ => {
                    self.events.refresh_requested.notify_one();
                    return Err(to_store_error(&error));
                }
            }
            last_error = Some(error);
        }
        Err(last_error.map_or_else(|| self.unavailable_error(), |error| to_store_error(&error)))
    }

    fn owner(&self, slot: usize) -> Result<Arc<NodeConnection>, StoreError> {
        let topology = self.topology.load();
        let owner = topology.view.owner(slot).and_then(|owner| topology.connections.get(owner));
        owner.map(|managed| Arc::clone(&managed.node)).ok_or_else(|| self.unavailable_error())
    }

    /// The connection to the node that an error redirects to.
    fn redirect_target(&self, error: &RedisError) -> Option<Arc<NodeConnection>> {
        let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
        let (host, port) = (host.trim_matches(['[', ']']), port.parse().ok()?);
        let topology = self.topology.load();
        let position =
            topology.view.masters.iter().position(|node| node.host_and_port() == Some((host, port)))?;
        Some(Arc::clone(&topology.connections.get(position)?.node))
    }

    fn unavailable_error(&self) -> StoreError {
        let topology_error = self.topology_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        topology_error
            .unwrap_or_else(|| StoreError::Unreachable("the Cluster was not queried yet".to_owned()))
    }

    /// Follows the Cluster for as long as it is polled.
    pub(super) async fn run(self: Arc<Self>) {
        let mut was_complete = None;
        let mut resync_pending = false;
        loop {
            resync_pending |= self.refresh().await;
            resync_pending |= self.events.resync_needed.swap(false, Ordering::AcqRel);
            match self.health() {
                ClusterHealth::Complete => {
                    if std::mem::take(&mut resync_pending) || was_complete != Some(true) {
                        self.events.subscribers.on_change(ChangeNotification::Everything);
                    }
                    was_complete = Some(true);
                }
                ClusterHealth::Incomplete(error) => {
                    if was_complete != Some(false) {
                        self.events.subscribers.on_change(ChangeNotification::Lost(error));
                    }
                    was_complete = Some(false);
                }
                ClusterHealth::Connecting => {}
            }
            self.refreshed.notify_waiters();
            sleep(MIN_REFRESH_INTERVAL).await;
            let _ = timeout(REFRESH_INTERVAL, self.events.refresh_requested.notified()).await;
        }
    }

    /// Queries the slot map; whether it has changed.
    async fn refresh(&self) -> bool {
        let view = match self.query_topology().await {
            Ok(view) => view,
            Err(error) => {
                *self.topology_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return false;
            }
        };
        *self.topology_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let old = self.topology.load_full();
        if old.view.same_owners(&view) {
            return false;
        }
        let connection_to = |node: &RedisNode| {
            let same = |master: &RedisNode| master.host_and_port() == node.host_and_port();
            let known =
                old.view.masters.iter().position(same).and_then(|position| old.connections.get(position));
            known.cloned().unwrap_or_else(|| {
                let sink: Arc<dyn ChangeSink> = Arc::<ClusterEvents>::clone(&self.events);
                Arc::new(ManagedConnection::start(
                    Destination::Server(node.clone()),
                    sink,
                    Arc::clone(&self.counters),
                ))
            })
        };
        let connections = view.masters.iter().map(connection_to).collect();
        self.topology.store(Arc::new(Topology { view, connections }));
        true
    }

    /// Queries all connected masters; if there is none, every known node.
    async fn query_topology(&self) -> Result<SlotsView, StoreError> {
        let topology = self.topology.load_full();
        let connected =
            topology.view.masters.iter().zip(&topology.connections).filter_map(|(node, managed)| {
                managed.node.commands().ok().map(|connection| (node.clone(), connection))
            });
        let responses = join_all(connected.map(|(node, connection)| query_node(node, connection))).await;
        let mut view = SlotsView::default();
        for (node, response) in responses.into_iter().flatten() {
            view.add(&node, &response);
        }
        if view.masters.is_empty() {
            let known = topology.view.masters.iter().chain(&topology.view.replicas).chain(&self.seeds);
            view = discover(known.cloned().collect()).await?;
        }
        Ok(view.finish())
    }

    fn health(&self) -> ClusterHealth {
        let topology = self.topology.load();
        let assigned_slots = topology.view.assigned_slots();
        let missing = topology.connections.iter().find_map(|managed| match managed.node.commands() {
            Err(error) if !managed.node.is_pending() => Some(error),
            _ => None,
        });
        let topology_error = self.topology_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (missing, topology_error) {
            (Some(error), _) => ClusterHealth::Incomplete(error),
            (None, Some(error)) if topology.connections.is_empty() => ClusterHealth::Incomplete(error),
            _ if topology.connections.is_empty()
                || topology.connections.iter().any(|managed| managed.node.is_pending()) =>
            {
                ClusterHealth::Connecting
            }
            _ if assigned_slots < SLOTS => {
                let found =
                    format!("{} of the Cluster's {SLOTS} slots have no master", SLOTS - assigned_slots);
                ClusterHealth::Incomplete(StoreError::Rejected(found))
            }
            _ => ClusterHealth::Complete,
        }
    }
}

async fn query_node(
    node: RedisNode,
    mut connection: impl ConnectionLike,
) -> Result<(RedisNode, NodeSlots), StoreError> {
    match timeout(KEEPALIVE_INTERVAL, slots_view::query_slots(&mut connection)).await {
        Ok(Ok(response)) => Ok((node, response)),
        Ok(Err(error)) => Err(to_store_error(&error)),
        Err(_) => Err(StoreError::Timeout(KEEPALIVE_INTERVAL)),
    }
}

/// Queries these nodes by new connections; the first one that knows of slots is enough.
async fn discover(nodes: Vec<RedisNode>) -> Result<SlotsView, StoreError> {
    let mut responses: FuturesUnordered<_> = nodes.into_iter().map(connect_and_query).collect();
    let mut error = StoreError::Unreachable("no node is known".to_owned());
    while let Some(response) = responses.next().await {
        match response {
            Ok((node, response)) => {
                let mut view = SlotsView::default();
                view.add(&node, &response);
                if !view.masters.is_empty() {
                    return Ok(view);
                }
                error = StoreError::Rejected(format!("{node} has no slots: the Cluster is not created yet"));
            }
            Err(wrong) => error = wrong,
        }
    }
    Err(error)
}

async fn connect_and_query(node: RedisNode) -> Result<(RedisNode, NodeSlots), StoreError> {
    let connect = async {
        let client = node.plain_client()?;
        client.get_multiplexed_async_connection_with_config(&connection_config()).await
    };
    match timeout(CONNECT_TIMEOUT, connect).await {
        Ok(Ok(connection)) => query_node(node, connection).await,
        Ok(Err(error)) => Err(to_store_error(&error)),
        Err(_) => Err(StoreError::Timeout(CONNECT_TIMEOUT)),
    }
}

/// The nodes of a Cluster.
#[derive(Debug, Clone)]
pub struct ClusterSurvey {
    /// Nodes that own slots.
    pub masters: Vec<RedisNode>,
    /// Nodes that own none.
    pub replicas: Vec<RedisNode>,
    /// How many of the slots have an owner.
    pub assigned_slots: usize,
}

impl ClusterSurvey {
    /// The number of slots of every Cluster.
    pub const SLOTS: usize = SLOTS;

    /// Queries these nodes; the first response is enough.
    ///
    /// # Errors
    /// None responds, or none is a node of a Cluster.
    pub async fn discover(seeds: &[RedisNode]) -> Result<Self, StoreError> {
        let view = discover(seeds.to_vec()).await?.finish();
        Ok(Self { assigned_slots: view.assigned_slots(), masters: view.masters, replicas: view.replicas })
    }
}
