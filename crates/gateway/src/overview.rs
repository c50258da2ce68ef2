//! All circuits and their store at a moment: what `/circuits`, `/health` and the event stream show.

use std::collections::BTreeMap;

use breaker::Timestamp;
use circuits::{Circuits, Report, StoreStatus};
use manager::CallMetrics;
use serde::Serialize;

/// All circuits at a moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    /// By the store's clock.
    now: Timestamp,
    instance: String,
    store: StoreReport,
    /// The most severe first.
    circuits: Vec<Report>,
    /// Time to first token in ms, by model, as measured by this process; only of models that streamed recently.
    latency: BTreeMap<String, u64>,
}

/// The store of the circuits and its state.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreReport {
    kind: &'static str,
    state: &'static str,
    /// Without user and password.
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Overview {
    pub(crate) fn new(circuits: &Circuits, metrics: &CallMetrics) -> Self {
        let mut reports = circuits.reports();
        reports.sort_by_key(Report::severity);
        let latency = metrics.ttft_by_model().into_iter();
        Self {
            now: circuits.now(),
            instance: circuits.instance().to_string(),
            store: StoreReport::new(circuits),
            circuits: reports,
            latency: latency.map(|(key, ttft)| (key.to_string(), breaker::millis(ttft))).collect(),
        }
    }
}

impl StoreReport {
    pub(crate) fn new(circuits: &Circuits) -> Self {
        let info = circuits.store_info();
        let (state, error) = match circuits.store_status() {
            StoreStatus::Connected => ("connected", None),
            StoreStatus::Starting => ("degraded", Some("no response from the store yet".to_owned())),
            StoreStatus::Degraded { error, .. } => ("degraded", Some(error.to_string())),
            StoreStatus::Embedded => ("embedded", None),
        };
        Self { kind: info.kind, state, url: info.address, error }
    }

    /// Whether the circuits are not shared, although they should be.
    pub(crate) const fn is_degraded(&self) -> bool {
        self.error.is_some()
    }
}
