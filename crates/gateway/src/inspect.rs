//! `GET /circuits`, `/circuits/{key}` and `/circuits/{key}/history`: the circuits as this instance sees them.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Extension, Query, State, rejection::QueryRejection},
};
use breaker::Transition;
use circuits::Report;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    auth::Caller,
    error::{ApiError, Error},
    overview::Overview,
    path_params::CircuitKey,
    state::App,
};

/// The limit for reading a history from the store.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(2);

/// The entries that a query without `limit` returns.
const DEFAULT_HISTORY_LIMIT: usize = 100;

/// The largest `limit`.
const MAX_HISTORY_LIMIT: usize = 1_000;

/// All circuits.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Json<Overview> {
    app.fleet.refresh().await;
    Json(Overview::new(&app.fleet, caller.role))
}

/// One circuit.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
) -> Result<Json<Report>, ApiError> {
    let report = app.manager.circuits().report(&key);
    Ok(Json(report.ok_or_else(|| Error::circuit_not_found(&key))?))
}

/// The query of a history.
#[derive(Debug, Deserialize)]
pub(crate) struct HistoryQuery {
    limit: Option<usize>,
}

/// The transitions of a circuit.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryResponse {
    key: String,
    /// The newest first.
    history: Vec<Transition>,
}

/// The history of one circuit.
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
        .map_err(|_| {
            unavailable(format!("the store did not respond within {} s", HISTORY_TIMEOUT.as_secs()))
        })?
        .map_err(|error| unavailable(error.to_string()))?;
    // A history outlives its circuit: the last entry of a deleted one is its reset.
    if history.is_empty() && circuits.report(&key).is_none() {
        return Err(Error::circuit_not_found(&key).into());
    }
    Ok(Json(HistoryResponse { key: key.to_string(), history }))
}
