//! The idle connections of one provider.

use std::collections::VecDeque;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use per_core::PerCore;
use tokio::time::{Instant, sleep};

use super::connection::Connection;

/// How long an idle connection is kept. Providers close theirs after about a minute to some minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How many idle connections a runtime keeps. More are made as needed.
const MAX_IDLE: usize = 256;

/// How often connections that have ended are taken out.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// The idle connections of one provider.
///
/// Each runtime has its own: a socket wakes its task by the one that it was made in.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    runtimes: PerCore<Mutex<Idle>>,
    is_swept: AtomicBool,
}

/// Those of a runtime, the longest idle first. The last one is taken, so that those beyond what the traffic needs grow old.
type Idle = VecDeque<IdleConnection>;

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
        let mut idle = lock(self.runtimes.of_runtime());
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
        let mut idle = lock(self.runtimes.of_runtime());
        let oldest = if idle.len() >= MAX_IDLE { idle.pop_front() } else { None };
        idle.push_back(IdleConnection { connection, since: Instant::now() });
        drop(idle);
        // Closed without the lock.
        drop(oldest);
        // Looked at first: it is mostly set, and all cores read it.
        if !self.is_swept.load(Relaxed) && !self.is_swept.swap(true, AcqRel) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has ended or was idle for too long; whether any are left.
    fn remove_ended(&self) -> bool {
        let now = Instant::now();
        // Whoever adds one after this starts the next sweep, and finds that there is one if this goes on.
        self.is_swept.store(false, Release);
        let mut is_left = false;
        for runtime in self.runtimes.iter() {
            let mut idle = lock(runtime);
            idle.retain_mut(|idle| idle.is_usable(now));
            is_left |= !idle.is_empty();
        }
        is_left && !self.is_swept.swap(true, AcqRel)
    }
}

/// A panic elsewhere leaves the list consistent.
fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
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
