//! The record as it is stored in Redis: one JSON object, a superset of what Open SWE writes.
//!
//! An Open SWE instance keeps the fields it does not know when it rewrites a value. So ours carry a `seal`, a copy
//! of the fields that it does know. Where seal and fields differ, the value was written externally, and only those fields
//! are used. Reading never fails and never panics: anything else is [`Document::Invalid`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    InstanceId, Phase, Policy, Reason, Record, SourceBlock, SourceCounts, Timestamp,
    record::{ConsecutiveFailures, InstanceBlock, OPEN_SWE_OPEN_DURATION, OpenState},
    window::{Bucket, FailureSources, Window},
};

/// The fields that have a meaning here; others are kept unchanged.
const KNOWN_FIELDS: [&str; 14] = [
    "state",
    "failureCount",
    "lastFailureTime",
    "openedAt",
    "epoch",
    "retryAt",
    "alone",
    "trips",
    "forced",
    "probe",
    "reason",
    "window",
    "updatedBy",
    "updatedAt",
];

/// The fields that an Open SWE instance knows.
const SEALED_FIELDS: [&str; 4] = ["state", "failureCount", "lastFailureTime", "openedAt"];

/// The largest integer that JavaScript represents exactly. An epoch is the time at which it began, or little more: a larger
/// one makes no sense, and might not grow any more. A value with such an epoch is not ours, whatever its seal says.
pub const MAX_EPOCH: u64 = (1 << 53) - 1;

/// The largest epoch that is taken over from an external value. Ours continue from it, so it must leave room for them.
const MAX_EXTERNAL_EPOCH: u64 = 1 << 52;

/// Fields of a value that this version does not know; they survive every write.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras(Map<String, Value>);

/// A value that an Open SWE instance or an operator wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct External {
    /// What its own fields say; `forced` outranks `state`.
    pub record: Record,
    /// What `state` says without `forced`.
    pub unforced: Phase,
    /// It has exactly what an Open SWE instance's success leaves: CLOSED, `failureCount` 0 and no `openedAt`.
    pub is_success: bool,
    /// The record of ours that it was made from, as its `seal` shows: an Open SWE instance keeps the fields that it does not
    /// know. `None`: it carries none, as what an operator writes.
    pub carried: Option<Box<Record>>,
}

/// What a value in Redis turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Written by Switchboard.
    Native(Record, Extras),
    /// Written by an Open SWE instance or an operator: to be adopted (see [`adopt`](crate::adopt)).
    External(External, Extras),
    /// Not a circuit's JSON: treated as closed and overwritten at the next change.
    Invalid,
}

impl Document {
    /// Reads a value. The policy says when an external value's open period ends.
    #[must_use]
    pub fn parse(bytes: &[u8], policy: &Policy) -> Self {
        Self::read(bytes, policy, |fields, seal| seal == seal_of(fields))
    }

    /// Reads a value as an external one, though it may carry a seal: an old value that somebody has written back.
    #[must_use]
    pub fn parse_as_external(bytes: &[u8], policy: &Policy) -> Self {
        Self::read(bytes, policy, |_, _| false)
    }

    fn read(
        bytes: &[u8],
        policy: &Policy,
        is_valid_seal: impl FnOnce(&Map<String, Value>, Value) -> bool,
    ) -> Self {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else { return Self::Invalid };
        let Some(open) = read_state(&fields) else { return Self::Invalid };
        let seal = fields.shift_remove("seal");
        let has_seal = seal.clone().is_some_and(|seal| is_valid_seal(&fields, seal));
        let without_known = |mut fields: Map<String, Value>| {
            fields.retain(|name, _| !KNOWN_FIELDS.contains(&name.as_str()));
            Extras(fields)
        };
        if has_seal && read_number(&fields, "epoch") <= MAX_EPOCH {
            return Self::Native(read_native(&fields, open), without_known(fields));
        }
        let external = External {
            record: read_external(&fields, open, policy),
            unforced: read_unforced(&fields, open, policy),
            is_success: !open
                && fields.get("failureCount").and_then(Value::as_u64) == Some(0)
                && !fields.contains_key("openedAt"),
            carried: seal.and_then(|seal| read_carried(&fields, seal)).map(Box::new),
        };
        Self::External(external, without_known(fields))
    }

