//! One Redis, and each instance's way to it.
//!
//! What the store does is [`circuits::MemoryStore`]'s; here is what lies in between. A message takes its time or is lost;
//! a lost reply leaves the write done. Commands and their answers keep their order, as they do on one connection.

mod connection;

use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use breaker::ModelKey;
use circuits::{ChangeNotification, Changes, MemoryStore, Store as _, Value, WallClock as _, Write};
use tokio::time::{Instant, sleep};

pub use connection::InstanceConnection;

use crate::{
    costs::TrafficCounters,
    rng::{SeededRng, VirtualClock},
};

/// What messages meet with. Times are ms.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkConditions {
    /// How long a command, its answer or a push is under way.
    pub delay: RangeInclusive<u64>,
    /// This share of commands never arrives.
    pub lost_requests: f64,
    /// This share of answers never arrives: what was asked for is done.
    pub lost_replies: f64,
    /// This share of pushes never arrives.
    pub lost_pushes: f64,
}

impl NetworkConditions {
    /// A network in which nothing is lost, and a message takes up to 2 ms.
    #[must_use]
    pub const fn perfect() -> Self {
        Self { delay: 0..=2, lost_requests: 0.0, lost_replies: 0.0, lost_pushes: 0.0 }
    }

    fn is_perfect(&self) -> bool {
        *self.delay.end() <= 5 && self.lost_requests + self.lost_replies + self.lost_pushes <= f64::EPSILON
    }
}

/// How Redis, or the way to it, is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// Connections are closed and refused.
    Refusing,
    /// Nothing is answered; it is found out by a sign of life that does not come.
    Unresponsive,
    /// It is there, and refuses writes: it is full, or a replica.
    ReadOnly,
}

/// Sees every write that was done, in the step that does it.
pub trait WriteObserver: Send + Sync {
    /// This instance's write was done.
    fn on_write(&self, by: usize, key: &ModelKey, write: &Write);
}

/// The one Redis of a fleet.
pub struct Server {
    store: MemoryStore,
    clock: VirtualClock,
    rng: Arc<SeededRng>,
    observer: Option<Arc<dyn WriteObserver>>,
    state: Mutex<ServerState>,
}

struct ServerState {
    conditions: NetworkConditions,
    fault: Option<StoreFault>,
    costs: TrafficCounters,
    /// Of the living instances.
    connections: Vec<Weak<InstanceConnection>>,
    /// Since when messages have met with nothing that could keep an instance from knowing.
    stable_since: Instant,
}

/// What a lost message, or one that was late, may cost: the store is found away, tried again and told all. A full read
/// without an answer is given up after 5 s, and tried again.
const RECOVERY_BOUND: Duration = Duration::from_millis(5_500);

/// What a missed push may cost: one slow read and a little.
const SLOW_RECOVERY_BOUND: Duration = Duration::from_secs(20);

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

    /// A new instance's connection.
    #[must_use]
    pub fn connect(self: &Arc<Self>, number: usize) -> Arc<InstanceConnection> {
        let line = Arc::new(InstanceConnection::new(number, Arc::clone(self)));
        self.state().connections.push(Arc::downgrade(&line));
        match self.state().fault {
            Some(StoreFault::Refusing | StoreFault::Unresponsive) => line.inject_fault(StoreFault::Refusing),
            _ => line.request_full_read(),
        }
        line
    }

    /// The store itself, for who looks at it or writes to it without a network in between.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Changes what messages meet with.
    pub fn set_conditions(&self, weather: NetworkConditions) {
        let mut state = self.state();
        state.conditions = weather;
        state.stable_since = Instant::now() + RECOVERY_BOUND;
    }

    /// Goes away for all, or comes back (`None`).
    pub fn set_fault(&self, away: Option<StoreFault>) {
        let lines = {
            let mut state = self.state();
            state.stable_since = Instant::now() + RECOVERY_BOUND;
            state.fault = away;
            state.connections.clone()
        };
        for line in lines.iter().filter_map(Weak::upgrade) {
            match away {
                Some(StoreFault::ReadOnly) => {}
                Some(how) => line.inject_fault(how),
                None => line.reconnect(),
            }
        }
    }

    /// Whether the store answers, and writes.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state().fault.is_none()
    }

    /// Since when messages have met with nothing that could keep an instance from knowing.
    #[must_use]
    pub fn stable_since(&self) -> Instant {
        let state = self.state();
        if state.fault.is_some() || !state.conditions.is_perfect() {
            return Instant::now() + RECOVERY_BOUND;
        }
        state.stable_since
    }

    /// What it has cost so far.
    #[must_use]
    pub fn costs(&self) -> TrafficCounters {
        self.state().costs
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn push_all(self: Arc<Self>, changes: Changes) {
        loop {
            let change = changes.next().await;
            self.publish(&change);
        }
    }

    /// Sends word of a change on all lines. Those that arrive in the same millisecond are sent together.
    fn publish(&self, change: &ChangeNotification) {
        let mut arrivals: Vec<(u64, Vec<Arc<InstanceConnection>>)> = Vec::new();
        {
            let mut state = self.state();
            let ServerState { conditions: weather, connections: lines, costs, .. } = &mut *state;
            for line in lines.iter().filter_map(Weak::upgrade) {
                if let ChangeNotification::Key(key) = change {
                    costs.count_push(key.as_str());
                }
                if self.rng.chance(weather.lost_pushes) {
                    line.mark_unstable(SLOW_RECOVERY_BOUND);
                    continue;
                }
                let delay = self.rng.number(weather.delay.clone());
                match arrivals.iter_mut().find(|(at, _)| *at == delay) {
                    Some((_, lines)) => lines.push(line),
                    None => arrivals.push((delay, vec![line])),
                }
            }
        }
        for (delay, lines) in arrivals {
            let change = change.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                lines.iter().for_each(|line| line.deliver_push(change.clone()));
            });
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}

/// The text under a key, as it stands in the store.
#[must_use]
pub fn stored_value(server: &Server, key: &ModelKey) -> Value {
    server.store.get(key).map_or(Value::Absent, Value::Text)
}
