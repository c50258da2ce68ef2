//! Which connections are open, and who has to leave for a new one (Q6).
//!
//! Connections are limited, so that descriptors are left for providers and Redis. At the limit, clients without a key go
//! first, then those that wait for nothing; nobody who waits for a response.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::connection_state::ConnectionState;

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
    /// It is served; so many others have to close for it.
    Served(PoolEntry, usize),
    /// All others are busy: it is told so.
    Overloaded(PoolEntry),
    /// There is not even room for that.
    Rejected,
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

    /// Admits a new connection, and closes others if it must.
    pub(crate) fn admit(self: &Arc<Self>) -> Admission {
        let mut open = self.lock();
        let mut closed = 0;
        if open.connections.len() >= self.max {
            closed = open.close_some();
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
        if count < self.max { Admission::Served(entry, closed) } else { Admission::Overloaded(entry) }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the oldest connections without a key, or else the one that has been idle longest. Returns how many.
    fn close_some(&mut self) -> usize {
        let mut all: Vec<_> =
            self.connections.iter().map(|(id, state)| (state.is_known(), state.phase_since(), *id)).collect();
        all.sort_unstable();
        let most = (all.len() / STRANGERS_PER_SWEEP).max(1);
        let mut closed = 0;
        for (is_known, _, id) in all {
            if closed == most || (is_known && closed > 0) {
                break;
            }
            if self.connections.get(&id).is_some_and(|state| state.request_close()) {
                self.connections.remove(&id);
                closed += 1;
            }
        }
        closed
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

    fn served(pool: &Arc<ConnectionPool>) -> PoolEntry {
        match pool.admit() {
            Admission::Served(entry, _) => entry,
            other => panic!("{other:?}"),
        }
    }

    fn phase(entry: &PoolEntry) -> ConnectionPhase {
        entry.state.phase()
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_go_first_and_the_busy_stay() {
        let pool = ConnectionPool::new(4);
        let busy = served(&pool);
        busy.state.enter(ConnectionPhase::InRequest);
        let idle = served(&pool);
        idle.state.mark_known();
        tokio::time::advance(Duration::from_secs(1)).await;
        let (first, second) = (served(&pool), served(&pool));
        tokio::time::advance(Duration::from_secs(1)).await;
        first.state.enter(ConnectionPhase::ReadingHead);

        let third = served(&pool);
        assert_eq!(
            phase(&second),
            ConnectionPhase::Closing,
            "the oldest stranger, though others wait longer"
        );
        third.state.enter(ConnectionPhase::InRequest);
        let fourth = served(&pool);
        assert_eq!(phase(&first), ConnectionPhase::Closing, "half a head is no request");
        fourth.state.enter(ConnectionPhase::InRequest);
        let fifth = served(&pool);
        assert_eq!(phase(&idle), ConnectionPhase::Closing, "then those that are known, and idle");
        fifth.state.enter(ConnectionPhase::InRequest);

        let told = pool.admit();
        assert!(matches!(&told, Admission::Overloaded(_)), "{told:?}");
        assert_eq!(phase(&busy), ConnectionPhase::InRequest);
        if let Admission::Overloaded(entry) = &told {
            entry.state.enter(ConnectionPhase::InRequest);
        }
        assert!(matches!(pool.admit(), Admission::Rejected));
        drop((busy, told));
        served(&pool);
    }

    #[test]
    fn a_flood_replaces_itself() {
        let pool = ConnectionPool::new(100);
        let known = served(&pool);
        known.state.mark_known();
        let strangers: Vec<_> = (0..10_000).map(|_| served(&pool)).collect();
        assert_eq!(phase(&known), ConnectionPhase::Idle);
        let open = strangers.iter().filter(|entry| phase(entry) != ConnectionPhase::Closing).count();
        assert!(open < 100, "{open}");
    }
}
