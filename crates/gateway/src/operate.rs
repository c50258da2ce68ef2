//! `POST /circuits/{key}/open`, `/close` and `/reset`: an operator's manual override (B10).

use std::sync::Arc;

use axum::{Json, extract::State};
use breaker::ModelKey;
use circuits::{OperateError, Report};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    body::JsonBody,
    duration::DurationText,
    error::{ApiError, Error},
    path_params::{CircuitKey, RequireAdmin},
    state::App,
};

/// The limit of a reason, in characters: it is part of every report of the circuit.
const MAX_REASON_LENGTH: usize = 500;

/// The body of `open`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenRequest {
    /// `None`: until it is closed manually.
    #[serde(rename = "for")]
    duration: Option<DurationText>,
    reason: Option<ReasonText>,
}

/// The body of `close` and `reset`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseOrResetRequest {
    reason: Option<ReasonText>,
}

/// The operator's reason, recorded in the history.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct ReasonText(String);

impl TryFrom<String> for ReasonText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > MAX_REASON_LENGTH {
            return Err(format!("\"reason\": expected at most {MAX_REASON_LENGTH} characters"));
        }
        Ok(Self(text))
    }
}

/// A circuit after the change.
#[derive(Debug, Serialize)]
pub(crate) struct OperateResponse {
    key: String,
    /// `None`: it was deleted, until the next call to the model.
    report: Option<Report>,
}

/// Forces a circuit open, also one of a model that was not called yet.
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    RequireAdmin(by): RequireAdmin,
    CircuitKey(key): CircuitKey,
    JsonBody(OpenRequest { duration, reason }): JsonBody<OpenRequest>,
) -> Result<Json<OperateResponse>, ApiError> {
    let duration = duration.map(|DurationText(duration)| duration);
    respond(&app, &key, app.manager.circuits().open(&key, duration, into_text(reason), by).await)
}

/// Closes a circuit.
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    RequireAdmin(by): RequireAdmin,
    CircuitKey(key): CircuitKey,
    JsonBody(CloseOrResetRequest { reason }): JsonBody<CloseOrResetRequest>,
) -> Result<Json<OperateResponse>, ApiError> {
    respond(&app, &key, app.manager.circuits().close(&key, into_text(reason), by).await)
}

/// Deletes a circuit.
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    RequireAdmin(by): RequireAdmin,
    CircuitKey(key): CircuitKey,
    JsonBody(CloseOrResetRequest { reason }): JsonBody<CloseOrResetRequest>,
) -> Result<Json<OperateResponse>, ApiError> {
    respond(&app, &key, app.manager.circuits().reset(&key, into_text(reason), by).await)
}

fn into_text(reason: Option<ReasonText>) -> Option<String> {
    reason.map(|ReasonText(text)| text)
}

fn respond(
    app: &App,
    key: &ModelKey,
    result: Result<(), OperateError>,
) -> Result<Json<OperateResponse>, ApiError> {
    let to_api_error = |status, code| move |error: &OperateError| Error::new(status, code, error.to_string());
    match result {
        Ok(()) => {
            let report = app.manager.circuits().report(key);
            Ok(Json(OperateResponse { key: key.to_string(), report }))
        }
        Err(OperateError::NoCircuit(_)) => Err(Error::circuit_not_found(key).into()),
        Err(error @ OperateError::NotShared(_)) => {
            Err(to_api_error(StatusCode::SERVICE_UNAVAILABLE, "not_shared")(&error).into())
        }
        Err(error @ OperateError::OutcomeUnknown) => {
            Err(to_api_error(StatusCode::GATEWAY_TIMEOUT, "outcome_unknown")(&error).into())
        }
    }
}
