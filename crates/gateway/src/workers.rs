//! The threads that serve connections.
//!
//! Each has a runtime of its own, and a connection stays with its thread: so nothing of a call is handed from one core to
//! another, as in nginx and Envoy. The price: connections that are busy at the same time may be on the same core, though
//! another one has nothing to do.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The threads that serve connections. They end when this is dropped, with all that runs on them.
#[derive(Clone, Default)]
pub struct Workers(Arc<[Worker]>);

struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

/// The thread of a connection, which counts it.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// Of the thread.
    pub(crate) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub fn start(count: usize) -> io::Result<Self> {
        (0..count.max(1)).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    /// Chooses the thread that has the fewest connections; `None`: connections are served where they are accepted.
    pub(crate) fn assign(&self) -> Option<Assignment> {
        let worker = self.0.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some(Assignment { runtime: worker.runtime.clone(), connections: Arc::clone(&worker.connections) })
    }

    /// The number of tasks on these threads.
    pub(crate) fn tasks(&self) -> usize {
        self.0.iter().map(|worker| worker.runtime.metrics().num_alive_tasks()).sum()
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            per_core::set_core(number);
            // Nobody sends: it ends when the other half is dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { runtime: handle, connections: Arc::default(), _stop: stop })
    }
}

impl Drop for Assignment {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("threads", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_over_the_threads() {
        assert!(Workers::default().assign().is_none());
        let workers = Workers::start(3).unwrap();
        let assignments: Vec<Assignment> = (0..6).filter_map(|_| workers.assign()).collect();
        let connections = || -> Vec<usize> {
            workers.0.iter().map(|worker| worker.connections.load(Ordering::Relaxed)).collect()
        };
        assert_eq!(connections(), [2, 2, 2]);
        let mut assignments = assignments.into_iter();
        assignments.next();
        assert_eq!(connections(), [1, 2, 2]);
        let again = workers.assign();
        assert_eq!(connections(), [2, 2, 2], "the thread with the fewest gets the next");
        drop((assignments, again));
        assert_eq!(connections(), [0, 0, 0]);
    }

    #[test]
    fn a_panic_ends_its_connection_and_no_other() {
        let workers = Workers::start(1).unwrap();
        let assignment = workers.assign().unwrap();
        let other = assignment.runtime.spawn(async {
            tokio::task::yield_now().await;
            7
        });
        let runtime = assignment.runtime.clone();
        let panicking = runtime.spawn(async move {
            let _assignment = assignment;
            panic!("a fault of ours");
        });
        let waiting = Builder::new_current_thread().build().unwrap();
        assert!(waiting.block_on(panicking).unwrap_err().is_panic());
        assert_eq!(waiting.block_on(other).unwrap(), 7);
        assert_eq!(workers.0[0].connections.load(Ordering::Relaxed), 0);
        assert_eq!(waiting.block_on(runtime.spawn(async { 8 })).unwrap(), 8);
    }

    #[test]
    fn a_thread_runs_tasks_until_it_is_dropped() {
        let workers = Workers::start(1).unwrap();
        let assignment = workers.assign().unwrap();
        let name = assignment.runtime.spawn(async { thread::current().name().map(str::to_owned) });
        let (dropped, is_dropped) = std::sync::mpsc::channel::<()>();
        assignment.runtime.spawn(async move {
            std::future::pending::<()>().await;
            drop(dropped);
        });
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(name).unwrap().as_deref(), Some("worker-0"));
        drop(workers);
        assert!(is_dropped.recv().is_err(), "what runs on it ends");
    }
}
