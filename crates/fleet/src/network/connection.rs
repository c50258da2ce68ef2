//! One instance's connection to the store, and its faults.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{ModelKey, Transition};
use circuits::{ChangeNotification, Changes, Listing, Loaded, Store, StoreError, StoreInfo, Swap, Write};
use futures_util::future::{BoxFuture, FutureExt as _, pending};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    conditions::{NetworkConditions, RECOVERY_BOUND, StoreFault},
    server::{Peer, Server},
};

/// One instance's connection to the store.
pub struct InstanceConnection {
    number: usize,
    server: Arc<Server>,
    changes: Changes,
    state: Mutex<ConnectionState>,
}

struct ConnectionState {
    is_dead: bool,
    fault: Option<StoreFault>,
    /// Counts faults and recoveries, so that a scheduled one that is out of date is dropped.
    generation: u64,
    last_request: Instant,
    last_reply: Instant,
    /// From then on this instance must know what the store holds.
    stable_since: Instant,
}

/// The fate of one command.
struct InFlightMessage {
    arrives_at: Instant,
    is_lost: bool,
    reply_is_lost: bool,
    reply_delay: Duration,
}

impl InstanceConnection {
    /// Connects a new instance.
    #[must_use]
    pub fn open(server: &Arc<Server>, number: usize) -> Arc<Self> {
        let now = Instant::now();
        let connection = Arc::new(Self {
            number,
            server: Arc::clone(server),
            changes: Changes::default(),
            state: Mutex::new(ConnectionState {
                is_dead: false,
                fault: None,
                generation: 0,
                last_request: now,
                last_reply: now,
                stable_since: now,
            }),
        });
        server.attach(Arc::clone(&connection) as _);
        connection
    }

    /// The instance crashes: nothing of it arrives any more.
    pub fn kill(self: &Arc<Self>) {
        self.state().is_dead = true;
        self.server.detach(Arc::as_ptr(self).cast());
    }

    /// The connection is lost, or stops responding.
    pub fn inject_fault(self: &Arc<Self>, fault: StoreFault) {
        let generation = {
            let mut state = self.state();
            state.fault = Some(fault);
            state.generation += 1;
            state.stable_since = Instant::now() + RECOVERY_BOUND;
            state.generation
        };
        let detected_after = match fault {
            StoreFault::Unresponsive => self.server.rng.millis(1_000..=2_000),
            _ => self.server.rng.millis(0..=2),
        };
        self.schedule(generation, detected_after, |connection| {
            connection.changes.publish(ChangeNotification::Lost(unreachable_error()));
        });
    }

    /// A connection can be made again; the next attempt comes after a moment.
    pub fn reconnect(self: &Arc<Self>) {
        let generation = {
            let mut state = self.state();
            state.generation += 1;
            state.generation
        };
        self.schedule(generation, self.server.rng.millis(100..=2_000), |connection| {
            let mut state = connection.state();
            state.fault = None;
            state.stable_since = Instant::now() + RECOVERY_BOUND;
            drop(state);
            connection.changes.publish(ChangeNotification::Everything);
        });
    }

    fn schedule(
        self: &Arc<Self>,
        generation: u64,
        delay: Duration,
        act: impl FnOnce(&Self) + Send + 'static,
    ) {
        let connection = Arc::clone(self);
        tokio::spawn(async move {
            sleep(delay).await;
            if connection.state().generation == generation {
                act(&connection);
            }
        });
    }

