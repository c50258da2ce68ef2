//! What an error means: for the call, for the circuit, and for the metrics (C1, C2, B9).
//!
//! This is the third step of the scheme for failures (see the crate's documentation). No other file decides by an
//! error's class.

use std::time::Duration;

use breaker::{CallerName, Failure, FailureKind};
use circuits::Permit;
use providers::{FailureClass, LocalResource, ProviderError, ProviderErrorKind};

use crate::{Chain, OnAuthError};

/// Outcome of a call or an attempt: a good, complete response.
pub(crate) const ANSWERED: &str = "answered";

/// Outcome of a call: a provider rejected the request, and the caller got the provider's response.
pub(crate) const REJECTED_BY_PROVIDER: &str = dialects::error::REJECTED_BY_PROVIDER;

/// Outcome of a call, and `code` of its last event: the stream failed after its first token.
pub(crate) const STREAM_INTERRUPTED: &str = "stream_interrupted";

/// Outcome of a call: its client disconnected.
pub(crate) const CLIENT_DISCONNECTED: &str = "client_disconnected";

/// Outcome of a call: this process is shutting down and aborted it.
pub(crate) const ABORTED: &str = "aborted";

/// Outcome of an attempt: its client disconnected, or another model was faster.
pub(crate) const CANCELLED: &str = "cancelled";

/// Outcome of an attempt, and `code` of a call: this machine lacks what the call needs (C8).
pub(crate) const OVERLOADED: &str = "overloaded";

/// Outcome of an attempt: a timeout.
pub(crate) const TIMEOUT: &str = "timeout";

/// What to do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Call the same model again after a backoff, while it has attempts left; not before the delay that it requested, if
    /// that is short enough.
    RetrySame(Duration),
    /// Call the same model again after the cooldown that it requested, if that is short enough.
    RetryAfterCooldown(Duration),
    /// Call the next model.
    TryNext,
    /// Return the error to the caller.
    ReturnToCaller,
}

/// What to do after this error of a model of this chain.
#[cold]
pub(crate) fn classify_retry(error: &ProviderError, chain: &Chain) -> RetryDecision {
    match error.class {
        // C4: the same call does not try a model again that has timed out.
        FailureClass::Provider if matches!(error.kind, ProviderErrorKind::Timeout(_)) => {
            RetryDecision::TryNext
        }
        FailureClass::Provider => RetryDecision::RetrySame(error.retry_after.unwrap_or_default()),
        FailureClass::RateLimited { retry_after } => RetryDecision::RetryAfterCooldown(retry_after),
        FailureClass::QuotaExhausted | FailureClass::UnknownModel if !chain.is_route() => {
            RetryDecision::ReturnToCaller
        }
        FailureClass::Auth if chain.on_auth_error == OnAuthError::Report => RetryDecision::ReturnToCaller,
        FailureClass::QuotaExhausted
        | FailureClass::UnknownModel
        | FailureClass::Auth
        | FailureClass::ContextTooLong
        | FailureClass::NoEndpoint
        // C8: another model may have an idle connection, or need another port; it is not counted if it has not.
        | FailureClass::LocalResource => RetryDecision::TryNext,
        FailureClass::InvalidRequest => RetryDecision::ReturnToCaller,
    }
}

/// How well an error says that it makes sense to come back: of several models' errors the caller is told the one that says it
/// best, in whatever order they came (C4). A mistake of the caller's own comes last, since another model may not see one.
pub(crate) const fn retry_rank(class: FailureClass) -> u8 {
    match class {
        // It says nothing of a model, and passes in a moment.
        FailureClass::LocalResource => 6,
        FailureClass::Provider => 5,
        FailureClass::RateLimited { .. } => 4,
        FailureClass::QuotaExhausted => 3,
        FailureClass::UnknownModel => 2,
        FailureClass::Auth => 1,
        FailureClass::ContextTooLong | FailureClass::NoEndpoint | FailureClass::InvalidRequest => 0,
    }
}

/// The same of a simulated failure.
pub(crate) const fn retry_rank_of_status(status: u16) -> u8 {
    retry_rank(match status {
        401 | 403 => FailureClass::Auth,
        402 => FailureClass::QuotaExhausted,
        429 => FailureClass::RateLimited { retry_after: Duration::ZERO },
        404 => FailureClass::UnknownModel,
        _ => FailureClass::Provider,
    })
}

/// Whether the provider rejected the gateway's API key.
pub(crate) fn is_auth_error(error: &ProviderError) -> bool {
    error.class == FailureClass::Auth
}

/// Whether the error concerns the caller's request, so that the caller gets the provider's own words (C2).
pub(crate) fn is_request_error(error: &ProviderError) -> bool {
    matches!(
        error.class,
        FailureClass::InvalidRequest | FailureClass::ContextTooLong | FailureClass::NoEndpoint
    )
}

/// Whether the provider does not have the endpoint.
pub(crate) fn is_missing_endpoint(error: &ProviderError) -> bool {
    error.class == FailureClass::NoEndpoint
}

