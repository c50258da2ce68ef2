//! The record as it stands in Redis: one JSON object, a superset of what Open SWE writes (DESIGN 1.1).
//!
//! An Open SWE instance keeps the fields it does not know when it rewrites a value. So ours carry a `seal`, a copy
//! of the fields that it does know; where seal and fields differ, somebody else has written, and only those fields
//! are believed. Reading never fails and never panics: what is no such JSON is [`Document::Garbage`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Context, InstanceId, Phase, Policy, Reason, Record, Timestamp, Transition,
    record::{CutOff, Outage, Row, next_epoch},
    window::{Bucket, Origin, Window},
};

/// The fields that have a meaning here; others are carried along untouched.
const FIELDS: [&str; 13] = [
    "state",
    "failureCount",
    "lastFailureTime",
    "openedAt",
    "epoch",
    "retryAt",
    "trips",
    "forced",
    "probe",
    "reason",
    "window",
    "updatedBy",
    "updatedAt",
];

/// The largest whole number that JavaScript keeps exactly. Epochs go on from a foreign one, so it must leave room.
const LARGEST_FOREIGN_EPOCH: u64 = (1 << 53) - 1;

/// Fields of a value that this version does not know; they survive every write.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras(Map<String, Value>);

/// What a value in Redis turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Written by Switchboard.
    Ours(Record, Extras),
    /// Written by an Open SWE instance or a person: to be adopted (see [`adopt`]). Until then it is obeyed in
    /// epoch 0, so that outcomes of the meantime are void.
    Foreign(Record, Extras),
    /// Not a circuit's JSON: counts as closed and is overwritten at the next change.
    Garbage,
}

impl Document {
    /// Reads a value. The policy says when a foreign value's open period ends.
    #[must_use]
    pub fn parse(bytes: &[u8], policy: &Policy) -> Self {
        Self::read(bytes, policy, |fields, seal| seal == seal_of(fields))
    }

    /// Reads a value as a foreign one, though it may carry a seal: one that somebody has brought back.
    #[must_use]
    pub fn parse_unsealed(bytes: &[u8], policy: &Policy) -> Self {
        Self::read(bytes, policy, |_, _| false)
    }

    fn read(bytes: &[u8], policy: &Policy, holds: impl FnOnce(&Map<String, Value>, Value) -> bool) -> Self {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else { return Self::Garbage };
        let Some(open) = read_state(&fields) else { return Self::Garbage };
        let sealed = fields.remove("seal").is_some_and(|seal| holds(&fields, seal));
        let record = if sealed { read_ours(&fields, open) } else { read_foreign(&fields, open, policy) };
        fields.retain(|name, _| !FIELDS.contains(&name.as_str()));
        if sealed { Self::Ours(record, Extras(fields)) } else { Self::Foreign(record, Extras(fields)) }
    }

    /// The record to act on, and what to carry along when it is written.
    #[must_use]
    pub fn into_parts(self) -> (Record, Extras) {
        match self {
            Self::Ours(record, extras) => (record, extras),
            Self::Foreign(record, extras) => (Record { epoch: 0, ..record }, extras),
            Self::Garbage => (Record::closed(0), Extras::default()),
        }
    }
}

/// Takes a foreign value over: what it says, in an epoch of its own, so that permits from before are void.
/// `before` is what the instance knew of the circuit.
#[must_use]
pub fn adopt(foreign: &Record, before: Option<&Record>, context: Context<'_>) -> (Record, Transition) {
    let Context { instance, now, .. } = context;
    let last = foreign.epoch.max(before.map_or(0, |record| record.epoch));
    let record = Record {
        epoch: next_epoch(last, now),
        reason: Some(Reason::of(crate::Cause::Foreign)),
        updated_by: Some(instance.clone()),
        updated_at: now,
        ..foreign.clone()
    };
    let transition = Transition {
        from: before.unwrap_or(foreign).written_state(),
        to: record.written_state(),
        epoch: record.epoch,
        reason: Reason::of(crate::Cause::Foreign),
        instance: instance.clone(),
        at: now,
    };
    (record, transition)
}

