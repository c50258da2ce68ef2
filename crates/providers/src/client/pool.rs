//! The idle connections of one provider.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Connection;

/// How long an idle connection is kept. Providers close theirs after about a minute to some minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How many idle connections are kept. More are made as needed.
const MAX_IDLE: usize = 256;

/// How often connections that have ended are taken out.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The idle connections of one provider, the longest idle first. The last one is taken, so that those beyond what the
/// traffic needs grow old.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<IdleConnection>>,
    is_swept: AtomicBool,
}

#[derive(Debug)]
struct IdleConnection {
    connection: Box<Connection>,
    since: Instant,
}

impl IdleConnection {
    fn is_usable(&mut self, now: Instant) -> bool {
        now.duration_since(self.since) < IDLE_TIMEOUT && self.connection.is_usable()
    }
}

impl Pool {
    /// Takes a connection that is open as far as this machine knows.
    pub(crate) fn take(&self) -> Option<Box<Connection>> {
        let mut idle = self.lock();
        let now = Instant::now();
        while let Some(mut last) = idle.pop_back() {
            if last.is_usable(now) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(self: &Arc<Self>, mut connection: Box<Connection>) {
        if !connection.make_idle() {
            return;
        }
        let mut idle = self.lock();
        let oldest = if idle.len() >= MAX_IDLE { idle.pop_front() } else { None };
        idle.push_back(IdleConnection { connection, since: Instant::now() });
        drop(idle);
        // Closed without the lock.
        drop(oldest);
        if !self.is_swept.swap(true, AcqRel) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has ended or was idle for too long; whether any are left.
    fn remove_ended(&self) -> bool {
        let now = Instant::now();
        let mut idle = self.lock();
        idle.retain_mut(|idle| idle.is_usable(now));
        let is_empty = idle.is_empty();
        if is_empty {
            // Under the lock: whoever adds one after this starts the next sweep.
            self.is_swept.store(false, std::sync::atomic::Ordering::Release);
        }
        !is_empty
    }

    /// A panic elsewhere leaves the list consistent.
    fn lock(&self) -> MutexGuard<'_, VecDeque<IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes connections out that have ended, while there are any.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        match pool.upgrade() {
            Some(pool) if pool.remove_ended() => {}
            _ => return,
        }
    }
}
