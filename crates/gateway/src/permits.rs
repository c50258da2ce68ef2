//! `POST /circuits/{key}/permits`: the breaker alone, for applications that call providers themselves. They acquire a
//! permit, call, and report the outcome.
//!
//! What an application reports is its own word, and all other callers feel it. So a report is a vote (Q6): a failure counts
//! like any, but only a key that may say so rests a model for longer than its own failures would.
//!
//! A permit lives in the process that issued it: the outcome must be reported to the same instance.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Extension, State},
};
use breaker::{CallerName, ModelKey, Timestamp};
use circuits::CallSource;
use http::StatusCode;
use manager::{CallError, Reporter, SkipReason, SkippedModel};
use providers::{ConnectCause, ProviderError, ProviderErrorKind, TimeoutKind};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    auth::Caller,
    body::JsonBody,
    duration::DurationText,
    error::{ApiError, Error},
    path_params::{CircuitKey, PermitId},
    state::App,
};

/// The lifetime of a permit without `for`.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest lifetime.
const MAX_LIFETIME: Duration = Duration::from_secs(600);

/// The longest lifetime of a probe's permit, however often its lease is renewed: meanwhile nobody else may call the model.
/// A key whose reports of cooldowns are taken at its word may hold it for [`MAX_LIFETIME`].
const MAX_PROBE_LIFETIME: Duration = Duration::from_secs(60);

/// The limit for renewing a lease in the store.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The body that acquires a permit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermitRequest {
    /// The time that the call may take.
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
    /// When it expires; a probe's: when its lease ends, unless it is renewed (Unix ms, by the store's clock).
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
    Extension(caller): Extension<Caller>,
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
    check_model(&app, &caller, &key)?;
    let slot = app.permit_registry.reserve(caller.name()).map_err(|error| {
        let message = format!("too many permits: {error}; report the outcomes of those that you hold");
        Error::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_permits", message)
            .with_retry_after(Duration::from_secs(1))
    })?;
    let circuits = app.manager.circuits();
    let lease = lifetime.min(circuits.policy(&key).probe_lease);
    // What the application will ask for is not known, so what fails is its caller's (B12).
    let source = CallSource::of_caller(caller.name());
    let permit = circuits.admit_as(&key, &source, Some(lease)).await.map_err(|refusal| {
        let skipped = vec![SkippedModel {
            key: key.clone(),
            reason: SkipReason::CircuitOpen(refusal),
            failing_for: circuits.failing_for(&key),
        }];
        Error::from(CallError::CircuitOpen { requested: key.as_str().into(), skipped })
    })?;
    let (epoch, probe) = (permit.epoch(), permit.is_probe());
    let lifetime = match probe {
        true if !caller.may_set_cooldowns() => lifetime.min(MAX_PROBE_LIFETIME),
        _ => lifetime,
    };
    let until = circuits.now() + if probe { lease } else { lifetime };
    let id = app.permit_registry.issue(slot, permit, lifetime);
    let (key, instance) = (key.to_string(), circuits.instance().to_string());
    Ok(Json(PermitResponse { permit: id.to_string(), key, epoch, probe, until, instance }))
}

/// A permit is for a model that this gateway knows: otherwise every typing error would be a circuit. And for one that the
/// caller may use.
fn check_model(app: &App, caller: &Caller, key: &ModelKey) -> Result<(), Error> {
    if let Some(allowed) = caller.allowed_models().filter(|allowed| !allowed.allows(key.as_str())) {
        let (requested, allowed) = (key.to_string(), Arc::clone(allowed));
        return Err(CallError::ModelNotAllowed { requested, allowed }.into());
    }
    let catalog = app.manager.catalog();
    let providers = catalog.provider_names();
    if providers.contains(&key.provider()) || app.manager.circuits().report(key).is_some() {
        return Ok(());
    }
    let known = match providers[..] {
        [] => "there are no providers".to_owned(),
        _ => format!("the providers are {}", providers.join(", ")),
    };
    let provider = key.provider();
    let message = format!("no circuit for {key}: provider {provider} is not configured, and {known}");
    Err(Error::new(StatusCode::NOT_FOUND, "unknown_model", message))
}

/// Prolongs a probe's lease by [`Policy::probe_lease`](breaker::Policy) from now, within the lifetime of its permit. Any
/// other permit stays as it is.
pub(crate) async fn renew(
    State(app): State<Arc<App>>,
    CircuitKey(key): CircuitKey,
    PermitId(id): PermitId,
) -> Result<Json<PermitResponse>, ApiError> {
    let renewal = id.and_then(|id| Some((id, app.permit_registry.renew(&key, id)?)));
    let (id, (permit, renewed)) = renewal.ok_or_else(|| permit_not_found(&key))?;
    match timeout(RENEWAL_TIMEOUT, renewed).await {
        Ok(true) => {}
        Ok(false) => {
            let message = format!("the lease of this probe of {key} has ended and was not renewed in time");
            return Err(Error::new(StatusCode::CONFLICT, "lease_lost", message).into());
        }
        Err(_) => {
            let message = "the store did not respond: the lease may or may not have been renewed".to_owned();
            return Err(Error::new(StatusCode::GATEWAY_TIMEOUT, "outcome_unknown", message).into());
        }
    }
    let circuits = app.manager.circuits();
    let longest = if permit.probe { circuits.policy(&key).probe_lease } else { permit.remaining };
    let until = circuits.now() + permit.remaining.min(longest);
    Ok(Json(PermitResponse {
        permit: id.to_string(),
        key: key.to_string(),
        epoch: permit.epoch,
        probe: permit.probe,
        until,
        instance: circuits.instance().to_string(),
    }))
}

/// Reports the outcome of a call.
pub(crate) async fn report_outcome(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
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
        (_, Some(error)) => {
            let reporter = Reporter { name: caller.name(), may_set_cooldowns: caller.may_set_cooldowns() };
            let name = reporter.name.as_ref().map(CallerName::as_str);
            tracing::info!(circuit = %key, caller = name, %error, "failure reported by an application");
            app.manager.record_reported_outcome(permit, &error, &reporter);
        }
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