/// Writes a record as one JSON object.
#[must_use]
pub fn encode(record: &Record, extras: &Extras) -> Vec<u8> {
    let mut fields = Map::new();
    let closed = matches!(record.phase, Phase::Closed);
    fields.insert("state".into(), json!(if closed { "CLOSED" } else { "OPEN" }));
    fields.insert("failureCount".into(), json!(record.row.failures));
    fields.insert("lastFailureTime".into(), json!(record.row.last));
    if let Phase::Open(outage) | Phase::HalfOpen { outage, .. } = &record.phase {
        fields.insert("openedAt".into(), json!(outage.opened_at));
    }
    let seal = seal_of(&fields);
    fields.insert("epoch".into(), json!(record.epoch));
    if let Some(retry_at) = record.retry_at() {
        fields.insert("retryAt".into(), json!(retry_at));
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
    let counts = WireWindow::of(record);
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
    let names = ["state", "failureCount", "lastFailureTime", "openedAt"];
    let copied = names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
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

fn read_foreign(fields: &Map<String, Value>, open: bool, policy: &Policy) -> Record {
    let opened_at = time(fields, "openedAt");
    let phase = if forced(fields) {
        Phase::Forced { until: Some(time(fields, "retryAt")).filter(|until| *until != Timestamp::NEVER) }
    } else if !open {
        Phase::Closed
    } else if opened_at == Timestamp::NEVER {
        Phase::Forced { until: None }
    } else {
        Phase::Open(Outage { opened_at, retry_at: opened_at + policy.open_duration, alone: None })
    };
    Record {
        phase,
        row: read_row(fields, None, None, 0),
        reason: Some(Reason::of(crate::Cause::Foreign)),
        ..Record::closed(number(fields, "epoch").min(LARGEST_FOREIGN_EPOCH))
    }
}

fn read_ours(fields: &Map<String, Value>, open: bool) -> Record {
    let counts: WireWindow = part(fields, "window").unwrap_or_default();
    let opened_at = time(fields, "openedAt");
    let outage = Outage { opened_at, retry_at: time(fields, "retryAt"), alone: counts.alone };
    let phase = if !open {
        Phase::Closed
    } else if forced(fields) || opened_at == Timestamp::NEVER && !fields.contains_key("openedAt") {
        Phase::Forced { until: fields.contains_key("retryAt").then_some(outage.retry_at) }
    } else if fields.contains_key("probe") {
        let leases = part(fields, "probe").unwrap_or_default();
        Phase::HalfOpen { outage, leases, successes: counts.probe_successes }
    } else {
        Phase::Open(outage)
    };
    Record {
        epoch: number(fields, "epoch"),
        learnt_in: counts.learnt_in,
        phase,
        row: read_row(fields, counts.row_since, counts.row_alone, counts.row_late),
        trips: count(fields, "trips"),
        reason: part(fields, "reason"),
        window: Window { buckets: counts.buckets.into_iter().map(Bucket::from).collect() },
        cut_off: counts.cut_off,
        updated_by: part(fields, "updatedBy"),
        updated_at: time(fields, "updatedAt"),
    }
}

/// Without failures there is no row that could have begun.
fn read_row(
    fields: &Map<String, Value>,
    since: Option<Timestamp>,
    alone: Option<InstanceId>,
    late: u32,
) -> Row {
    let (failures, last) = (count(fields, "failureCount"), time(fields, "lastFailureTime"));
    match failures {
        0 => Row { last, ..Row::default() },
        _ => Row { failures, late: late.min(failures), since: since.unwrap_or(last), last, alone },
    }
}

fn forced(fields: &Map<String, Value>) -> bool {
    !matches!(fields.get("forced"), None | Some(Value::Null | Value::Bool(false)))
}

/// Absent or senseless numbers are 0, huge ones the largest that fit.
fn number(fields: &Map<String, Value>, name: &str) -> u64 {
    let Some(value) = fields.get(name) else { return 0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is what is wanted"
    )]
    value.as_u64().unwrap_or_else(|| value.as_f64().unwrap_or(0.0) as u64)
}

fn time(fields: &Map<String, Value>, name: &str) -> Timestamp {
    Timestamp::from_millis(number(fields, name)).min(Timestamp::LATEST)
}

fn count(fields: &Map<String, Value>, name: &str) -> u32 {
    u32::try_from(number(fields, name)).unwrap_or(u32::MAX)
}

fn part<T: for<'a> Deserialize<'a>>(fields: &Map<String, Value>, name: &str) -> Option<T> {
    T::deserialize(fields.get(name)?).ok()
}

/// `window`: all that is counted, and what goes with the counts.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireWindow {
    #[serde(skip_serializing_if = "Option::is_none")]
    learnt_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_alone: Option<InstanceId>,
    #[serde(skip_serializing_if = "is_zero")]
    row_late: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    alone: Option<InstanceId>,
    #[serde(skip_serializing_if = "is_zero")]
    probe_successes: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cut_off: Vec<CutOff>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    buckets: Vec<WireBucket>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl WireWindow {
    fn of(record: &Record) -> Self {
        let (alone, probe_successes) = match &record.phase {
            Phase::Open(outage) => (outage.alone.clone(), 0),
            Phase::HalfOpen { outage, successes, .. } => (outage.alone.clone(), *successes),
            Phase::Closed | Phase::Forced { .. } => (None, 0),
        };
        Self {
            learnt_in: record.learnt_in,
            row_since: (record.row.failures > 0).then_some(record.row.since),
            row_alone: record.row.alone.clone(),
            row_late: record.row.late,
            alone,
            probe_successes,
            cut_off: record.cut_off.clone(),
            buckets: record.window.buckets.iter().map(WireBucket::from).collect(),
        }
    }
}

/// A bucket: its start, calls, failures, connection failures, and the one instance they are of (`*`: several).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct WireBucket(Timestamp, u32, u32, u32, String);

impl From<&Bucket> for WireBucket {
    fn from(bucket: &Bucket) -> Self {
        let origin = match &bucket.origin {
            Origin::Nobody => String::new(),
            Origin::One(instance) => instance.as_str().to_owned(),
            Origin::Several => "*".to_owned(),
        };
        Self(bucket.start, bucket.calls, bucket.failures, bucket.connection_failures, origin)
    }
}

impl From<WireBucket> for Bucket {
    fn from(WireBucket(start, calls, failures, connection_failures, origin): WireBucket) -> Self {
        let origin = match origin.as_str() {
            "" => Origin::Nobody,
            "*" => Origin::Several,
            name => Origin::One(InstanceId::new(name)),
        };
        Self { start, calls, failures, connection_failures, origin }
    }
}

#[cfg(test)]
mod tests;
