//! What the API, the commands and the page show of a circuit.

use breaker::{InstanceId, ModelKey, Phase, Policy, Reason, Record, SourceScope, State, Timestamp, describe};
use serde::Serialize;

/// One circuit at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The model key.
    #[serde(serialize_with = "serialize_as_str")]
    pub key: ModelKey,
    /// The state as it is shown.
    pub state: State,
    /// An operator forced it open.
    pub forced: bool,
    /// Consecutive failures.
    pub failure_count: u32,
    /// When the last failure was (Unix ms; 0: never).
    pub last_failure_time: Timestamp,
    /// When a call may be tried (Unix ms), of a circuit that is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// How long until then, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_in_ms: Option<u64>,
    /// Whose calls alone an open circuit refuses; absent: everyone's (B12).
    #[serde(rename = "alone", skip_serializing_if = "Option::is_none")]
    pub bound_to: Option<SourceScope>,
    /// Whose calls are refused while all others are admitted.
    #[serde(rename = "refused", skip_serializing_if = "Vec::is_empty")]
    pub blocked_sources: Vec<SourceScope>,
    /// Consecutive trips.
    pub trips: u32,
    /// Grows at every change of state.
    pub epoch: u64,
    /// Since when it is in this state (Unix ms).
    pub since: Timestamp,
    /// Why it is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same as a sentence.
    pub explanation: String,
    /// Instances with an active probe.
    pub probing: Vec<InstanceId>,
    /// Calls in the window: those that are written and, if an instance makes the report, its own unwritten successes.
    pub calls: u32,
    /// Failed calls in the window.
    pub failures: u32,
    /// Instances that cannot connect to the provider.
    pub blocked_instances: Vec<InstanceId>,
    /// Who wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<InstanceId>,
    /// When it was written last (Unix ms).
    pub updated_at: Timestamp,
}

/// The order in which circuits are listed: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Forced open by an operator.
    ForcedOpen,
    /// Open.
    Open,
    /// Half-open.
    HalfOpen,
    /// Closed, with consecutive failures.
    Failing,
    /// Closed, without failures.
    Healthy,
}

impl Report {
    /// Its place in that order.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.state {
            State::Open if self.forced => Severity::ForcedOpen,
            State::Open => Severity::Open,
            State::HalfOpen => Severity::HalfOpen,
            State::Closed if self.failure_count > 0 => Severity::Failing,
            State::Closed => Severity::Healthy,
        }
    }

    /// The report of a record at one moment.
    #[must_use]
    pub fn new(key: &ModelKey, record: &Record, policy: &Policy, now: Timestamp) -> Self {
        let current = record.consecutive_failures.without_expired(policy, now);
        let (calls, failures) = record.window.totals(policy, now);
        let probing = match &record.phase {
            Phase::HalfOpen { leases, .. } => leases
                .iter()
                .filter(|lease| lease.is_active(now))
                .map(|lease| lease.instance.clone())
                .collect(),
            _ => Vec::new(),
        };
        let retry_at = record.retry_at();
        Self {
            key: key.clone(),
            state: record.state(now),
            forced: record.is_forced(),
            failure_count: current.count,
            last_failure_time: record.consecutive_failures.last,
            retry_at,
            bound_to: record.bound_to().cloned(),
            blocked_sources: record
                .blocked_sources
                .iter()
                .filter(|block| now < block.until)
                .map(|block| block.scope.clone())
                .collect(),
            retry_in_ms: retry_at.map(|at| breaker::millis(at.since(now))),
            trips: record.trips,
            epoch: record.epoch,
            since: state_since(record, now),
            reason: record.reason.clone(),
            explanation: describe(record),
            probing,
            calls,
            failures,
            blocked_instances: record
                .blocked_instances
                .iter()
                .filter(|block| now < block.until)
                .map(|block| block.instance.clone())
                .collect(),
            updated_by: record.updated_by.clone(),
            updated_at: record.updated_at,
        }
    }
}

/// An epoch is the time when it began, unless it had to follow one that was ahead of time.
fn state_since(record: &Record, now: Timestamp) -> Timestamp {
    let began = Timestamp::from_millis(record.epoch);
    if began <= now { began } else { record.updated_at.min(now) }
}

fn serialize_as_str<S: serde::Serializer>(key: &ModelKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_str())
}
