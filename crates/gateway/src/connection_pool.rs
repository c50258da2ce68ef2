//! Which connections are open, and who has to leave for a new one (Q6).
//!
//! Connections are limited, so that descriptors are left for providers and Redis. At the limit, clients without a key go
//! first, then those that wait for no model; nobody whose call is in flight.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::connection_state::{ConnectionPhase, ConnectionState};

/// A connection gets this long to show what it came for, also in a flood: a caller's request is often a moment behind.
const MIN_IDLE: Duration = Duration::from_millis(50);

/// A new connection waits for this long that another one can be closed which is between two requests. Then that is closed however
/// short its pause is: where all are busy, it might never be longer.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// A connection that waits for a request for this long is closed.
const MAX_IDLE: Duration = Duration::from_secs(75);

/// How often idle connections are looked for: all with one timer, so that a request needs none.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The share of all connections that are closed at once where clients without a key fill the limit: a look at all of them
/// for each new one would cost too much.
const STRANGERS_PER_SWEEP: usize = 32;

/// Beyond the limit, one in this many gets an error to read. Others are closed without a word.
const OVERFLOW_SHARE: usize = 16;

/// The open connections.
#[derive(Debug)]
pub(crate) struct ConnectionPool {
    max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    connections: HashMap<u64, Arc<ConnectionState>>,
}

/// How a new connection is received.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is served, and these others have to close for it.
    Served(PoolEntry, Evicted),
    /// All others are busy: it gets an error.
    Overloaded(PoolEntry),
    /// There is not even room for that.
    Rejected,
    /// Ask again in a moment: others may close that have just come.
    Wait,
}

/// How many connections have to close for another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// Without a key.
    pub(crate) strangers: usize,
    /// With a key, and idle.
    pub(crate) idle: usize,
}

/// A connection in the pool, until it is dropped.
#[derive(Debug)]
pub(crate) struct PoolEntry {
    pool: Arc<ConnectionPool>,
    id: u64,
    pub(crate) state: Arc<ConnectionState>,
}

impl ConnectionPool {
    /// With room for `max` connections, at least 1.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), open: Mutex::default() })
    }

    /// Admits a new connection that has waited for so long, and closes others if it must.
    pub(crate) fn admit(self: &Arc<Self>, waited: Duration) -> Admission {
        let mut open = self.lock();
        let mut evicted = Evicted::default();
        if open.connections.len() >= self.max {
            let may_wait = waited < MAX_WAIT;
            match open.close_some(if may_wait { MIN_IDLE } else { Duration::ZERO }) {
                Some(others) => evicted = others,
                None if may_wait => return Admission::Wait,
                None => {}
            }
        }
        let count = open.connections.len();
        if count >= self.max + (self.max / OVERFLOW_SHARE).max(1) {
            return Admission::Rejected;
        }
        let id = open.next_id;
        open.next_id += 1;
        let state = Arc::new(ConnectionState::new());
        open.connections.insert(id, Arc::clone(&state));
        let entry = PoolEntry { pool: Arc::clone(self), id, state };
        if count < self.max { Admission::Served(entry, evicted) } else { Admission::Overloaded(entry) }
    }

    /// Closes connections that are idle for too long, and lets others give back what they do not need, for ever.
    pub(crate) async fn close_idle(self: Arc<Self>) {
        loop {
            sleep(IDLE_CHECK_INTERVAL).await;
            for state in self.lock().connections.values() {
                if state.phase() != ConnectionPhase::Idle {
                    continue;
                }
                let idle_for = state.phase_since().elapsed();
                if idle_for >= MAX_IDLE {
                    state.request_close();
                } else if idle_for >= IDLE_CHECK_INTERVAL {
                    state.request_rest();
                }
            }
        }
    }

    /// Lets all connections look again at what they depend on.
    pub(crate) fn wake_all(&self) {
        self.lock().connections.values().for_each(|state| state.wake());
    }

    /// Closes each connection as soon as it is idle.
    pub(crate) fn end_all(&self) {
        self.lock().connections.values().for_each(|state| state.end());
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the oldest connections without a key, or else the one that has been idle longest, and for `min_idle` at least. Returns
    /// how many; `None`: one may be closed in a moment.
    fn close_some(&mut self, min_idle: Duration) -> Option<Evicted> {
        let idle = self.connections.iter().filter(|(_, state)| state.phase() != ConnectionPhase::InRequest);
        let mut idle: Vec<_> = idle.map(|(id, state)| (state.is_known(), state.phase_since(), *id)).collect();
        idle.sort_unstable();
        let now = Instant::now();
        let most = (idle.len() / STRANGERS_PER_SWEEP).max(1);
        let mut evicted = Evicted::default();
        let mut is_early = false;
        for (is_known, since, id) in idle {
            if evicted.strangers == most || (is_known && (evicted.strangers > 0 || is_early)) {
                break;
            }
            let Some(state) = self.connections.get(&id) else { continue };
            let is_old = now.saturating_duration_since(since) >= min_idle;
            if is_old && state.request_close() {
                self.connections.remove(&id);
                if is_known {
                    evicted.idle += 1;
                    break;
                }
                evicted.strangers += 1;
            } else if !is_old || matches!(state.phase(), ConnectionPhase::New | ConnectionPhase::Closing) {
                is_early = true;
            }
        }
        (!is_early || evicted != Evicted::default()).then_some(evicted)
    }
}

