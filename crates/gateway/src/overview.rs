//! All that `/circuits` and the event stream show at a moment.

use std::collections::{BTreeMap, BTreeSet};

use breaker::Timestamp;
use circuits::Report;
use manager::BUCKETS;
use serde::Serialize;

use crate::{
    fleet::{DemoReport, Fleet, FleetReport},
    keys::Role,
    store_report::StoreReport,
};

/// All circuits at a moment, and what their instances do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    /// By the store's clock.
    now: Timestamp,
    instance: String,
    version: &'static str,
    /// What the key that asked may do.
    role: &'static str,
    store: StoreReport,
    /// The most severe first.
    circuits: Vec<Report>,
    /// Every model that a route or `[models]` names, also without a circuit.
    models: Vec<String>,
    /// Time to first token in ms, by model, as measured by this process; only of models that streamed recently.
    latency: BTreeMap<String, u64>,
    #[serde(flatten)]
    fleet: FleetReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<DemoReport>,
}

impl Overview {
    pub(crate) fn new(fleet: &Fleet, role: Role) -> Self {
        let circuits = fleet.circuits();
        let mut reports = circuits.reports();
        reports.sort_by_key(Report::severity);
        let latency = fleet.manager().metrics().ttft_by_model().into_iter();
        let (catalog, named) = (fleet.manager().catalog(), circuits.named_models());
        let models: BTreeSet<_> = catalog.routed_models().into_iter().chain(&named).collect();
        Self {
            now: circuits.now(),
            instance: circuits.instance().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            role: match role {
                Role::Caller => "caller",
                Role::Admin => "admin",
            },
            store: StoreReport::new(circuits),
            circuits: reports,
            models: models.into_iter().map(ToString::to_string).collect(),
            latency: latency.map(|(key, ttft)| (key.to_string(), breaker::millis(ttft))).collect(),
            fleet: fleet.report(BUCKETS),
            demo: fleet.demo_report(),
        }
    }
}
