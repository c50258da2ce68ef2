//! `POST /circuits/{key}/permits`: the breaker alone, for applications that call providers themselves. They acquire a
//! permit, call, and report the outcome.
//!
//! A permit lives in the process that issued it: the outcome must be reported to the same instance.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use breaker::{ModelKey, Timestamp};
use http::StatusCode;
use manager::{CallError, SkipReason, SkippedModel};
use providers::{ConnectCause, ProviderError, ProviderErrorKind, TimeoutKind};
use serde::{Deserialize, Serialize};

use crate::{
    body::JsonBody,
    duration::DurationText,
    error::{ApiError, Error},
    path_params::{CircuitKey, PermitId},
    state::App,
};

/// The lifetime of a permit without `for`.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest lifetime: a probe whose application crashed blocks others until then.
const MAX_LIFETIME: Duration = Duration::from_secs(600);

/// The body that acquires a permit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermitRequest {
    /// The time that the call may take; the lease, if it is a probe.
    #[serde(rename = "for")]
    lifetime: Option<DurationText>,
}

/// A permit for one call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermitResponse {
    permit: String,
    key: String,
    epoch: u64,
    /// Whether the outcome decides if the circuit closes.
    probe: bool,
    /// When it expires (Unix ms, by the store's clock).
    until: Timestamp,
    /// The instance that issued it and takes the outcome.
    instance: String,
}

/// The outcome of a call.
#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ReportedOutcome {
    Success {},
    Failure(ReportedFailure),
    None {},
}

/// A failure: the provider's error response, or how the call failed without one.
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
    // The word that the circuit's reason has for it.
    #[serde(rename = "cut")]
    Truncated,
}

/// Acquires a permit.
pub(crate) async fn acquire(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
    JsonBody(request): JsonBody<PermitRequest>,
) -> Result<Json<PermitResponse>, ApiError> {
    let lifetime = request.lifetime.map_or(DEFAULT_LIFETIME, |DurationText(lifetime)| lifetime);
    if lifetime.is_zero() || lifetime > MAX_LIFETIME {
        let longest = DurationText(MAX_LIFETIME);
        return Err(Error::invalid_request(format!(
            "\"for\": expected a duration above 0 and at most {longest}"
        ))
        .into());
    }
    if app.lifecycle.is_shutting_down() {
        return Err(Error::shutting_down().into());
    }
    if app.permit_registry.is_full() {
        let message =
            "too many permits without an outcome: report the outcomes of those that you hold".to_owned();
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

/// Reports the outcome of a call.
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
        (_, Some(error)) => app.manager.record_reported_outcome(permit, &error),
        (ReportedOutcome::None {} | ReportedOutcome::Failure(_), None) => drop(permit),
    }
    Ok(StatusCode::NO_CONTENT)
}

fn permit_not_found(key: &ModelKey) -> Error {
    let message = format!(
        "no such permit for {key} on this instance: its outcome was reported, it expired, or another instance issued it"
    );
    Error::new(StatusCode::NOT_FOUND, "permit_not_found", message)
}

impl ReportedFailure {
    /// The error, classified as if this process had made the call.
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
                "a failure needs a \"status\" or, without an HTTP response, a \"kind\": \
                 connection, timeout, invalid or cut"
                    .to_owned(),
            )),
        }
    }
}

impl From<ReportedKind> for ProviderErrorKind {
    fn from(kind: ReportedKind) -> Self {
        match kind {
            ReportedKind::Connection => Self::Connection(ConnectCause::Unreachable),
            ReportedKind::Timeout => Self::Timeout(TimeoutKind::Response),
            ReportedKind::Invalid => Self::Invalid,
            ReportedKind::Truncated => Self::Truncated,
        }
    }
}
