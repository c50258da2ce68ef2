//! Calls that no model answered, and whose fault that is.

use std::{fmt, sync::Arc, time::Duration};

use breaker::ModelKey;
use circuits::Refusal;
use dialects::Endpoint;
use providers::{FailureClass, ProviderError, ProviderErrorKind};

use crate::UnknownModel;

/// Why a call got no answer. What a provider said of the request itself is no error but a [`Reply`](crate::Reply).
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The name means no model here. The caller's fault.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// All models of the chain speak another dialect than the path. The caller's fault.
    #[error("no model of {requested} speaks the dialect of {}, and calls are not translated yet: use its own path", path.path())]
    UnsupportedApi {
        /// The route or model.
        requested: Arc<str>,
        /// Where it was asked for.
        path: Endpoint,
    },
    /// Circuits are open, and none of the models that are left may be called.
    #[error("{requested} may not be called now: {}", list_skipped(skipped))]
    CircuitOpen {
        /// The route or model.
        requested: Arc<str>,
        /// Each model and why.
        skipped: Vec<SkippedModel>,
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
    #[error("no model of {requested} gave an answer: {}", list_skipped(skipped))]
    AttemptsExhausted {
        /// The route or model.
        requested: Arc<str>,
        /// Each model and why.
        skipped: Vec<SkippedModel>,
    },
    /// `timeouts.total` ran out.
    #[error("{requested} gave no answer within {} s (timeouts.total){}", limit.as_secs_f64(), so_far(skipped))]
    DeadlineExceeded {
        /// The route or model.
        requested: Arc<str>,
        /// `timeouts.total`.
        limit: Duration,
        /// Models that were passed by before, and why.
        skipped: Vec<SkippedModel>,
    },
}

/// A model that did not answer.
#[derive(Debug, Clone)]
pub struct SkippedModel {
    /// The model.
    pub key: ModelKey,
    /// Why it did not.
    pub reason: SkipReason,
}

/// Why a model did not answer.
#[derive(Debug, Clone)]
pub enum SkipReason {
    /// It speaks another dialect than the path.
    UnsupportedApi,
    /// Its circuit is open.
    CircuitOpen(Refusal),
    /// It was called and failed.
    Failed(Box<ProviderError>),
    /// It was taken to have failed with this status.
    Injected(u16),
}

impl CallError {
    /// The HTTP status for the caller. For failed models it is the last one's, so that the caller's SDK raises what
    /// it would have raised without a gateway.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownModel(_) => 404,
            Self::UnsupportedApi { .. } => 400,
            Self::CircuitOpen { .. } => 503,
            Self::ProviderAuth { status, .. } => *status,
            Self::AttemptsExhausted { skipped, .. } => {
                skipped.iter().rev().find_map(|model| model.reason.status()).unwrap_or(502)
            }
            Self::DeadlineExceeded { .. } => 504,
        }
    }

    /// The word by which programs tell the gateway's errors apart.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => "unknown_model",
            Self::UnsupportedApi { .. } => "unsupported_api",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::ProviderAuth { .. } => "provider_auth",
            Self::AttemptsExhausted { .. } => "attempts_exhausted",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
        }
    }

    /// How long until a model may be called again, where that is known.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { skipped, .. } | Self::AttemptsExhausted { skipped, .. } => {
                skipped.iter().filter_map(|model| model.reason.retry_in()).min()
            }
            _ => None,
        }
    }

    /// Whether the gateway has spent the retries that this call is worth, so that the caller's SDK should add none.
    #[must_use]
    pub const fn retries_exhausted(&self) -> bool {
        matches!(
            self,
            Self::AttemptsExhausted { .. } | Self::DeadlineExceeded { .. } | Self::ProviderAuth { .. }
        )
    }
}

impl SkipReason {
    /// The HTTP status that stands for it; `None`: it was not called.
    fn status(&self) -> Option<u16> {
        match self {
            Self::UnsupportedApi | Self::CircuitOpen(_) => None,
            Self::Failed(error) => match (error.status, error.kind) {
                (Some(status @ 400..=599), _) => Some(status),
                (_, ProviderErrorKind::Timeout(_)) => Some(504),
                _ => Some(502),
            },
            Self::Injected(status) => Some(*status),
        }
    }

    fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen(refusal) if refusal.probing => Some(refusal.retry_in.unwrap_or_default()),
            Self::CircuitOpen(refusal) => refusal.retry_in,
            Self::Failed(error) => match error.class {
                FailureClass::RateLimited { retry_after } => Some(retry_after),
                _ => None,
            },
            Self::UnsupportedApi | Self::Injected(_) => None,
        }
    }
}

impl fmt::Display for SkippedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.key)?;
        match &self.reason {
            SkipReason::UnsupportedApi => f.write_str("speaks another dialect than this path"),
            SkipReason::CircuitOpen(refusal) => refusal.fmt(f),
            SkipReason::Failed(error) => error.fmt(f),
            SkipReason::Injected(status) => write!(f, "taken to have failed with HTTP {status} (a drill)"),
        }
    }
}

fn list_skipped(skipped: &[SkippedModel]) -> String {
    skipped.iter().map(SkippedModel::to_string).collect::<Vec<_>>().join("; ")
}

fn so_far(skipped: &[SkippedModel]) -> String {
    if skipped.is_empty() { String::new() } else { format!("; before that, {}", list_skipped(skipped)) }
}
