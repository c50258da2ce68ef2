//! `/livez`, `/readyz` and `/health`. None of them sends a request to a provider.

use std::sync::Arc;

use axum::{Json, extract::State};
use breaker::State as CircuitState;
use circuits::StoreStatus;
use http::StatusCode;
use serde::Serialize;

use crate::{state::App, store_report::StoreReport};

/// The report of `/health`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthReport {
    /// `degraded`: the store is unreachable and circuits are not shared, but calls are served (F3). `shutting_down`:
    /// new calls are rejected.
    status: &'static str,
    version: &'static str,
    /// This process, by the name that it has in the history of circuits.
    instance: String,
    store: StoreReport,
    circuits: StateCounts,
}

/// The number of circuits in each state.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct StateCounts {
    closed: usize,
    open: usize,
    half_open: usize,
    /// Those that an operator forced open.
    forced: usize,
}

/// The process is alive.
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// Calls are accepted: the circuits were read, or their store is known to be unreachable, which fails no call (F3).
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app.manager.circuits().store_status() {
        _ if app.lifecycle.is_shutting_down() => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down\n"),
        StoreStatus::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        _ => (StatusCode::OK, "ready\n"),
    }
}

/// The health of the process. 200 also when degraded, because calls are served.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<HealthReport> {
    let circuits = app.manager.circuits();
    let store = StoreReport::new(circuits);
    Json(HealthReport {
        status: match store.is_degraded() {
            _ if app.lifecycle.is_shutting_down() => "shutting_down",
            true => "degraded",
            false => "ok",
        },
        version: env!("CARGO_PKG_VERSION"),
        instance: circuits.instance().to_string(),
        store,
        circuits: count_states(circuits.reports().iter().map(|report| (report.state, report.forced))),
    })
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
