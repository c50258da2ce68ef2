//! What the process counts itself, read at the scrape.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use manager::MemoryBudget;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::resources::Resources;

/// Reads the counts at each scrape.
#[derive(Debug)]
pub(super) struct Collector {
    dropped_log_lines: Arc<AtomicU64>,
    memory: MemoryBudget,
}

impl Collector {
    pub(super) fn new(resources: &Resources, memory: &MemoryBudget) -> Self {
        Self { dropped_log_lines: Arc::clone(&resources.dropped_log_lines), memory: memory.clone() }
    }
}

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Log lines that were dropped, because standard error was not read";
        let family = encoder.encode_descriptor("log_lines_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(self.dropped_log_lines.load(Ordering::Relaxed)).encode(family)?;
        let help = "Memory that the bodies of requests and buffered streams take";
        let unit = Some(&Unit::Bytes);
        let family = encoder.encode_descriptor("request_memory", help, unit, MetricType::Gauge)?;
        ConstGauge::new(i64::try_from(self.memory.used()).unwrap_or(i64::MAX)).encode(family)
    }
}
