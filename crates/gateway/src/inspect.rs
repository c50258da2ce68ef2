//! `GET /circuits`, `/circuits/{key}` and `/circuits/{key}/history`: seeing the circuits as this instance sees them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use breaker::{ModelKey, Timestamp, Transition};
use circuits::{Circuits, Report};
use http::StatusCode;
use manager::CallMetrics;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    app::App,
    error::{ApiError, Error},
    health::{self, StoreReport},
    path_params::CircuitKey,
};

/// How long the store may take to read a history.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(2);

/// Entries of a history returned without a `limit`.
const DEFAULT_HISTORY_LIMIT: usize = 100;

/// A history has no more entries.
const MAX_HISTORY_LIMIT: usize = 1_000;

/// All circuits at a moment.
#[derive(Debug, Serialize)]
pub(crate) struct Overview {
    /// By the store's clock.
    now: Timestamp,
    instance: String,
    store: StoreReport,
    /// The worst first.
    circuits: Vec<Report>,
    /// What streams take until their first content, in ms, by model: as this process sees it, of models that had a
    /// stream lately.
    latency: BTreeMap<String, u64>,
}

impl Overview {
    pub(crate) fn of(circuits: &Circuits, meter: &CallMetrics) -> Self {
        let mut reports = circuits.reports();
        reports.sort_by_key(Report::severity);
        let latency = meter.ttft_by_model().into_iter();
        Self {
            now: circuits.now(),
            instance: circuits.instance().to_string(),
            store: health::store_status(circuits),
            circuits: reports,
            latency: latency.map(|(key, took)| (key.to_string(), breaker::millis(took))).collect(),
        }
    }
}

/// All of them.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Overview> {
    Json(Overview::of(app.manager.circuits(), app.manager.metrics()))
}

/// One of them.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
) -> Result<Json<Report>, ApiError> {
    let report = app.manager.circuits().report(&key);
    Ok(Json(report.ok_or_else(|| circuit_not_found(&key))?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct HistoryQuery {
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct HistoryResponse {
    key: String,
    /// The newest first.
    history: Vec<Transition>,
}

/// What one of them has been through.
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<HistoryResponse>, ApiError> {
    let limit = match query {
        Ok(Query(HistoryQuery { limit })) => limit.unwrap_or(DEFAULT_HISTORY_LIMIT),
        Err(_) => 0,
    };
    if !(1..=MAX_HISTORY_LIMIT).contains(&limit) {
        let message = format!("query parameter limit: expected a whole number from 1 to {MAX_HISTORY_LIMIT}");
        return Err(Error::invalid_request(message).into());
    }
    let circuits = app.manager.circuits();
    let unavailable =
        |message: String| Error::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message);
    let history = timeout(HISTORY_TIMEOUT, circuits.history(&key, limit))
        .await
        .map_err(|_| unavailable(format!("the store did not answer within {} s", HISTORY_TIMEOUT.as_secs())))?
        .map_err(|error| unavailable(error.to_string()))?;
    // It is longer than its circuit: a reset is the last that it tells.
    if history.is_empty() && circuits.report(&key).is_none() {
        return Err(circuit_not_found(&key).into());
    }
    Ok(Json(HistoryResponse { key: key.to_string(), history }))
}

/// There is no such circuit.
pub(crate) fn circuit_not_found(key: &ModelKey) -> Error {
    let message = format!("there is no circuit {key}; GET /circuits lists those that there are");
    Error::new(StatusCode::NOT_FOUND, "circuit_not_found", message)
}
