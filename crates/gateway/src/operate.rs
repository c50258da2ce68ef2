//! `POST /circuits/{key}/open`, `/close` and `/reset`: a person's hand on a circuit (B10).

use std::sync::Arc;

use axum::{Json, extract::State};
use breaker::ModelKey;
use circuits::{OperateError, Report};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    body::JsonBody,
    duration::DurationText,
    error::{ApiError, Error},
    inspect::circuit_not_found,
    path_params::{CircuitKey, RequireAdmin},
};

/// The longest reason, in characters: everyone who asks why the circuit is open reads it.
const MAX_REASON_LENGTH: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenRequest {
    /// `None`: until it is closed by hand.
    #[serde(rename = "for")]
    duration: Option<DurationText>,
    reason: Option<ReasonText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseOrReset {
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

/// A circuit after a person's word.
#[derive(Debug, Serialize)]
pub(crate) struct OperateResponse {
    key: String,
    /// `None`: it is gone, until the model's next call.
    report: Option<Report>,
}

/// Opens it, also one that has not been called yet.
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    _: RequireAdmin,
    CircuitKey(key): CircuitKey,
    JsonBody(OpenRequest { duration, reason }): JsonBody<OpenRequest>,
) -> Result<Json<OperateResponse>, ApiError> {
    let duration = duration.map(|DurationText(duration)| duration);
    respond(&app, &key, app.manager.circuits().open(&key, duration, into_text(reason)).await)
}

/// Closes it.
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    _: RequireAdmin,
    CircuitKey(key): CircuitKey,
    JsonBody(CloseOrReset { reason }): JsonBody<CloseOrReset>,
) -> Result<Json<OperateResponse>, ApiError> {
    respond(&app, &key, app.manager.circuits().close(&key, into_text(reason)).await)
}

/// Forgets it.
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    _: RequireAdmin,
    CircuitKey(key): CircuitKey,
    JsonBody(CloseOrReset { reason }): JsonBody<CloseOrReset>,
) -> Result<Json<OperateResponse>, ApiError> {
    respond(&app, &key, app.manager.circuits().reset(&key, into_text(reason)).await)
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
        Err(OperateError::NoCircuit(_)) => Err(circuit_not_found(key).into()),
        Err(error @ OperateError::NotShared(_)) => {
            Err(to_api_error(StatusCode::SERVICE_UNAVAILABLE, "not_shared")(&error).into())
        }
        Err(error @ OperateError::OutcomeUnknown) => {
            Err(to_api_error(StatusCode::GATEWAY_TIMEOUT, "outcome_unknown")(&error).into())
        }
    }
}
