//! What the process counts itself, read at the scrape.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter},
};

use crate::resources::Resources;

/// Reads the counts at each scrape.
#[derive(Debug)]
pub(super) struct Collector {
    dropped_log_lines: Arc<AtomicU64>,
}

impl Collector {
    pub(super) fn new(resources: &Resources) -> Self {
        Self { dropped_log_lines: Arc::clone(&resources.dropped_log_lines) }
    }
}

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Log lines that were dropped, because standard error was not read";
        let family = encoder.encode_descriptor("log_lines_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(self.dropped_log_lines.load(Ordering::Relaxed)).encode(family)
    }
}