/// What this machine lacked, if that is why the attempt failed (C8).
pub(crate) fn missing_resource(error: &ProviderError) -> Option<LocalResource> {
    match (error.class, error.kind) {
        (FailureClass::LocalResource, ProviderErrorKind::LocalResource(resource)) => Some(resource),
        _ => None,
    }
}

/// When the model may be called again: when the provider said, else after an `outage`. `None`: not before somebody has
/// done something about it.
pub(crate) fn retry_time(error: &ProviderError, outage: Duration) -> Option<Duration> {
    match error.class {
        FailureClass::RateLimited { retry_after } => Some(retry_after),
        FailureClass::Provider => Some(error.retry_after.unwrap_or(outage)),
        FailureClass::LocalResource => Some(outage),
        FailureClass::QuotaExhausted
        | FailureClass::UnknownModel
        | FailureClass::Auth
        | FailureClass::ContextTooLong
        | FailureClass::NoEndpoint
        | FailureClass::InvalidRequest => None,
    }
}

/// Whether nobody has said when the model may be called again.
pub(crate) fn is_outage(error: &ProviderError) -> bool {
    error.class == FailureClass::Provider && error.retry_after.is_none()
}

/// Whether the account's credit is spent.
pub(crate) fn is_quota_error(error: &ProviderError) -> bool {
    error.class == FailureClass::QuotaExhausted
}

/// Reports to the circuit how an attempt failed.
#[cold]
pub(crate) fn record_outcome(permit: Permit, error: &ProviderError, chain: &Chain) {
    match error.class {
        FailureClass::UnknownModel if !chain.is_routed_model => permit.unknown_model(),
        FailureClass::QuotaExhausted | FailureClass::UnknownModel if !chain.is_route() => drop(permit),
        _ => record_on_route(permit, error.class, to_circuit_failure(error), None),
    }
}

/// Who reports the outcome of a request that this process has not made.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The name of the caller's key; `None`: this gateway has no keys.
    pub name: Option<CallerName>,
    /// Whether the caller's word about a cooldown or spent credit is taken as a provider's would be.
    pub may_set_cooldowns: bool,
}

/// Reports to the circuit how an application's own request failed. The application can use other models, as a route can,
/// so an error that a short wait does not fix is a cooldown, of this length at most; `is_routed`: whether a route has the
/// model.
pub(crate) fn record_reported_outcome(
    permit: Permit,
    error: &ProviderError,
    is_routed: bool,
    reported_by: Option<CallerName>,
    longest_cooldown: Option<Duration>,
) {
    let failure = Failure { reported_by, ..to_circuit_failure(error) };
    match error.class {
        FailureClass::UnknownModel if !is_routed => permit.unknown_model(),
        class => record_on_route(permit, class, failure, longest_cooldown),
    }
}

/// `longest_cooldown`: where it is `None`, the policy's own limit holds alone.
fn record_on_route(
    permit: Permit,
    class: FailureClass,
    failure: Failure,
    longest_cooldown: Option<Duration>,
) {
    match class {
        FailureClass::Provider => permit.failed(failure),
        FailureClass::RateLimited { retry_after } => {
            let cooldown = longest_cooldown.map_or(retry_after, |longest| retry_after.min(longest));
            permit.rate_limited(failure, Some(cooldown));
        }
        FailureClass::QuotaExhausted | FailureClass::UnknownModel => {
            permit.rate_limited(failure, longest_cooldown);
        }
        FailureClass::Auth
        | FailureClass::ContextTooLong
        | FailureClass::NoEndpoint
        | FailureClass::InvalidRequest
        | FailureClass::LocalResource => drop(permit),
    }
}

/// Reports to the circuit that an attempt was dropped because its time was over.
#[cold]
pub(crate) fn record_timeout(permit: Permit) {
    permit.failed(Failure::new(FailureKind::Timeout));
}

/// The error as the circuit records it.
fn to_circuit_failure(error: &ProviderError) -> Failure {
    let kind = match (error.class, error.kind) {
        (FailureClass::QuotaExhausted, _) => FailureKind::Quota,
        (FailureClass::UnknownModel, _) => FailureKind::UnknownModel,
        (FailureClass::RateLimited { .. }, _) => FailureKind::RateLimited,
        (_, ProviderErrorKind::Status | ProviderErrorKind::ErrorInBody) if error.status == Some(429) => {
            FailureKind::RateLimited
        }
        (_, ProviderErrorKind::Status | ProviderErrorKind::ErrorInBody) => FailureKind::Status,
        (
            _,
            ProviderErrorKind::Connection(_)
            | ProviderErrorKind::LocalResource(_)
            | ProviderErrorKind::Credentials,
        ) => FailureKind::Connection,
        (_, ProviderErrorKind::Timeout(_)) => FailureKind::Timeout,
        (_, ProviderErrorKind::Truncated) => FailureKind::Truncated,
        (
            _,
            ProviderErrorKind::Invalid
            | ProviderErrorKind::TooLarge(_)
            | ProviderErrorKind::UnsupportedEndpoint,
        ) => FailureKind::Invalid,
    };
    Failure {
        kind,
        status: error.status,
        error_type: error.error_type.clone(),
        error_code: error.error_code.clone(),
        reported_by: None,
    }
}