    /// Whether the connection is broken.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.state().fault.is_some()
    }

    /// Whether for this long nothing has happened that could keep the instance from knowing what the store holds.
    #[must_use]
    pub fn is_stable_for(&self, length: Duration) -> bool {
        let from = {
            let state = self.state();
            if state.fault.is_some() {
                return false;
            }
            state.stable_since
        };
        from.max(self.server.stable_since()) + length <= Instant::now()
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule_message(&self) -> InFlightMessage {
        let NetworkConditions { delay, lost_requests, lost_replies, .. } =
            self.server.state().conditions.clone();
        let rng = &self.server.rng;
        let mut state = self.state();
        let arrives_at = state.last_request.max(Instant::now() + rng.millis(delay.clone()));
        state.last_request = arrives_at;
        InFlightMessage {
            arrives_at,
            is_lost: rng.chance(lost_requests),
            reply_is_lost: rng.chance(lost_replies),
            reply_delay: rng.millis(delay),
        }
    }

    /// Waits forever, or fails, if the connection is broken or the instance has crashed.
    async fn check_reachable(&self) -> Result<(), StoreError> {
        let obstacle = {
            let state = self.state();
            if state.is_dead { Some(StoreFault::Unresponsive) } else { state.fault }
        };
        match obstacle {
            Some(StoreFault::Unresponsive) => pending().await,
            Some(StoreFault::Refusing) => Err(unreachable_error()),
            Some(StoreFault::ReadOnly) | None => Ok(()),
        }
    }

    async fn round_trip<'a, T>(
        &'a self,
        work: impl FnOnce(&'a Self) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.check_reachable().await?;
        let message = self.schedule_message();
        wait_for_arrival(message.arrives_at).await;
        self.check_reachable().await?;
        if message.is_lost {
            self.mark_unstable(RECOVERY_BOUND);
            return pending().await;
        }
        let response = work(self).await;
        if message.reply_is_lost {
            self.mark_unstable(RECOVERY_BOUND);
            return pending().await;
        }
        let arrives_at = {
            let mut state = self.state();
            let arrives_at = state.last_reply.max(Instant::now() + message.reply_delay);
            state.last_reply = arrives_at;
            arrives_at
        };
        wait_for_arrival(arrives_at).await;
        self.check_reachable().await?;
        response
    }

    async fn execute_swap(&self, key: &ModelKey, write: &Write) -> Result<Swap, StoreError> {
        if self.server.state().fault == Some(StoreFault::ReadOnly) {
            return Err(StoreError::Rejected(
                "READONLY You can't write against a read only replica".to_owned(),
            ));
        }
        let swap = self.server.store.compare_and_set(key, write).await?;
        self.server.state().costs.count_write(write, &swap);
        if let (Swap::Done { .. }, Some(watch)) = (&swap, &self.server.observer) {
            watch.on_write(self.number, key, write);
        }
        Ok(swap)
    }
}

impl Peer for InstanceConnection {
    fn inject_fault(self: Arc<Self>, fault: StoreFault) {
        Self::inject_fault(&self, fault);
    }

    fn reconnect(self: Arc<Self>) {
        Self::reconnect(&self);
    }

    fn push(&self, change: ChangeNotification) {
        let state = self.state();
        if state.fault.is_none() && !state.is_dead {
            drop(state);
            self.changes.publish(change);
        }
    }

    fn mark_unstable(&self, recovery: Duration) {
        let mut state = self.state();
        state.stable_since = state.stable_since.max(Instant::now() + recovery);
    }
}

/// A message without delay does not yield to other tasks.
async fn wait_for_arrival(arrives_at: Instant) {
    if arrives_at > Instant::now() {
        sleep_until(arrives_at).await;
    }
}

fn unreachable_error() -> StoreError {
    StoreError::Unreachable("the network is broken".to_owned())
}

impl Store for InstanceConnection {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.round_trip(move |connection| {
            async move {
                let loaded = connection.server.store.load(key).await?;
                connection.server.state().costs.count_load(&loaded);
                Ok(loaded)
            }
            .boxed()
        })
        .boxed()
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.round_trip(move |connection| {
            async move {
                let listing = connection.server.store.load_all(known, discover).await?;
                connection.server.state().costs.count_full_read(&listing.values, discover);
                Ok(listing)
            }
            .boxed()
        })
        .boxed()
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        self.round_trip(move |connection| connection.execute_swap(key, write).boxed()).boxed()
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        self.round_trip(move |connection| connection.server.store.history(key, most)).boxed()
    }

    fn changes(&self) -> Changes {
        self.changes.clone()
    }

    fn info(&self) -> StoreInfo {
        StoreInfo { kind: "simulated", address: format!("connection {}", self.number) }
    }
}

impl fmt::Debug for InstanceConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceConnection").field("number", &self.number).finish_non_exhaustive()
    }
}
