//! What this process has, and callers share (Q6).

use std::sync::{Arc, atomic::AtomicU64};

use crate::workers::Workers;

/// The shares of this process's resources.
#[derive(Debug, Clone)]
pub struct Resources {
    /// The most connections of clients. Each call in flight needs a descriptor for its provider, too.
    pub max_connections: usize,
    /// The threads that serve connections; none: those that accept them.
    pub workers: Workers,
    /// Lines of the log that were dropped, for the metrics.
    pub dropped_log_lines: Arc<AtomicU64>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { max_connections: 1_000, workers: Workers::default(), dropped_log_lines: Arc::default() }
    }
}
