//! Calls without a response, and who is responsible.

use std::{fmt, sync::Arc, time::Duration};

use breaker::ModelKey;
use circuits::Refusal;
use dialects::Endpoint;
use providers::{LocalResource, ProviderError, ProviderErrorKind};
use translate::{CannotCarry, RequestError};

use crate::{
    AllowedModels, UnknownModel,
    outcome::{OVERLOADED, is_outage, missing_resource, retry_rank, retry_rank_of_status, retry_time},
};

/// What this machine lacks comes back as soon as other calls end.
const OVERLOADED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Nobody knows when an outage ends. Until its circuit opens, which says it better, the first retries come soon.
const OUTAGE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call got no response. A provider's rejection of the request is no error but a reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The name is neither a route nor a model. The caller is responsible.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// The caller's key does not cover the model. The caller is responsible.
    #[error("this key may not use {requested}; it may use {allowed}. See GET /v1/models")]
    ModelNotAllowed {
        /// The route or model.
        requested: String,
        /// What the key covers.
        allowed: Arc<AllowedModels>,
    },
    /// No model of the chain has this endpoint, and it has no counterpart in other API formats. The caller is responsible.
    #[error("no model of {requested} supports POST {} ({})", path.path(), list_skipped(skipped))]
    UnsupportedApi {
        /// The route or model.
        requested: Arc<str>,
        /// The endpoint of the call.
        path: Endpoint,
        /// Each model and the reason.
        skipped: Vec<SkippedModel>,
    },
    /// The body is no request of the path's API format. The caller is responsible.
    #[error(transparent)]
    InvalidRequest(RequestError),
    /// The request has something that no model of the chain can be given (T3). The caller is responsible.
    #[error("no model of {requested} can answer this request ({})", list_skipped(skipped))]
    CannotCarry {
        /// The route or model.
        requested: Arc<str>,
        /// Each model and the reason.
        skipped: Vec<SkippedModel>,
    },
    /// The request refers to a stored response, and no provider of the chain stores any (T8). The caller is responsible.
    #[error(
        "no provider of {requested} has stored the response that this request refers to: send the whole conversation"
    )]
    PreviousResponseNotFound {
        /// The route or model.
        requested: Arc<str>,
    },
    /// Circuits are open, and no model is left to call.
    #[error("no model available for {requested}{} ({})", retry_hint(skipped), list_skipped(skipped))]
    CircuitOpen {
        /// The route or model.
        requested: Arc<str>,
        /// Each model and the reason.
        skipped: Vec<SkippedModel>,
    },
    /// A provider rejected the gateway's API key. The operator is responsible.
    #[error("{}", describe_rejected_key(key, *status, explanation.as_deref()))]
    ProviderAuth {
        /// The model that was called.
        key: ModelKey,
        /// 401 or 403; some providers say it with a 400.
        status: u16,
        /// What this gateway itself knows about it: no AWS credentials, a wrong clock.
        explanation: Option<String>,
        /// The provider's own words.
        provider_message: Option<String>,
    },
    /// All models that could be called failed.
    #[error("no model of {requested} returned a response ({})", list_skipped(skipped))]
    AttemptsExhausted {
        /// The route or model.
        requested: Arc<str>,
        /// Each model and the reason.
        skipped: Vec<SkippedModel>,
        /// The own words of the provider whose error has the status.
        provider_message: Option<String>,
    },
    /// This machine lacks what calls need, and no model returned a response (C8). Nobody else is responsible.
    #[error("this gateway is out of {resource}; try again in a second ({})", list_skipped(skipped))]
    Overloaded {
        /// The route or model.
        requested: Arc<str>,
        /// What it lacks.
        resource: LocalResource,
        /// Each model and the reason.
        skipped: Vec<SkippedModel>,
    },
    /// `timeouts.total` expired, or the client's own timeout is about to.
    #[error("no response from {requested} within {} s ({source_of_limit}{})", limit.as_secs_f64(), so_far(skipped))]
    DeadlineExceeded {
        /// The route or model.
        requested: Arc<str>,
        /// The time that the call had.
        limit: Duration,
        /// Whose limit that is.
        source_of_limit: &'static str,
        /// The models that were skipped before, and the reasons.
        skipped: Vec<SkippedModel>,
    },
}

/// A model that gave no response.
#[derive(Debug, Clone)]
pub struct SkippedModel {
    /// The model.
    pub key: ModelKey,
    /// The reason.
    pub reason: SkipReason,
    /// How long it has been failing without a success in between ([`Circuits::failing_for`](circuits::Circuits::failing_for)).
    pub failing_for: Option<Duration>,
}

