//! `POST /circuits/{key}/open`, `/close` and `/reset`: a person's hand on a circuit (B10).

use std::sync::Arc;

use axum::{Json, extract::State};
use breaker::ModelKey;
use circuits::{OperateError, Report};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    body::Word,
    duration::DurationText,
    error::{Error, Plain},
    inspect::circuit_not_found,
    key::{Key, Operator},
};

/// The longest reason, in characters: everyone who asks why the circuit is open reads it.
const MAX_REASON_LENGTH: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
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
pub(crate) struct Done {
    key: String,
    /// `None`: it is gone, until the model's next call.
    report: Option<Report>,
}

/// Opens it, also one that has not been called yet.
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    _: Operator,
    Key(key): Key,
    Word(Open { duration, reason }): Word<Open>,
) -> Result<Json<Done>, Plain> {
    let duration = duration.map(|DurationText(duration)| duration);
    done(&app, &key, app.manager.circuits().open(&key, duration, text(reason)).await)
}

/// Closes it.
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    _: Operator,
    Key(key): Key,
    Word(CloseOrReset { reason }): Word<CloseOrReset>,
) -> Result<Json<Done>, Plain> {
    done(&app, &key, app.manager.circuits().close(&key, text(reason)).await)
}

/// Forgets it.
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    _: Operator,
    Key(key): Key,
    Word(CloseOrReset { reason }): Word<CloseOrReset>,
) -> Result<Json<Done>, Plain> {
    done(&app, &key, app.manager.circuits().reset(&key, text(reason)).await)
}

fn text(reason: Option<ReasonText>) -> Option<String> {
    reason.map(|ReasonText(text)| text)
}

fn done(app: &App, key: &ModelKey, done: Result<(), OperateError>) -> Result<Json<Done>, Plain> {
    let in_vain = |status, code| move |error: &OperateError| Error::new(status, code, error.to_string());
    match done {
        Ok(()) => {
            let report = app.manager.circuits().report(key);
            Ok(Json(Done { key: key.to_string(), report }))
        }
        Err(OperateError::NoCircuit(_)) => Err(circuit_not_found(key).into()),
        Err(error @ OperateError::NotShared(_)) => {
            Err(in_vain(StatusCode::SERVICE_UNAVAILABLE, "not_shared")(&error).into())
        }
        Err(error @ OperateError::InTheBalance) => {
            Err(in_vain(StatusCode::GATEWAY_TIMEOUT, "outcome_unknown")(&error).into())
        }
    }
}
