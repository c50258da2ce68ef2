//! The metrics of this process.
//!
//! Each crate registers what it counts: the manager its calls, this crate the process it runs in. `circuits` has no
//! metrics of its own; its counters are read at each scrape (`metrics/circuits.rs`).

mod circuits;
mod process;

use std::fmt;

use manager::ModelManager;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::runtime::Handle;

use crate::refused_requests::RefusedRequests;
use crate::resources::Resources;
use crate::workers::Workers;

/// The prefix of every name.
const PREFIX: &str = "switchboard";

/// All metrics of this process.
pub(crate) struct Metrics {
    registry: Registry,
    /// Connections of clients.
    pub(crate) connections: ConnectionMetrics,
    tasks: Gauge,
    /// Where everything runs that is no connection.
    runtime: Handle,
    workers: Workers,
}

/// The metrics of connections.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionMetrics {
    pub(crate) open: Gauge,
    closed: Family<CloseLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloseLabels {
    reason: &'static str,
}

/// Why this process closes a connection.
const CLOSE_REASONS: [&str; 5] = ["stranger", "idle", "overloaded", "head_timeout", "write_timeout"];

impl ConnectionMetrics {
    fn new() -> Self {
        let closed = Family::<CloseLabels, Counter>::default();
        for reason in CLOSE_REASONS {
            // A rate needs the 0 before the first.
            closed.get_or_create(&CloseLabels { reason }).inc_by(0);
        }
        Self { open: Gauge::default(), closed }
    }

    /// So many connections were closed by this process, for this reason.
    pub(crate) fn closed(&self, reason: &'static str, count: usize) {
        if count > 0 {
            self.closed
                .get_or_create(&CloseLabels { reason })
                .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}

impl Metrics {
    pub(crate) fn new(
        manager: &ModelManager,
        resources: &Resources,
        refused_requests: &RefusedRequests,
    ) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        manager.metrics().register(&mut registry);
        registry.register_collector(Box::new(circuits::Collector::new(manager.circuits().clone())));
        let (connections, tasks) = (ConnectionMetrics::new(), Gauge::default());
        registry.register("connections", "Open client connections", connections.open.clone());
        let help = "Client connections closed by the gateway: timeouts, and for want of room";
        registry.register("connections_closed", help, connections.closed.clone());
        registry.register_collector(Box::new(process::Collector::new(resources, manager.memory_budget())));
        let help = "Requests with an unknown API key";
        registry.register("rejected_keys", help, refused_requests.wrong_keys.clone());
        let help = "Requests that were refused before a model was asked, by the code of the error";
        registry.register("refused_requests", help, refused_requests.counter.clone());
        registry.register("tasks", "Tokio tasks", tasks.clone());
        let (runtime, workers) = (Handle::current(), resources.workers.clone());
        Self { registry, connections, tasks, runtime, workers }
    }

    /// The text that Prometheus reads.
    pub(crate) fn encode_text(&self) -> Result<String, fmt::Error> {
        let tasks = self.runtime.metrics().num_alive_tasks() + self.workers.tasks();
        self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// One more in a gauge, for as long as this value lives.
pub(crate) struct GaugeGuard(Gauge);

impl GaugeGuard {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
