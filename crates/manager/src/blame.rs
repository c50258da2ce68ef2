//! What a fault means: for the circuit, and for the walk over the chain (C1, C2, B9).

use std::time::Duration;

use breaker::{Failure, FailureKind};
use circuits::Permit;
use providers::{Blame, Fault, FaultKind};

use crate::{Chain, OnAuthError};

/// What a walk does after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequel {
    /// The same model again after a backoff, while it has calls left; not sooner than it asks for, if that is short
    /// enough.
    SameModel(Duration),
    /// The same model again after the rest it asked for, if that is short enough.
    AfterRest(Duration),
    /// The next model.
    NextModel,
    /// Back to the caller.
    Return,
}

/// What follows from a fault of a model of this chain.
pub(crate) fn sequel(fault: &Fault, chain: &Chain) -> Sequel {
    match fault.blame {
        // C4: who was silent once is not asked again by the same request.
        Blame::Provider if matches!(fault.kind, FaultKind::Timeout(_)) => Sequel::NextModel,
        Blame::Provider => Sequel::SameModel(fault.retry_after.unwrap_or_default()),
        Blame::Rest { wait } => Sequel::AfterRest(wait),
        Blame::Spent | Blame::UnknownModel if !chain.is_route() => Sequel::Return,
        Blame::Auth if chain.on_auth_error == OnAuthError::Report => Sequel::Return,
        Blame::Spent | Blame::UnknownModel | Blame::Auth | Blame::ContextTooLong => Sequel::NextModel,
        Blame::Caller => Sequel::Return,
    }
}

/// Tells the circuit how the call ended.
pub(crate) fn settle(permit: Permit, fault: &Fault, chain: &Chain) {
    match fault.blame {
        Blame::UnknownModel if !chain.model_is_on_a_route => permit.no_such_model(),
        Blame::Spent | Blame::UnknownModel if !chain.is_route() => drop(permit),
        _ => settle_on_route(permit, fault),
    }
}

/// Tells the circuit how a call ended that an application made itself. It has other models to go to, as a route has, so
/// what a little waiting does not mend is a rest; `known`: whether some route names the model.
pub(crate) fn settle_told(permit: Permit, fault: &Fault, known: bool) {
    match fault.blame {
        Blame::UnknownModel if !known => permit.no_such_model(),
        _ => settle_on_route(permit, fault),
    }
}

fn settle_on_route(permit: Permit, fault: &Fault) {
    match fault.blame {
        Blame::Provider => permit.failed(failure(fault)),
        Blame::Rest { wait } => permit.rest(failure(fault), Some(wait)),
        Blame::Spent | Blame::UnknownModel => permit.rest(failure(fault), None),
        Blame::Auth | Blame::ContextTooLong | Blame::Caller => drop(permit),
    }
}

/// What an attempt or a call came to that brought a good answer.
pub(crate) const ANSWERED: &str = "answered";

/// What an attempt came to that failed so, in a word for the metrics.
pub(crate) fn outcome(fault: &Fault) -> &'static str {
    match fault.blame {
        Blame::Rest { .. } => "rate_limited",
        Blame::Spent => "quota_exhausted",
        Blame::UnknownModel => "unknown_model",
        Blame::Auth => "auth",
        Blame::ContextTooLong => "context_too_long",
        Blame::Caller => "refused",
        Blame::Provider => match fault.kind {
            FaultKind::Connection => "connection",
            FaultKind::Timeout(_) => "timeout",
            FaultKind::Status => "status",
            FaultKind::Reported => "reported",
            FaultKind::Cut => "cut",
            FaultKind::TooLarge(_) => "too_large",
            FaultKind::Invalid | FaultKind::NotSpoken => "invalid",
        },
    }
}

/// The fault as the circuit records it.
fn failure(fault: &Fault) -> Failure {
    let kind = match (fault.blame, fault.kind) {
        (Blame::Spent, _) => FailureKind::Quota,
        (Blame::UnknownModel, _) => FailureKind::UnknownModel,
        (Blame::Rest { .. }, _) => FailureKind::RateLimited,
        (_, FaultKind::Status | FaultKind::Reported) if fault.status == Some(429) => FailureKind::RateLimited,
        (_, FaultKind::Status | FaultKind::Reported) => FailureKind::Status,
        (_, FaultKind::Connection) => FailureKind::Connection,
        (_, FaultKind::Timeout(_)) => FailureKind::Timeout,
        (_, FaultKind::Cut) => FailureKind::Cut,
        (_, FaultKind::Invalid | FaultKind::TooLarge(_) | FaultKind::NotSpoken) => FailureKind::Invalid,
    };
    Failure {
        kind,
        status: fault.status,
        error_type: fault.error_type.clone(),
        error_code: fault.error_code.clone(),
    }
}
