//! `GET /metrics`: what Prometheus scrapes, in the OpenMetrics text format.
//!
//! Whoever counts registers here: the manager its calls, this crate the process it runs in. The circuits know no metrics;
//! what they count is read at each scrape (`metrics/circuits.rs`).

mod circuits;

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use manager::ModelManager;
use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry};
use tokio::runtime::Handle;

use crate::app::App;

/// Every name begins so.
const PREFIX: &str = "switchboard";

/// The media type of the text format.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of this process.
pub(crate) struct Metrics {
    registry: Registry,
    /// Connections of clients.
    pub(crate) connections: Gauge,
    tasks: Gauge,
}

impl Metrics {
    pub(crate) fn new(manager: &ModelManager) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        manager.metrics().register(&mut registry);
        registry.register_collector(Box::new(circuits::Collector::new(manager.circuits().clone())));
        let (connections, tasks) = (Gauge::default(), Gauge::default());
        registry.register("connections", "Connections of clients that are open", connections.clone());
        registry.register("tasks", "Tasks of the runtime that are alive", tasks.clone());
        Self { registry, connections, tasks }
    }

    fn encode_text(&self) -> Result<String, fmt::Error> {
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

/// A connection, counted for as long as it lives.
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

/// All of them.
pub(crate) async fn scrape(State(app): State<Arc<App>>) -> Response {
    match app.metrics.encode_text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
