//! The metrics of this process.
//!
//! Each crate registers what it counts: the manager its calls, this crate the process it runs in. `circuits` has no
//! metrics of its own; its counters are read at each scrape (`metrics/circuits.rs`).

mod circuits;

use std::fmt;

use manager::ModelManager;
use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry};
use tokio::runtime::Handle;

use crate::rejected_keys::RejectedKeys;

/// The prefix of every name.
const PREFIX: &str = "switchboard";

/// All metrics of this process.
pub(crate) struct Metrics {
    registry: Registry,
    /// Open connections of clients.
    pub(crate) connections: Gauge,
    tasks: Gauge,
}

impl Metrics {
    pub(crate) fn new(manager: &ModelManager, rejected_keys: &RejectedKeys) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        manager.metrics().register(&mut registry);
        registry.register_collector(Box::new(circuits::Collector::new(manager.circuits().clone())));
        let (connections, tasks) = (Gauge::default(), Gauge::default());
        registry.register("connections", "Open client connections", connections.clone());
        let help = "Requests with an unknown API key";
        registry.register("rejected_keys", help, rejected_keys.counter.clone());
        registry.register("tasks", "Tokio tasks", tasks.clone());
        Self { registry, connections, tasks }
    }

    /// The text that Prometheus reads.
    pub(crate) fn encode_text(&self) -> Result<String, fmt::Error> {
        let tasks = Handle::current().metrics().num_alive_tasks();
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
