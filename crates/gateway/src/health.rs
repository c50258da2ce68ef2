//! `/livez`, `/readyz` and `/health`. None of them calls a provider.

use std::sync::Arc;

use axum::{Json, extract::State};
use breaker::State as CircuitState;
use circuits::{Circuits, StoreStatus};
use http::StatusCode;
use serde::Serialize;

use crate::app::App;

/// The report of `/health`.
#[derive(Debug, Serialize)]
pub(crate) struct HealthReport {
    /// `degraded`: the store is away, and circuits are not shared. Calls go on (F3). `stopping`: new ones do not.
    status: &'static str,
    version: &'static str,
    /// This process, as the circuits' history names it.
    instance: String,
    store: StoreReport,
    circuits: StateCounts,
}

/// Where the circuits are kept, and how that stands.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StoreReport {
    kind: &'static str,
    state: &'static str,
    /// Without user and password.
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// How many circuits are in which state.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct StateCounts {
    closed: usize,
    open: usize,
    half_open: usize,
    /// Those of the open ones that a person opened.
    forced: usize,
}

/// The process answers.
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// Calls are taken: the circuits were read, or their store was found to be away, which hinders no call (F3).
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app.manager.circuits().store_status() {
        _ if app.lifecycle.is_shutting_down() => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        StoreStatus::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        _ => (StatusCode::OK, "ready\n"),
    }
}

/// How things stand. 200 also when degraded, since calls go on.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<HealthReport> {
    let circuits = app.manager.circuits();
    let store = store_status(circuits);
    Json(HealthReport {
        status: match &store.error {
            _ if app.lifecycle.is_shutting_down() => "stopping",
            Some(_) => "degraded",
            None => "ok",
        },
        version: env!("CARGO_PKG_VERSION"),
        instance: circuits.instance().to_string(),
        store,
        circuits: count_states(circuits.reports().iter().map(|report| (report.state, report.forced))),
    })
}

/// Where these circuits are kept.
pub(crate) fn store_status(circuits: &Circuits) -> StoreReport {
    let info = circuits.store_info();
    let (state, error) = match circuits.store_status() {
        StoreStatus::Connected => ("connected", None),
        StoreStatus::Starting => ("degraded", Some("the store was not heard yet".to_owned())),
        StoreStatus::Degraded { error, .. } => ("degraded", Some(error.to_string())),
        StoreStatus::Embedded => ("embedded", None),
    };
    StoreReport { kind: info.kind, state, url: info.address, error }
}

fn count_states(circuits: impl Iterator<Item = (CircuitState, bool)>) -> StateCounts {
    let mut counts = StateCounts::default();
    for (state, forced) in circuits {
        match state {
            CircuitState::Closed => counts.closed += 1,
            CircuitState::Open => counts.open += 1,
            CircuitState::HalfOpen => counts.half_open += 1,
        }
        counts.forced += usize::from(forced);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_are_counted_by_state() {
        use CircuitState::{Closed, HalfOpen, Open};
        let circuits = [(Closed, false), (Open, true), (Open, false), (HalfOpen, false), (Closed, false)];
        assert_eq!(
            count_states(circuits.into_iter()),
            StateCounts { closed: 2, open: 2, half_open: 1, forced: 1 }
        );
    }
}
