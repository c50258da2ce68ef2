//! What a fault means: for the circuit, and for the walk over the chain (C1, C2, B9).

use std::time::Duration;

use breaker::{Failure, FailureKind};
use circuits::Permit;
use providers::{FailureClass, ProviderError, ProviderErrorKind};

use crate::{Chain, OnAuthError};

/// What a walk does after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// The same model again after a backoff, while it has calls left; not sooner than it asks for, if that is short
    /// enough.
    RetrySame(Duration),
    /// The same model again after the rest it asked for, if that is short enough.
    RetryAfterCooldown(Duration),
    /// The next model.
    TryNext,
    /// Back to the caller.
    ReturnToCaller,
}

/// What follows from a fault of a model of this chain.
pub(crate) fn classify_retry(error: &ProviderError, chain: &Chain) -> RetryDecision {
    match error.class {
        // C4: who was silent once is not asked again by the same request.
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
        | FailureClass::ContextTooLong => RetryDecision::TryNext,
        FailureClass::InvalidRequest => RetryDecision::ReturnToCaller,
    }
}

/// Tells the circuit how the call ended.
pub(crate) fn record_outcome(permit: Permit, error: &ProviderError, chain: &Chain) {
    match error.class {
        FailureClass::UnknownModel if !chain.is_routed_model => permit.unknown_model(),
        FailureClass::QuotaExhausted | FailureClass::UnknownModel if !chain.is_route() => drop(permit),
        _ => record_on_route(permit, error),
    }
}

/// Tells the circuit how a call ended that an application made itself. It has other models to go to, as a route has, so
/// what a little waiting does not mend is a rest; `known`: whether some route names the model.
pub(crate) fn record_reported_outcome(permit: Permit, error: &ProviderError, is_routed: bool) {
    match error.class {
        FailureClass::UnknownModel if !is_routed => permit.unknown_model(),
        _ => record_on_route(permit, error),
    }
}

fn record_on_route(permit: Permit, error: &ProviderError) {
    match error.class {
        FailureClass::Provider => permit.failed(to_circuit_failure(error)),
        FailureClass::RateLimited { retry_after } => {
            permit.rate_limited(to_circuit_failure(error), Some(retry_after))
        }
        FailureClass::QuotaExhausted | FailureClass::UnknownModel => {
            permit.rate_limited(to_circuit_failure(error), None)
        }
        FailureClass::Auth | FailureClass::ContextTooLong | FailureClass::InvalidRequest => drop(permit),
    }
}

/// What an attempt or a call came to that brought a good answer.
pub(crate) const ANSWERED: &str = "answered";

/// What an attempt came to that failed so, in a word for the metrics.
pub(crate) fn metric_label(error: &ProviderError) -> &'static str {
    match error.class {
        FailureClass::RateLimited { .. } => "rate_limited",
        FailureClass::QuotaExhausted => "quota_exhausted",
        FailureClass::UnknownModel => "unknown_model",
        FailureClass::Auth => "auth",
        FailureClass::ContextTooLong => "context_too_long",
        FailureClass::InvalidRequest => "refused",
        FailureClass::Provider => match error.kind {
            ProviderErrorKind::Connection => "connection",
            ProviderErrorKind::Timeout(_) => "timeout",
            ProviderErrorKind::Status => "status",
            ProviderErrorKind::ErrorInBody => "reported",
            ProviderErrorKind::Truncated => "cut",
            ProviderErrorKind::TooLarge(_) => "too_large",
            ProviderErrorKind::Invalid | ProviderErrorKind::UnsupportedEndpoint => "invalid",
        },
    }
}

/// The fault as the circuit records it.
fn to_circuit_failure(error: &ProviderError) -> Failure {
    let kind = match (error.class, error.kind) {
        (FailureClass::QuotaExhausted, _) => FailureKind::Quota,
        (FailureClass::UnknownModel, _) => FailureKind::UnknownModel,
        (FailureClass::RateLimited { .. }, _) => FailureKind::RateLimited,
        (_, ProviderErrorKind::Status | ProviderErrorKind::ErrorInBody) if error.status == Some(429) => {
            FailureKind::RateLimited
        }
        (_, ProviderErrorKind::Status | ProviderErrorKind::ErrorInBody) => FailureKind::Status,
        (_, ProviderErrorKind::Connection) => FailureKind::Connection,
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
    }
}
