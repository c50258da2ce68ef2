//! Calls that no model answered, and whose fault that is.

use std::{fmt, sync::Arc, time::Duration};

use breaker::ModelKey;
use circuits::Refusal;
use dialects::Endpoint;
use providers::{Blame, Fault, FaultKind};

use crate::NoModel;

/// Why a call got no answer. What a provider said of the request itself is no error but a [`Reply`](crate::Reply).
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The name means no model here. The caller's fault.
    #[error(transparent)]
    NoModel(#[from] NoModel),
    /// All models of the chain speak another dialect than the path. The caller's fault.
    #[error("no model of {asked} speaks the dialect of {}, and calls are not translated yet: use its own path", path.path())]
    OtherDialect {
        /// The route or model.
        asked: Arc<str>,
        /// Where it was asked for.
        path: Endpoint,
    },
    /// Circuits are open, and none of the models that are left may be called.
    #[error("{asked} may not be called now: {}", list(passed))]
    CircuitOpen {
        /// The route or model.
        asked: Arc<str>,
        /// Each model and why.
        passed: Vec<Passed>,
    },
    /// A provider refused the gateway's key. The operator's fault.
    #[error(
        "the provider {} refused this gateway's key (HTTP {status}): check api_key of [providers.{}], and that it may use {}",
        key.provider(), key.provider(), key.model()
    )]
    ProviderAuth {
        /// The model that was called.
        key: ModelKey,
        /// 401 or 403.
        status: u16,
    },
    /// Every model that could be called failed.
    #[error("no model of {asked} gave an answer: {}", list(passed))]
    AttemptsExhausted {
        /// The route or model.
        asked: Arc<str>,
        /// Each model and why.
        passed: Vec<Passed>,
    },
    /// `timeouts.total` ran out.
    #[error("{asked} gave no answer within {} s (timeouts.total){}", limit.as_secs_f64(), so_far(passed))]
    OutOfTime {
        /// The route or model.
        asked: Arc<str>,
        /// `timeouts.total`.
        limit: Duration,
        /// Models that were passed by before, and why.
        passed: Vec<Passed>,
    },
}

/// A model that did not answer.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The model.
    pub key: ModelKey,
    /// Why it did not.
    pub why: Why,
}

/// Why a model did not answer.
#[derive(Debug, Clone)]
pub enum Why {
    /// It speaks another dialect than the path.
    OtherDialect,
    /// Its circuit is open.
    Open(Refusal),
    /// It was called and failed.
    Failed(Box<Fault>),
    /// It was taken to have failed with this status.
    Drill(u16),
}

impl CallError {
    /// The HTTP status for the caller. For failed models it is the last one's, so that the caller's SDK raises what
    /// it would have raised without a gateway.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NoModel(_) => 404,
            Self::OtherDialect { .. } => 400,
            Self::CircuitOpen { .. } => 503,
            Self::ProviderAuth { status, .. } => *status,
            Self::AttemptsExhausted { passed, .. } => {
                passed.iter().rev().find_map(|passed| passed.why.status()).unwrap_or(502)
            }
            Self::OutOfTime { .. } => 504,
        }
    }

    /// The word by which programs tell the gateway's errors apart.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoModel(_) => "unknown_model",
            Self::OtherDialect { .. } => "unsupported_api",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::ProviderAuth { .. } => "provider_auth",
            Self::AttemptsExhausted { .. } => "attempts_exhausted",
            Self::OutOfTime { .. } => "deadline_exceeded",
        }
    }

    /// How long until a model may be called again, where that is known.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { passed, .. } | Self::AttemptsExhausted { passed, .. } => {
                passed.iter().filter_map(|passed| passed.why.retry_in()).min()
            }
            _ => None,
        }
    }

    /// Whether the gateway has spent the retries that this call is worth, so that the caller's SDK should add none.
    #[must_use]
    pub const fn retries_are_spent(&self) -> bool {
        matches!(self, Self::AttemptsExhausted { .. } | Self::OutOfTime { .. } | Self::ProviderAuth { .. })
    }
}

impl Why {
    /// The HTTP status that stands for it; `None`: it was not called.
    fn status(&self) -> Option<u16> {
        match self {
            Self::OtherDialect | Self::Open(_) => None,
            Self::Failed(fault) => match (fault.status, fault.kind) {
                (Some(status @ 400..=599), _) => Some(status),
                (_, FaultKind::Timeout(_)) => Some(504),
                _ => Some(502),
            },
            Self::Drill(status) => Some(*status),
        }
    }

    fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::Open(refusal) if refusal.probing => Some(refusal.retry_in.unwrap_or_default()),
            Self::Open(refusal) => refusal.retry_in,
            Self::Failed(fault) => match fault.blame {
                Blame::Rest { wait } => Some(wait),
                _ => None,
            },
            Self::OtherDialect | Self::Drill(_) => None,
        }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.key)?;
        match &self.why {
            Why::OtherDialect => f.write_str("speaks another dialect than this path"),
            Why::Open(refusal) => refusal.fmt(f),
            Why::Failed(fault) => fault.fmt(f),
            Why::Drill(status) => write!(f, "taken to have failed with HTTP {status} (a drill)"),
        }
    }
}

fn list(passed: &[Passed]) -> String {
    passed.iter().map(Passed::to_string).collect::<Vec<_>>().join("; ")
}

fn so_far(passed: &[Passed]) -> String {
    if passed.is_empty() { String::new() } else { format!("; before that, {}", list(passed)) }
}