/// Why a model gave no response.
#[derive(Debug, Clone)]
pub enum SkipReason {
    /// It does not have the endpoint, and nothing like it.
    UnsupportedApi,
    /// It has another API format, in which the request cannot be written (T3).
    CannotCarry(Vec<CannotCarry>),
    /// It has another API format, and the request is invalid in its own.
    UnreadableRequest(RequestError),
    /// The request refers to a response that another account has stored (T8).
    NotOwner,
    /// Its circuit is open.
    CircuitOpen(Refusal),
    /// It was called and failed.
    Failed(Box<ProviderError>),
    /// A failure with this status was simulated.
    Injected(u16),
}

impl CallError {
    /// The HTTP status for the caller. If models failed, it is that of the one whose error says best that it makes sense to
    /// come back, so that the caller's SDK raises the same exception as without a gateway.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownModel(_) => 404,
            Self::ModelNotAllowed { .. } => 403,
            Self::UnsupportedApi { path, .. } if path.is_count() => 404,
            Self::UnsupportedApi { .. }
            | Self::InvalidRequest(_)
            | Self::CannotCarry { .. }
            | Self::PreviousResponseNotFound { .. } => 400,
            Self::CircuitOpen { .. } | Self::Overloaded { .. } => 503,
            Self::ProviderAuth { status, .. } => *status,
            Self::AttemptsExhausted { skipped, .. } => {
                let ends = skipped.iter().filter_map(|model| model.reason.end());
                ends.max().map_or(502, |(_, status)| status)
            }
            Self::DeadlineExceeded { .. } => 504,
        }
    }

    /// The code by which programs distinguish the gateway's errors.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => "unknown_model",
            Self::ModelNotAllowed { .. } => "model_not_allowed",
            Self::UnsupportedApi { .. } => "unsupported_api",
            Self::InvalidRequest(_) => "invalid_request",
            Self::CannotCarry { .. } => "cannot_translate",
            Self::PreviousResponseNotFound { .. } => "previous_response_not_found",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::ProviderAuth { .. } => "provider_auth",
            Self::AttemptsExhausted { .. } => "attempts_exhausted",
            Self::Overloaded { .. } => OVERLOADED,
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
        }
    }

    /// The models that gave no response, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedModel] {
        match self {
            Self::UnsupportedApi { skipped, .. }
            | Self::CannotCarry { skipped, .. }
            | Self::CircuitOpen { skipped, .. }
            | Self::AttemptsExhausted { skipped, .. }
            | Self::Overloaded { skipped, .. }
            | Self::DeadlineExceeded { skipped, .. } => skipped,
            _ => &[],
        }
    }

    /// The error as its caller gets it: with the provider's own words (T7). They may quote the prompt, so they are for the
    /// caller alone (C5).
    #[must_use]
    pub fn caller_message(&self) -> String {
        match self {
            Self::ProviderAuth { provider_message: Some(message), .. }
            | Self::AttemptsExhausted { provider_message: Some(message), .. } => {
                format!("{self}. The provider says: {message}")
            }
            _ => self.to_string(),
        }
    }

    /// The time until the caller may come again with a hope of a response (C9): a provider's own word, the end of an open
    /// period, or soon after a failure of which nobody knows how long it lasts.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { skipped, .. } | Self::AttemptsExhausted { skipped, .. } => retry_in(skipped),
            Self::Overloaded { .. } => Some(OVERLOADED_RETRY_AFTER),
            Self::DeadlineExceeded { .. } => Some(OUTAGE_RETRY_AFTER),
            _ => None,
        }
    }

    /// How long the outage has lasted behind [`retry_in`](Self::retry_in), where nobody knows how long it will. `None`: that
    /// time is a provider's own word, or it is no outage.
    #[must_use]
    pub fn outage(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { skipped, .. } | Self::AttemptsExhausted { skipped, .. } => {
                first_to_retry(skipped).and_then(SkippedModel::outage)
            }
            Self::DeadlineExceeded { .. } => Some(Duration::ZERO),
            _ => None,
        }
    }

    /// Whether coming again cannot help until somebody has done something: a wrong key, spent credit, a circuit that was
    /// opened manually.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        let may_pass = matches!(self, Self::CircuitOpen { .. } | Self::AttemptsExhausted { .. });
        matches!(self, Self::ProviderAuth { .. }) || may_pass && self.retry_in().is_none()
    }
}

impl SkippedModel {
    /// See [`CallError::outage`].
    fn outage(&self) -> Option<Duration> {
        match &self.reason {
            SkipReason::CircuitOpen(_) => self.failing_for,
            SkipReason::Failed(error) if is_outage(error) => Some(self.failing_for.unwrap_or_default()),
            SkipReason::Injected(_) => Some(self.failing_for.unwrap_or_default()),
            _ => None,
        }
    }
}

