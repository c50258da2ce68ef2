//! Why a circuit is as it is, and the transitions in its history.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{CallerName, Failure, FailureKind, Timestamp};

/// The name of one Switchboard process, as others see it in Redis: 1 to 64 printable characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// Takes a name. Characters that a name must not contain are left out, and an empty one becomes `unnamed`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let name: String = name.chars().filter(|c| c.is_ascii_graphic() && *c != '*').take(64).collect();
        Self(if name.is_empty() { "unnamed".into() } else { name.into() })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The state of a circuit as it is shown. Time alone turns an open one half-open; what is stored is a
/// [`Phase`](crate::Phase). In Redis, half-open is written as OPEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Calls are admitted.
    Closed,
    /// Calls are refused.
    Open,
    /// A few probes decide whether it closes.
    HalfOpen,
}

impl State {
    /// `CLOSED`, `OPEN` or `HALF_OPEN`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Open => "OPEN",
            Self::HalfOpen => "HALF_OPEN",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What led to a transition: a call's failure, or something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionCause {
    /// See [`FailureKind::Connection`].
    Connection,
    /// See [`FailureKind::Timeout`].
    Timeout,
    /// See [`FailureKind::Status`].
    Status,
    /// See [`FailureKind::Invalid`].
    Invalid,
    /// See [`FailureKind::Truncated`].
    #[serde(rename = "cut")]
    Truncated,
    /// See [`FailureKind::RateLimited`].
    RateLimited,
    /// See [`FailureKind::Quota`].
    Quota,
    /// See [`FailureKind::UnknownModel`].
    UnknownModel,
    /// The open period ended and the first probe was admitted.
    Probe,
    /// Probes succeeded.
    Recovered,
    /// An open circuit was bound to one source, and another's call succeeded (B12).
    OthersSucceed,
    /// A manual override.
    Manual,
    /// The key was deleted, or an operator reset the circuit.
    Reset,
    /// An Open SWE instance or an operator with `redis-cli` wrote the value.
    #[serde(rename = "foreign")]
    External,
    /// Redis lost its data and an instance restored what it knew (F5).
    Restored,
    /// Learnt while Redis was unreachable (F4).
    Merged,
    /// A name from a later version.
    #[serde(other)]
    Other,
}

impl TransitionCause {
    /// Its name in Redis and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Invalid => "invalid",
            Self::Truncated => "cut",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::UnknownModel => "unknown_model",
            Self::Probe => "probe",
            Self::Recovered => "recovered",
            Self::OthersSucceed => "others_succeed",
            Self::Manual => "manual",
            Self::Reset => "reset",
            Self::External => "foreign",
            Self::Restored => "restored",
            Self::Merged => "merged",
            Self::Other => "other",
        }
    }
}

impl From<FailureKind> for TransitionCause {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Connection => Self::Connection,
            FailureKind::Timeout => Self::Timeout,
            FailureKind::Status => Self::Status,
            FailureKind::Invalid => Self::Invalid,
            FailureKind::Truncated => Self::Truncated,
            FailureKind::RateLimited => Self::RateLimited,
            FailureKind::Quota => Self::Quota,
            FailureKind::UnknownModel => Self::UnknownModel,
        }
    }
}

/// The rule by which failures opened a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripRule {
    /// Consecutive failures.
    #[serde(rename = "row")]
    ConsecutiveFailures,
    /// The failure rate.
    #[serde(rename = "rate")]
    FailureRate,
    /// A probe failed.
    Probe,
    /// The provider limits its callers, has no quota left for them, or does not know the model (B9).
    #[serde(rename = "rest")]
    Cooldown,
    /// A name from a later version.
    #[serde(other)]
    Other,
}

/// Why a circuit is as it is. Never holds a provider's message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// What led to it.
    #[serde(rename = "kind")]
    pub cause: TransitionCause,
    /// By which rule, where a call's failure led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<TripRule>,
    /// The HTTP status of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's error type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The provider's error code.
    #[serde(default, rename = "code", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The operator's reason.
    #[serde(default, rename = "why", skip_serializing_if = "Option::is_none")]
    pub operator_reason: Option<String>,
    /// Whose word it is: the name of the key by which an operator changed the circuit, or an application reported the
    /// failure by a permit. `None`: an instance saw it itself, or keys are not in use.
    #[serde(default, deserialize_with = "valid_name", skip_serializing_if = "Option::is_none")]
    pub by: Option<CallerName>,
}

/// A name that is none, as somebody may write with `redis-cli`, does not void the rest of the reason.
fn valid_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CallerName>, D::Error> {
    let text = serde_json::Value::deserialize(deserializer)?;
    Ok(text.as_str().and_then(|text| text.parse().ok()))
}

impl Reason {
    /// A reason without details.
    #[must_use]
    pub const fn new(cause: TransitionCause) -> Self {
        Self {
            cause,
            rule: None,
            status: None,
            error_type: None,
            error_code: None,
            operator_reason: None,
            by: None,
        }
    }

    /// A call's failure, under a rule.
    #[must_use]
    pub fn failure(failure: &Failure, rule: TripRule) -> Self {
        Self {
            cause: failure.kind.into(),
            rule: Some(rule),
            status: failure.status,
            error_type: failure.error_type.clone(),
            error_code: failure.error_code.clone(),
            operator_reason: None,
            by: failure.reported_by.clone(),
        }
    }

    /// A manual override, with the operator's reason and name.
    #[must_use]
    pub fn manual(reason: Option<String>, by: Option<CallerName>) -> Self {
        Self { operator_reason: reason, by, ..Self::new(TransitionCause::Manual) }
    }
}

/// One change of state: an entry of the history (B11).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The epoch that began with it.
    pub epoch: u64,
    /// Why.
    pub reason: Reason,
    /// Who wrote it.
    pub instance: InstanceId,
    /// When.
    pub at: Timestamp,
}