    /// The record to decide by, and the unknown fields to write with it.
    #[must_use]
    pub fn into_parts(self) -> (Record, Extras) {
        match self {
            Self::Native(record, extras) => (record, extras),
            Self::External(External { record, .. }, extras) => (Record { epoch: 0, ..record }, extras),
            Self::Invalid => (Record::closed(0), Extras::default()),
        }
    }
}

/// Writes a record as one JSON object.
#[must_use]
pub fn encode(record: &Record, extras: &Extras) -> Vec<u8> {
    let mut fields = Map::new();
    let closed = matches!(record.phase, Phase::Closed);
    fields.insert("state".into(), json!(if closed { "CLOSED" } else { "OPEN" }));
    fields.insert("failureCount".into(), json!(record.consecutive_failures.count));
    fields.insert("lastFailureTime".into(), json!(record.consecutive_failures.last));
    let opened_at = match &record.phase {
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => Some(outage.opened_at),
        // An Open SWE instance comes back at its end by itself.
        Phase::ForcedOpen { until } => until.map(|until| until - OPEN_SWE_OPEN_DURATION),
        Phase::Closed => None,
    };
    if let Some(opened_at) = opened_at {
        fields.insert("openedAt".into(), json!(opened_at));
    }
    let seal = seal_of(&fields);
    fields.insert("epoch".into(), json!(record.epoch));
    if let Some(retry_at) = record.retry_at() {
        fields.insert("retryAt".into(), json!(retry_at));
    }
    if let Some(scope) = record.bound_to() {
        fields.insert("alone".into(), json!(scope));
    }
    fields.insert("trips".into(), json!(record.trips));
    if record.is_forced() {
        fields.insert("forced".into(), json!(true));
    }
    if let Phase::HalfOpen { leases, .. } = &record.phase {
        fields.insert("probe".into(), json!(leases));
    }
    if let Some(reason) = &record.reason {
        fields.insert("reason".into(), json!(reason));
    }
    let counts = WireWindow::from_record(record);
    if counts != WireWindow::default() {
        fields.insert("window".into(), json!(counts));
    }
    if let Some(instance) = &record.updated_by {
        fields.insert("updatedBy".into(), json!(instance));
    }
    fields.insert("updatedAt".into(), json!(record.updated_at));
    fields.insert("seal".into(), seal);
    fields.extend(extras.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(fields).to_string().into_bytes()
}

/// The copy of the fields that an Open SWE instance writes.
fn seal_of(fields: &Map<String, Value>) -> Value {
    let copied =
        SEALED_FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
    Value::Object(copied.collect())
}

/// Whether `state` says OPEN; `None` if it says neither OPEN nor CLOSED.
fn read_state(fields: &Map<String, Value>) -> Option<bool> {
    match fields.get("state")?.as_str()? {
        "OPEN" => Some(true),
        "CLOSED" => Some(false),
        _ => None,
    }
}

fn read_external(fields: &Map<String, Value>, open: bool, policy: &Policy) -> Record {
    let phase = if is_forced(fields) {
        Phase::ForcedOpen {
            until: Some(read_timestamp(fields, "retryAt")).filter(|until| *until != Timestamp::NEVER),
        }
    } else {
        read_unforced(fields, open, policy)
    };
    Record {
        phase,
        consecutive_failures: read_consecutive_failures(fields, &WireWindow::default()),
        reason: Some(Reason::new(crate::TransitionCause::External)),
        ..Record::closed(
            Some(read_number(fields, "epoch")).filter(|epoch| *epoch <= MAX_EXTERNAL_EPOCH).unwrap_or(0),
        )
    }
}

fn read_unforced(fields: &Map<String, Value>, open: bool, policy: &Policy) -> Phase {
    let opened_at = read_timestamp(fields, "openedAt");
    if !open {
        Phase::Closed
    } else if opened_at == Timestamp::NEVER {
        Phase::ForcedOpen { until: None }
    } else {
        Phase::Open(OpenState::new(opened_at, opened_at + policy.open_duration))
    }
}

/// The record that the sealed fields and those beside them once were.
fn read_carried(fields: &Map<String, Value>, seal: Value) -> Option<Record> {
    let Value::Object(sealed) = seal else { return None };
    let open = read_state(&sealed)?;
    if !(1..=MAX_EXTERNAL_EPOCH).contains(&read_number(fields, "epoch")) {
        return None;
    }
    let mut fields = fields.clone();
    fields.retain(|name, _| !SEALED_FIELDS.contains(&name.as_str()));
    fields.extend(sealed);
    Some(read_native(&fields, open))
}

fn read_native(fields: &Map<String, Value>, open: bool) -> Record {
    let counts: WireWindow = read_field(fields, "window").unwrap_or_default();
    let opened_at = read_timestamp(fields, "openedAt");
    let outage = OpenState {
        opened_at,
        retry_at: read_timestamp(fields, "retryAt"),
        sole_reporter: counts.open_sole_reporter.clone(),
        bound_to: read_field(fields, "alone"),
        waiting: counts.waiting.clone(),
    };
    let phase = if !open {
        Phase::Closed
    } else if is_forced(fields) || opened_at == Timestamp::NEVER && !fields.contains_key("openedAt") {
        Phase::ForcedOpen { until: fields.contains_key("retryAt").then_some(outage.retry_at) }
    } else if fields.contains_key("probe") {
        let leases = read_field(fields, "probe").unwrap_or_default();
        Phase::HalfOpen { outage, leases, successes: counts.probe_successes }
    } else {
        Phase::Open(outage)
    };
    Record {
        epoch: read_number(fields, "epoch"),
        origin_epoch: counts.origin_epoch,
        phase,
        consecutive_failures: read_consecutive_failures(fields, &counts),
        trips: read_count(fields, "trips"),
        reason: read_field(fields, "reason"),
        window: Window { buckets: counts.buckets.into_iter().map(Bucket::from).collect() },
        blocked_instances: counts.blocked_instances,
        blocked_sources: counts.blocked_sources,
        updated_by: read_field(fields, "updatedBy"),
        updated_at: read_timestamp(fields, "updatedAt"),
    }
}

/// Without failures there is no first one.
fn read_consecutive_failures(fields: &Map<String, Value>, counts: &WireWindow) -> ConsecutiveFailures {
    let (failures, last) = (read_count(fields, "failureCount"), read_timestamp(fields, "lastFailureTime"));
    match failures {
        0 => ConsecutiveFailures { last, ..ConsecutiveFailures::default() },
        _ => ConsecutiveFailures {
            count: failures,
            late_count: counts.failures_late_count.min(failures),
            since: counts.failures_since.unwrap_or(last),
            last,
            sole_reporter: counts.failures_sole_reporter.clone(),
            by: counts.failures_by.clone().bounded(),
        },
    }
}

fn is_forced(fields: &Map<String, Value>) -> bool {
    !matches!(fields.get("forced"), None | Some(Value::Null | Value::Bool(false)))
}

/// Absent or invalid numbers are 0, huge ones the largest that fit.
fn read_number(fields: &Map<String, Value>, name: &str) -> u64 {
    let Some(value) = fields.get(name) else { return 0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is what is wanted"
    )]
    value.as_u64().unwrap_or_else(|| value.as_f64().unwrap_or(0.0) as u64)
}