/// The outcome of a failed attempt, as a label of the metrics.
pub(crate) fn metric_label(error: &ProviderError) -> &'static str {
    match error.class {
        FailureClass::RateLimited { .. } => "rate_limited",
        FailureClass::QuotaExhausted => "quota_exhausted",
        FailureClass::UnknownModel => "unknown_model",
        FailureClass::Auth => "auth",
        FailureClass::ContextTooLong => "context_too_long",
        FailureClass::NoEndpoint => "no_endpoint",
        FailureClass::InvalidRequest => "invalid_request",
        FailureClass::LocalResource => OVERLOADED,
        FailureClass::Provider => match error.kind {
            ProviderErrorKind::Connection(_)
            | ProviderErrorKind::LocalResource(_)
            | ProviderErrorKind::Credentials => "connection",
            ProviderErrorKind::Timeout(_) => TIMEOUT,
            ProviderErrorKind::Status => "status",
            ProviderErrorKind::ErrorInBody => "error_in_body",
            ProviderErrorKind::Truncated => "cut",
            ProviderErrorKind::TooLarge(_) => "too_large",
            ProviderErrorKind::Invalid | ProviderErrorKind::UnsupportedEndpoint => "invalid",
        },
    }
}

/// The outcomes of calls that this gateway or a provider is responsible for: no answer, or not all of it. The others are
/// answers, the caller's own mistakes, and callers who left.
const FAILED_CALLS: [&str; 7] = [
    "attempts_exhausted",
    "circuit_open",
    "deadline_exceeded",
    "provider_auth",
    OVERLOADED,
    STREAM_INTERRUPTED,
    ABORTED,
];

/// The outcomes of attempts that are no failures of the model: an answer, what the request itself was wrong with, what this
/// machine lacked, and attempts that nobody waited for any longer.
const GOOD_ATTEMPTS: [&str; 6] =
    [ANSWERED, CANCELLED, OVERLOADED, "context_too_long", "invalid_request", "no_endpoint"];

/// Whether a call with this outcome has failed, and not by its caller.
pub(crate) fn is_failed_call(outcome: &str) -> bool {
    FAILED_CALLS.contains(&outcome)
}

/// Whether an attempt with this outcome is a failure of the model.
pub(crate) fn is_failed_attempt(outcome: &str) -> bool {
    !GOOD_ATTEMPTS.contains(&outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_responsible_for_an_outcome() {
        // The outcomes of calls as docs/monitoring.md lists them.
        for (outcome, failed) in [
            (ANSWERED, false),
            (REJECTED_BY_PROVIDER, false),
            ("circuit_open", true),
            ("attempts_exhausted", true),
            ("deadline_exceeded", true),
            (OVERLOADED, true),
            (STREAM_INTERRUPTED, true),
            ("provider_auth", true),
            ("model_not_allowed", false),
            ("unknown_model", false),
            ("unsupported_api", false),
            ("invalid_request", false),
            ("cannot_translate", false),
            ("previous_response_not_found", false),
            (CLIENT_DISCONNECTED, false),
            (ABORTED, true),
        ] {
            assert_eq!(is_failed_call(outcome), failed, "{outcome}");
        }
        for failed in ["rate_limited", "quota_exhausted", "auth", "connection", TIMEOUT, "status", "cut"] {
            assert!(is_failed_attempt(failed), "{failed}");
        }
        for good in [ANSWERED, CANCELLED, OVERLOADED, "invalid_request", "context_too_long", "no_endpoint"] {
            assert!(!is_failed_attempt(good), "{good}");
        }
    }

    #[test]
    fn labels_of_failed_attempts() {
        use ProviderErrorKind::{
            Connection, ErrorInBody, Invalid, LocalResource, Status, TooLarge, Truncated,
        };
        use providers::{ConnectCause, LocalResource::Ports};
        let provider_failure = |kind| (FailureClass::Provider, kind);
        for ((class, kind), label) in [
            (provider_failure(Connection(ConnectCause::Tls)), "connection"),
            ((FailureClass::LocalResource, LocalResource(Ports)), "overloaded"),
            (provider_failure(Status), "status"),
            (provider_failure(ErrorInBody), "error_in_body"),
            (provider_failure(Truncated), "cut"),
            (provider_failure(TooLarge(1)), "too_large"),
            (provider_failure(Invalid), "invalid"),
            ((FailureClass::InvalidRequest, Status), "invalid_request"),
            ((FailureClass::InvalidRequest, ErrorInBody), "invalid_request"),
            ((FailureClass::Auth, Status), "auth"),
        ] {
            let error = ProviderError { class, ..ProviderError::provider_failure(kind) };
            assert_eq!(metric_label(&error), label, "{error:?}");
        }
    }
}