impl Drop for PoolEntry {
    fn drop(&mut self) {
        self.pool.lock().connections.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connection_state::ConnectionPhase;

    /// As the accept loop does it.
    async fn admit(pool: &Arc<ConnectionPool>) -> Admission {
        let mut waited = Duration::ZERO;
        loop {
            match pool.admit(waited) {
                Admission::Wait => tokio::time::advance(MIN_IDLE).await,
                admission => return admission,
            }
            waited += MIN_IDLE;
        }
    }

    async fn served(pool: &Arc<ConnectionPool>) -> PoolEntry {
        match admit(pool).await {
            Admission::Served(entry, _) => {
                entry.state.enter(ConnectionPhase::Idle);
                entry
            }
            other => panic!("{other:?}"),
        }
    }

    fn phase(entry: &PoolEntry) -> ConnectionPhase {
        entry.state.phase()
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_go_first_and_the_busy_stay() {
        let pool = ConnectionPool::new(4);
        let busy = served(&pool).await;
        busy.state.enter(ConnectionPhase::InRequest);
        let idle = served(&pool).await;
        idle.state.mark_known();
        tokio::time::advance(Duration::from_secs(1)).await;
        let (first, second) = (served(&pool).await, served(&pool).await);
        tokio::time::advance(Duration::from_secs(1)).await;
        first.state.enter(ConnectionPhase::ReadingHead);

        let third = served(&pool).await;
        assert_eq!(
            phase(&second),
            ConnectionPhase::Closing,
            "the oldest stranger, though others wait longer"
        );
        third.state.enter(ConnectionPhase::InRequest);
        let fourth = served(&pool).await;
        assert_eq!(phase(&first), ConnectionPhase::Closing, "half a head is no request");
        fourth.state.enter(ConnectionPhase::InRequest);
        let fifth = served(&pool).await;
        assert_eq!(phase(&idle), ConnectionPhase::Closing, "then those that are known, and idle");
        fifth.state.enter(ConnectionPhase::InRequest);

        let refused = admit(&pool).await;
        assert!(matches!(&refused, Admission::Overloaded(_)), "{refused:?}");
        assert_eq!(phase(&busy), ConnectionPhase::InRequest);
        if let Admission::Overloaded(entry) = &refused {
            entry.state.enter(ConnectionPhase::InRequest);
        }
        assert!(matches!(admit(&pool).await, Admission::Rejected));
        drop((busy, refused));
        served(&pool).await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_new_connection_waits_for_half_a_head() {
        let pool = ConnectionPool::new(1);
        let half = served(&pool).await;
        half.state.mark_known();
        half.state.enter(ConnectionPhase::ReadingHead);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(matches!(pool.admit(Duration::ZERO), Admission::Overloaded(_)), "it has just begun");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(matches!(pool.admit(Duration::ZERO), Admission::Served(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_new_connection_waits_for_those_that_are_always_busy() {
        let pool = ConnectionPool::new(1);
        let busy = served(&pool).await;
        busy.state.mark_known();
        let mut waited = Duration::ZERO;
        while matches!(pool.admit(waited), Admission::Wait) {
            tokio::time::advance(MIN_IDLE / 2).await;
            waited += MIN_IDLE / 2;
            assert!(waited <= MAX_WAIT);
            // It has made a request meanwhile.
            busy.state.enter(ConnectionPhase::Idle);
        }
        assert_eq!((phase(&busy), waited), (ConnectionPhase::Closing, MAX_WAIT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_replaces_itself() {
        let pool = ConnectionPool::new(100);
        let known = served(&pool).await;
        known.state.mark_known();
        let mut strangers = Vec::new();
        for _ in 0..5_000 {
            strangers.push(served(&pool).await);
        }
        assert_eq!(phase(&known), ConnectionPhase::Idle);
        let open = strangers.iter().filter(|entry| phase(entry) != ConnectionPhase::Closing).count();
        assert!(open < 100, "{open}");
    }
}