fn read_timestamp(fields: &Map<String, Value>, name: &str) -> Timestamp {
    Timestamp::from_millis(read_number(fields, name)).min(Timestamp::MAX)
}

fn read_count(fields: &Map<String, Value>, name: &str) -> u32 {
    u32::try_from(read_number(fields, name)).unwrap_or(u32::MAX)
}

fn read_field<T: for<'a> Deserialize<'a>>(fields: &Map<String, Value>, name: &str) -> Option<T> {
    T::deserialize(fields.get(name)?).ok()
}

/// `window`: all counts, and what belongs to them.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireWindow {
    #[serde(rename = "learntIn", skip_serializing_if = "Option::is_none")]
    origin_epoch: Option<u64>,
    #[serde(rename = "rowSince", skip_serializing_if = "Option::is_none")]
    failures_since: Option<Timestamp>,
    #[serde(rename = "rowInstance", skip_serializing_if = "Option::is_none")]
    failures_sole_reporter: Option<InstanceId>,
    #[serde(rename = "rowLate", skip_serializing_if = "is_zero")]
    failures_late_count: u32,
    #[serde(rename = "by", skip_serializing_if = "SourceCounts::is_empty")]
    failures_by: SourceCounts,
    #[serde(rename = "openInstance", skip_serializing_if = "Option::is_none")]
    open_sole_reporter: Option<InstanceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<SourceBlock>,
    #[serde(skip_serializing_if = "is_zero")]
    probe_successes: u32,
    #[serde(rename = "cutOff", skip_serializing_if = "Vec::is_empty")]
    blocked_instances: Vec<InstanceBlock>,
    #[serde(rename = "refused", skip_serializing_if = "Vec::is_empty")]
    blocked_sources: Vec<SourceBlock>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<WireBucket>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl WireWindow {
    fn from_record(record: &Record) -> Self {
        let (open_sole_reporter, probe_successes) = match &record.phase {
            Phase::Open(outage) => (outage.sole_reporter.clone(), 0),
            Phase::HalfOpen { outage, successes, .. } => (outage.sole_reporter.clone(), *successes),
            Phase::Closed | Phase::ForcedOpen { .. } => (None, 0),
        };
        Self {
            origin_epoch: record.origin_epoch,
            failures_since: (record.consecutive_failures.count > 0)
                .then_some(record.consecutive_failures.since),
            failures_sole_reporter: record.consecutive_failures.sole_reporter.clone(),
            failures_late_count: record.consecutive_failures.late_count,
            failures_by: record.consecutive_failures.by.clone(),
            open_sole_reporter,
            waiting: record.outage().and_then(|outage| outage.waiting.clone()),
            probe_successes,
            blocked_instances: record.blocked_instances.clone(),
            blocked_sources: record.blocked_sources.clone(),
            buckets: record.window.buckets.iter().map(WireBucket::from).collect(),
        }
    }
}

