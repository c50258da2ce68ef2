//! `POST /circuits/{key}/permits`: the breaker alone, for applications that call providers themselves. They ask, call, and
//! tell.
//!
//! A permit lives in the process that gave it: the answer goes to the same instance.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use breaker::{ModelKey, Timestamp};
use http::StatusCode;
use manager::{CallError, SkipReason, SkippedModel};
use providers::{ProviderError, ProviderErrorKind, TimeoutKind};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    body::JsonBody,
    duration::DurationText,
    error::{ApiError, Error},
    path_params::{CircuitKey, PermitId},
};

/// How long a permit lasts that says nothing else.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest that may be asked for: a probe whose application has died keeps its place for so long.
const MAX_LIFETIME: Duration = Duration::from_secs(600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermitRequest {
    /// How long the call may take: a probe's lease.
    #[serde(rename = "for")]
    lifetime: Option<DurationText>,
}

/// Leave to make one call.
#[derive(Debug, Serialize)]
pub(crate) struct PermitResponse {
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
pub(crate) enum ReportedOutcome {
    Success {},
    Failure(ReportedFailure),
    None {},
}

/// What the provider said, or what was heard of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReportedFailure {
    status: Option<Status>,
    kind: Option<ReportedKind>,
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
enum ReportedKind {
    Connection,
    Timeout,
    Invalid,
    Truncated,
}

/// May a call be made?
pub(crate) async fn acquire(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
    JsonBody(request): JsonBody<PermitRequest>,
) -> Result<Json<PermitResponse>, ApiError> {
    let lifetime = request.lifetime.map_or(DEFAULT_LIFETIME, |DurationText(length)| length);
    if lifetime.is_zero() || lifetime > MAX_LIFETIME {
        let longest = DurationText(MAX_LIFETIME);
        return Err(Error::invalid_request(format!(
            "\"for\": expected more than nothing and at most {longest}"
        ))
        .into());
    }
    if app.lifecycle.is_shutting_down() {
        return Err(
            Error::shutting_down("the gateway is stopping and gives no more permits: ask again").into()
        );
    }
    if app.permit_registry.is_full() {
        let message = "too many permits are out: answer those that you have been given".to_owned();
        return Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_permits", message)
            .with_retry_after(Duration::from_secs(1))
            .into());
    }
    let circuits = app.manager.circuits();
    let permit = circuits.admit_for(&key, lifetime).await.map_err(|refusal| {
        let skipped = vec![SkippedModel { key: key.clone(), reason: SkipReason::CircuitOpen(refusal) }];
        Error::from(CallError::CircuitOpen { requested: key.as_str().into(), skipped })
    })?;
    let (epoch, probe) = (permit.epoch(), permit.is_probe());
    let until = circuits.now() + lifetime;
    let id = app.permit_registry.issue(permit, lifetime);
    let (key, instance) = (key.to_string(), circuits.instance().to_string());
    Ok(Json(PermitResponse { permit: id.to_string(), key, epoch, probe, until, instance }))
}

/// How the call ended.
pub(crate) async fn report_outcome(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
    PermitId(id): PermitId,
    JsonBody(outcome): JsonBody<ReportedOutcome>,
) -> Result<StatusCode, ApiError> {
    let error = match &outcome {
        ReportedOutcome::Failure(failure) => Some(failure.to_provider_error()?),
        ReportedOutcome::Success {} | ReportedOutcome::None {} => None,
    };
    let permit =
        id.and_then(|id| app.permit_registry.redeem(&key, id)).ok_or_else(|| permit_not_found(&key))?;
    match (outcome, error) {
        (ReportedOutcome::Success {}, _) => permit.succeeded(),
        (_, Some(fault)) => app.manager.record_reported_outcome(permit, &fault),
        (ReportedOutcome::None {} | ReportedOutcome::Failure(_), None) => drop(permit),
    }
    Ok(StatusCode::NO_CONTENT)
}

fn permit_not_found(key: &ModelKey) -> Error {
    let message = format!(
        "{key} has no such permit here: it was answered already, its time is over, or another instance gave it"
    );
    Error::new(StatusCode::NOT_FOUND, "permit_not_found", message)
}

impl ReportedFailure {
    /// Judged as if this process had made the call.
    fn to_provider_error(&self) -> Result<ProviderError, Error> {
        match (self.status, self.kind) {
            (Some(Status(status)), None) => {
                let wait = self.retry_after.map(|DurationText(wait)| wait);
                Ok(ProviderError::from_reported(
                    status,
                    self.error_type.as_deref(),
                    self.code.as_deref(),
                    wait,
                ))
            }
            (None, Some(kind)) => Ok(ProviderError::provider_failure(kind.into())),
            (None, None) | (Some(_), Some(_)) => Err(Error::invalid_request(
                "a failure has either a \"status\" or, where none came, a \"kind\": \
                 connection, timeout, invalid or cut"
                    .to_owned(),
            )),
        }
    }
}

impl From<ReportedKind> for ProviderErrorKind {
    fn from(kind: ReportedKind) -> Self {
        match kind {
            ReportedKind::Connection => Self::Connection,
            ReportedKind::Timeout => Self::Timeout(TimeoutKind::Response),
            ReportedKind::Invalid => Self::Invalid,
            ReportedKind::Truncated => Self::Truncated,
        }
    }
}
