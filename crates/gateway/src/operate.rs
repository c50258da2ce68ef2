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
    inspect::no_circuit,
    key::{Key, Operator},
};

/// The longest reason that is taken, in characters: it goes to everyone who asks why the circuit is open.
const LONGEST_WHY: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    /// `None`: until it is closed by hand.
    #[serde(rename = "for")]
    length: Option<DurationText>,
    why: Option<Why>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    why: Option<Why>,
}

/// Why a person does something.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Why(String);

impl TryFrom<String> for Why {
    type Error = String;

    fn try_from(why: String) -> Result<Self, String> {
        if why.chars().count() > LONGEST_WHY {
            return Err(format!("\"why\": expected at most {LONGEST_WHY} characters"));
        }
        Ok(Self(why))
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
    Word(Open { length, why }): Word<Open>,
) -> Result<Json<Done>, Plain> {
    let length = length.map(|DurationText(length)| length);
    done(&app, &key, app.manager.circuits().open(&key, length, text(why)).await)
}

/// Closes it.
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    _: Operator,
    Key(key): Key,
    Word(Reason { why }): Word<Reason>,
) -> Result<Json<Done>, Plain> {
    done(&app, &key, app.manager.circuits().close(&key, text(why)).await)
}

/// Forgets it.
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    _: Operator,
    Key(key): Key,
    Word(Reason { why }): Word<Reason>,
) -> Result<Json<Done>, Plain> {
    done(&app, &key, app.manager.circuits().reset(&key, text(why)).await)
}

fn text(why: Option<Why>) -> Option<String> {
    why.map(|Why(why)| why)
}

fn done(app: &App, key: &ModelKey, done: Result<(), OperateError>) -> Result<Json<Done>, Plain> {
    let in_vain = |status, code| move |error: &OperateError| Error::new(status, code, error.to_string());
    match done {
        Ok(()) => {
            let report = app.manager.circuits().report(key);
            Ok(Json(Done { key: key.to_string(), report }))
        }
        Err(OperateError::NoCircuit(_)) => Err(no_circuit(key).into()),
        Err(error @ OperateError::NotShared(_)) => {
            Err(in_vain(StatusCode::SERVICE_UNAVAILABLE, "not_shared")(&error).into())
        }
        Err(error @ OperateError::InTheBalance) => {
            Err(in_vain(StatusCode::GATEWAY_TIMEOUT, "in_the_balance")(&error).into())
        }
    }
}