/// A bucket: its start, calls, failures, connection failures, the one instance they are of (`*`: several), and the failures
/// by source.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct WireBucket(
    Timestamp,
    u32,
    u32,
    u32,
    String,
    #[serde(default, skip_serializing_if = "SourceCounts::is_empty")] SourceCounts,
);

impl From<&Bucket> for WireBucket {
    fn from(bucket: &Bucket) -> Self {
        let sources = match &bucket.sources {
            FailureSources::Empty => String::new(),
            FailureSources::Single(instance) => instance.as_str().to_owned(),
            FailureSources::Multiple => "*".to_owned(),
        };
        Self(
            bucket.start,
            bucket.calls,
            bucket.failures,
            bucket.connection_failures,
            sources,
            bucket.by.clone(),
        )
    }
}

impl From<WireBucket> for Bucket {
    fn from(bucket: WireBucket) -> Self {
        let WireBucket(start, calls, failures, connection_failures, sources_text, by) = bucket;
        let sources = match sources_text.as_str() {
            "" => FailureSources::Empty,
            "*" => FailureSources::Multiple,
            name => FailureSources::Single(InstanceId::new(name)),
        };
        Self { start, calls, failures, connection_failures, sources, by: by.bounded() }
    }
}

#[cfg(test)]
mod tests;
