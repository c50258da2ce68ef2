//! The one Redis of a fleet: the store in memory, and the pushes to every connection.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use breaker::ModelKey;
use circuits::{ChangeNotification, Changes, MemoryStore, Store as _, Value, WallClock as _, Write};
use tokio::time::{Instant, sleep};

use super::conditions::{NetworkConditions, RECOVERY_BOUND, SLOW_RECOVERY_BOUND, StoreFault};
use crate::{
    costs::TrafficCounters,
    rng::{SeededRng, VirtualClock},
};

/// Sees every write, in the step that does it.
pub trait WriteObserver: Send + Sync {
    /// This instance's write was done.
    fn on_write(&self, by: usize, key: &ModelKey, write: &Write);
}

/// An instance's connection, as the server sees it. A trait, so that the server does not know its connections.
pub(super) trait Peer: Send + Sync {
    /// The connection is lost, or stops responding.
    fn inject_fault(self: Arc<Self>, fault: StoreFault);

    /// A connection can be made again.
    fn reconnect(self: Arc<Self>);

    /// Delivers a push.
    fn push(&self, change: ChangeNotification);

    /// A push to it was lost: for this long it may not know what the store holds.
    fn mark_unstable(&self, recovery: Duration);
}

/// The one Redis of a fleet.
pub struct Server {
    pub(super) store: MemoryStore,
    clock: VirtualClock,
    pub(super) rng: Arc<SeededRng>,
    pub(super) observer: Option<Arc<dyn WriteObserver>>,
    state: Mutex<ServerState>,
}

pub(super) struct ServerState {
    pub(super) conditions: NetworkConditions,
    pub(super) fault: Option<StoreFault>,
    pub(super) costs: TrafficCounters,
    /// Of the running instances.
    connections: Vec<Weak<dyn Peer>>,
    /// Since when no condition or fault could keep an instance from being up to date.
    stable_since: Instant,
}

impl Server {
    /// An empty Redis, by this clock.
    #[must_use]
    pub fn start(
        clock: &VirtualClock,
        rng: &SeededRng,
        observer: Option<Arc<dyn WriteObserver>>,
    ) -> Arc<Self> {
        let server = Arc::new(Self {
            store: MemoryStore::with_clock(Arc::new(clock.clone())),
            clock: clock.clone(),
            rng: rng.fork(),
            observer,
            state: Mutex::new(ServerState {
                conditions: NetworkConditions::perfect(),
                fault: None,
                costs: TrafficCounters::default(),
                connections: Vec::new(),
                stable_since: Instant::now(),
            }),
        });
        tokio::spawn(Arc::clone(&server).push_all(server.store.changes()));
        server
    }

    /// Adds a connection. The present fault of the store applies to it, too.
    pub(super) fn attach(&self, peer: Arc<dyn Peer>) {
        let mut state = self.state();
        state.connections.push(Arc::downgrade(&peer));
        let fault = state.fault;
        drop(state);
        match fault {
            Some(StoreFault::Refusing | StoreFault::Unresponsive) => peer.inject_fault(StoreFault::Refusing),
            _ => peer.push(ChangeNotification::Everything),
        }
    }

    /// Removes the connection of a crashed instance.
    pub(super) fn detach(&self, connection: *const ()) {
        self.state().connections.retain(|peer| !std::ptr::addr_eq(peer.as_ptr(), connection));
    }

    /// The store itself, without a network in between.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Changes the conditions for all messages.
    pub fn set_conditions(&self, conditions: NetworkConditions) {
        let mut state = self.state();
        state.conditions = conditions;
        state.stable_since = Instant::now() + RECOVERY_BOUND;
    }

    /// Fails for all connections, or recovers (`None`).
    pub fn set_fault(&self, fault: Option<StoreFault>) {
        let peers = {
            let mut state = self.state();
            state.stable_since = Instant::now() + RECOVERY_BOUND;
            state.fault = fault;
            state.connections.clone()
        };
        for peer in peers.iter().filter_map(Weak::upgrade) {
            match fault {
                Some(StoreFault::ReadOnly) => {}
                Some(fault) => peer.inject_fault(fault),
                None => peer.reconnect(),
            }
        }
    }

    /// Whether the store responds and accepts writes.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state().fault.is_none()
    }

    /// Since when no condition or fault could keep an instance from being up to date.
    #[must_use]
    pub fn stable_since(&self) -> Instant {
        let state = self.state();
        if state.fault.is_some() || !state.conditions.is_perfect() {
            return Instant::now() + RECOVERY_BOUND;
        }
        state.stable_since
    }

    /// The traffic so far.
    #[must_use]
    pub fn costs(&self) -> TrafficCounters {
        self.state().costs
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn push_all(self: Arc<Self>, changes: Changes) {
        loop {
            let change = changes.next().await;
            self.publish(&change);
        }
    }

    /// Sends a change notification to all peers. Those that arrive in the same millisecond are sent together.
    fn publish(&self, change: &ChangeNotification) {
        let mut arrivals: Vec<(u64, Vec<Arc<dyn Peer>>)> = Vec::new();
        {
            let mut state = self.state();
            let ServerState { conditions, connections: peers, costs, .. } = &mut *state;
            for peer in peers.iter().filter_map(Weak::upgrade) {
                match change {
                    ChangeNotification::Key(key) => costs.count_push(key.as_str()),
                    // The circuit's key and that of its history.
                    ChangeNotification::State(key) => (0..2).for_each(|_| costs.count_push(key.as_str())),
                    ChangeNotification::Everything | ChangeNotification::Lost(_) => {}
                }
                if self.rng.chance(conditions.lost_pushes) {
                    peer.mark_unstable(SLOW_RECOVERY_BOUND);
                    continue;
                }
                let delay = self.rng.number(conditions.delay.clone());
                match arrivals.iter_mut().find(|(at, _)| *at == delay) {
                    Some((_, peers)) => peers.push(peer),
                    None => arrivals.push((delay, vec![peer])),
                }
            }
        }
        for (delay, peers) in arrivals {
            let change = change.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                peers.iter().for_each(|peer| peer.push(change.clone()));
            });
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}

/// The value under a key.
#[must_use]
pub fn stored_value(server: &Server, key: &ModelKey) -> Value {
    server.store.get(key).map_or(Value::Absent, Value::Text)
}