impl SkipReason {
    /// Whether it is the request that this model cannot answer; it may well be able to answer others.
    pub(crate) const fn is_ineligible(&self) -> bool {
        matches!(
            self,
            Self::UnsupportedApi | Self::CannotCarry(_) | Self::UnreadableRequest(_) | Self::NotOwner
        )
    }

    /// What this machine lacked for it (C8).
    pub(crate) fn missing_resource(&self) -> Option<LocalResource> {
        match self {
            Self::Failed(error) => missing_resource(error),
            _ => None,
        }
    }

    /// The HTTP status for the caller; `None`: the model was not called.
    fn status(&self) -> Option<u16> {
        match self {
            Self::CircuitOpen(_)
            | Self::UnsupportedApi
            | Self::CannotCarry(_)
            | Self::UnreadableRequest(_)
            | Self::NotOwner => None,
            Self::Failed(error) => match (error.status, error.kind) {
                (Some(status @ 400..=599), _) => Some(status),
                (_, ProviderErrorKind::Timeout(_)) => Some(504),
                _ => Some(502),
            },
            Self::Injected(status) => Some(*status),
        }
    }

    /// How the model's turn ended, if it was called: how well that says to come back (see `outcome`), and the status.
    pub(crate) fn end(&self) -> Option<(u8, u16)> {
        let rank = match self {
            Self::Failed(error) => retry_rank(error.class),
            Self::Injected(status) => retry_rank_of_status(*status),
            _ => return None,
        };
        Some((rank, self.status()?))
    }

    fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen(refusal) if refusal.probing => Some(refusal.retry_in().unwrap_or_default()),
            Self::CircuitOpen(refusal) => refusal.retry_in(),
            Self::Failed(error) => retry_time(error, OUTAGE_RETRY_AFTER),
            Self::Injected(_) => Some(OUTAGE_RETRY_AFTER),
            Self::UnsupportedApi | Self::CannotCarry(_) | Self::UnreadableRequest(_) | Self::NotOwner => None,
        }
    }
}

impl fmt::Display for SkippedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedApi => f.write_str("its provider's API does not have this endpoint"),
            Self::CannotCarry(reasons) => {
                let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
                f.write_str(&reasons.join(", "))
            }
            Self::UnreadableRequest(error) => error.fmt(f),
            Self::NotOwner => f.write_str("did not store the response that the request refers to"),
            Self::CircuitOpen(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
            Self::Injected(status) => write!(f, "HTTP {status} (injected fault)"),
        }
    }
}

/// Whose credentials are wrong, and what to check.
fn describe_rejected_key(key: &ModelKey, status: u16, explanation: Option<&str>) -> String {
    let (provider, model) = (key.provider(), key.model());
    match explanation {
        Some(explanation) => format!("provider {provider} cannot be called: {explanation}"),
        None => format!(
            "provider {provider} rejected the gateway's API key (HTTP {status}): check api_key of \
             [providers.{provider}], and that it may use {model}"
        ),
    }
}

fn list_skipped(skipped: &[SkippedModel]) -> String {
    skipped.iter().map(SkippedModel::to_string).collect::<Vec<_>>().join("; ")
}

fn so_far(skipped: &[SkippedModel]) -> String {
    if skipped.is_empty() { String::new() } else { format!("; before: {}", list_skipped(skipped)) }
}

fn retry_in(skipped: &[SkippedModel]) -> Option<Duration> {
    first_to_retry(skipped).and_then(|model| model.reason.retry_in())
}

fn first_to_retry(skipped: &[SkippedModel]) -> Option<&SkippedModel> {
    let retried = skipped.iter().filter(|model| model.reason.retry_in().is_some());
    retried.min_by_key(|model| model.reason.retry_in())
}

fn retry_hint(skipped: &[SkippedModel]) -> String {
    retry_in(skipped)
        .map_or_else(String::new, |delay| format!("; retry in {:.0} s", delay.as_secs_f64().ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_circuit_comes_with_the_time_of_the_next_retry() {
        let refusal = |retry_in| {
            let record = Arc::new(breaker::Record::closed(1));
            Refusal::new(record, retry_in, false)
        };
        let error = |retry_in| {
            let skipped = SkippedModel {
                key: "openai:gpt-5".parse().unwrap(),
                reason: SkipReason::CircuitOpen(refusal(retry_in)),
                failing_for: None,
            };
            CallError::CircuitOpen { requested: "planner".into(), skipped: vec![skipped] }.to_string()
        };
        let text = error(Some(Duration::from_millis(4_100)));
        assert!(text.starts_with("no model available for planner; retry in 5 s (openai:gpt-5: "), "{text}");
        let text = error(None);
        assert!(text.starts_with("no model available for planner (openai:gpt-5: "), "{text}");
    }
}
