//! `POST /circuits/{key}/permits`: the breaker alone, for applications that call providers themselves. They ask, call, and
//! tell.
//!
//! A permit lives in the process that gave it: the answer goes to the same instance.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use breaker::{ModelKey, Timestamp};
use http::StatusCode;
use manager::{CallError, Passed, Why};
use providers::{Fault, FaultKind, Limit};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    body::Word,
    duration::DurationText,
    error::{Error, Plain},
    key::{Key, PermitId},
};

/// How long a permit lasts that says nothing else.
const USUAL: Duration = Duration::from_secs(60);

/// The longest that may be asked for: a probe whose application has died keeps its place for so long.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// How long the call may take: a probe's lease.
    #[serde(rename = "for")]
    length: Option<DurationText>,
}

/// Leave to make one call.
#[derive(Debug, Serialize)]
pub(crate) struct Given {
    permit: String,
    key: String,
    epoch: u64,
    /// Whether the call decides if the circuit closes.
    probe: bool,
    /// Until when it can be answered (Unix ms, by the store's clock).
    until: Timestamp,
    /// Who gave it, and must be told.
    instance: String,
}

/// How a call ended.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Ended {
    Success {},
    Failure(Failure),
    None {},
}

/// What the provider said, or what was heard of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Failure {
    status: Option<Status>,
    kind: Option<Kind>,
    #[serde(rename = "type")]
    error_type: Option<String>,
    code: Option<String>,
    retry_after: Option<DurationText>,
}

/// An HTTP status. In JSON 503.0 is the same whole number as 503.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Status(u16);

impl TryFrom<f64> for Status {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        let status = (100..=599).find(|status| f64::from(*status) == number);
        status.map(Self).ok_or("\"status\": expected an HTTP status, 100 to 599")
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Connection,
    Timeout,
    Invalid,
    Cut,
}

/// May a call be made?
pub(crate) async fn ask(
    State(app): State<Arc<App>>,
    Key(key): Key,
    Word(ask): Word<Ask>,
) -> Result<Json<Given>, Plain> {
    let length = ask.length.map_or(USUAL, |DurationText(length)| length);
    if length.is_zero() || length > LONGEST {
        let longest = DurationText(LONGEST);
        return Err(
            Error::invalid(format!("\"for\": expected more than nothing and at most {longest}")).into()
        );
    }
    if app.lifecycle.is_stopping() {
        return Err(Error::stopping("the gateway is stopping and gives no more permits: ask again").into());
    }
    if app.lent.is_full() {
        let message = "too many permits are out: answer those that you have been given".to_owned();
        return Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_permits", message)
            .retry_in(Duration::from_secs(1))
            .into());
    }
    let circuits = app.manager.circuits();
    let permit = circuits.admit_for(&key, length).await.map_err(|refusal| {
        let passed = vec![Passed { key: key.clone(), why: Why::Open(refusal) }];
        Error::from(CallError::CircuitOpen { asked: key.as_str().into(), passed })
    })?;
    let (epoch, probe) = (permit.epoch(), permit.is_probe());
    let until = circuits.now() + length;
    let id = app.lent.lend(permit, length);
    let (key, instance) = (key.to_string(), circuits.instance().to_string());
    Ok(Json(Given { permit: id.to_string(), key, epoch, probe, until, instance }))
}

/// How the call ended.
pub(crate) async fn tell(
    State(app): State<Arc<App>>,
    Key(key): Key,
    PermitId(id): PermitId,
    Word(ended): Word<Ended>,
) -> Result<StatusCode, Plain> {
    let fault = match &ended {
        Ended::Failure(failure) => Some(failure.fault()?),
        Ended::Success {} | Ended::None {} => None,
    };
    let permit = id.and_then(|id| app.lent.take(&key, id)).ok_or_else(|| permit_not_found(&key))?;
    match (ended, fault) {
        (Ended::Success {}, _) => permit.succeeded(),
        (_, Some(fault)) => app.manager.settle(permit, &fault),
        (Ended::None {} | Ended::Failure(_), None) => drop(permit),
    }
    Ok(StatusCode::NO_CONTENT)
}

fn permit_not_found(key: &ModelKey) -> Error {
    let message = format!(
        "{key} has no such permit here: it was answered already, its time is over, or another instance gave it"
    );
    Error::new(StatusCode::NOT_FOUND, "permit_not_found", message)
}

impl Failure {
    /// Judged as if this process had made the call.
    fn fault(&self) -> Result<Fault, Error> {
        match (self.status, self.kind) {
            (Some(Status(status)), None) => {
                let wait = self.retry_after.map(|DurationText(wait)| wait);
                Ok(Fault::told(status, self.error_type.as_deref(), self.code.as_deref(), wait))
            }
            (None, Some(kind)) => Ok(Fault::of_provider(kind.into())),
            (None, None) | (Some(_), Some(_)) => Err(Error::invalid(
                "a failure has either a \"status\" or, where none came, a \"kind\": \
                 connection, timeout, invalid or cut"
                    .to_owned(),
            )),
        }
    }
}

impl From<Kind> for FaultKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Connection => Self::Connection,
            Kind::Timeout => Self::Timeout(Limit::Answer),
            Kind::Invalid => Self::Invalid,
            Kind::Cut => Self::Cut,
        }
    }
}
