//! What a row expects.

use std::{fmt, time::Duration};

use breaker::{InstanceId, SourceScope, State, Timestamp, Transition, TransitionCause, TripRule};
use circuits::Report;
use serde::Serialize;
use serde_json::Value;

use crate::{
    duration,
    world::{AdmitResult, Snapshot},
};

/// Rows before this one may have been late, too.
const TOLERANCE: Duration = Duration::from_millis(150);

/// A key lives a little longer than its open period or probe.
const TTL_TOLERANCE: Duration = Duration::from_secs(1);

/// What a row expects.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    text: String,
    check: Check,
}

#[derive(Debug, Clone)]
enum Check {
    /// This many of the row's calls got this admission; without a number, all.
    Admission(&'static str, Option<usize>),
    State(State),
    Forced(bool),
    Number(fn(&Observed<'_>) -> u64, u64),
    Retry(Option<Duration>),
    EpochGrew,
    EpochStayed,
    LastTransition(Vec<String>),
    Absent,
    Ttl(Option<Duration>),
    /// A field of the value in the store, by its path.
    Raw(Vec<String>, String),
    /// Names of instances, joined by `+`.
    Names(fn(&Report) -> &[InstanceId], String),
    /// Scopes of sources, joined by `+`.
    Scopes(fn(&Report) -> Vec<&SourceScope>, String),
    Failed,
}

/// Everything that a row can check.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) now: Timestamp,
    /// How much later that is than the row says: real Redis and a busy machine are slow.
    pub(crate) lateness: Duration,
    /// The admissions of the row's calls.
    pub(crate) admissions: &'a [AdmitResult],
    /// A manual override was not applied.
    pub(crate) failure: Option<&'a str>,
    /// The circuit as the row's instance sees it; for a row without one, as it is stored.
    pub(crate) report: &'a Report,
    pub(crate) snapshot: &'a Snapshot,
    /// The row's instance cannot reach the store, so it sees its local state.
    pub(crate) is_disconnected: bool,
    pub(crate) value: Option<&'a Value>,
    /// The epoch at the end of the row before.
    pub(crate) epoch_before: u64,
    /// The highest epoch so far.
    pub(crate) highest_epoch: u64,
    /// Writes to the store in this row.
    pub(crate) write_count: u64,
}

impl Expectation {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), check: Check::parse(text)? })
    }

    /// What was seen instead, if it was not as expected.
    pub(crate) fn compare(&self, seen: &Observed<'_>) -> Result<(), String> {
        let found = self.check.compare(seen);
        found.map_err(|found| format!("expected {}, seen {found}", self.text))
    }

    /// Whether a manual override is expected to fail.
    pub(crate) fn expects_failure(&self) -> bool {
        matches!(self.check, Check::Failed)
    }
}

impl Check {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        if let Some(path) = name.strip_prefix("raw.") {
            let value = value.ok_or_else(|| format!("{text:?} lacks a value"))?;
            return Ok(Self::Raw(path.split('.').map(str::to_owned).collect(), value.to_owned()));
        }
        if let ("last", Some(value)) = (name, value) {
            return Ok(Self::LastTransition(value.split_whitespace().map(str::to_owned).collect()));
        }
        Ok(match (name, value) {
            ("admitted", count) => Self::Admission("admitted", count.map(parse_number).transpose()?),
            ("probe", count) => Self::Admission("probe", count.map(parse_number).transpose()?),
            ("refused", count) => Self::Admission("refused", count.map(parse_number).transpose()?),
            ("CLOSED", None) => Self::State(State::Closed),
            ("OPEN", None) => Self::State(State::Open),
            ("HALF_OPEN", None) => Self::State(State::HalfOpen),
            ("forced", None) => Self::Forced(true),
            ("not forced", None) => Self::Forced(false),
            ("count", Some(count)) => {
                Self::Number(|seen| seen.report.failure_count.into(), parse_number(count)?)
            }
            ("trips", Some(trips)) => Self::Number(|seen| seen.report.trips.into(), parse_number(trips)?),
            ("calls", Some(calls)) => Self::Number(|seen| seen.report.calls.into(), parse_number(calls)?),
            ("failures", Some(failures)) => {
                Self::Number(|seen| seen.report.failures.into(), parse_number(failures)?)
            }
            ("history", Some(length)) => {
                Self::Number(|seen| seen.snapshot.history.len() as u64, parse_number(length)?)
            }
            ("written", Some(writes)) => Self::Number(|seen| seen.write_count, parse_number(writes)?),
            ("retry", Some("none")) => Self::Retry(None),
            ("retry", Some(wait)) => Self::Retry(Some(duration::parse(wait)?)),
            ("epoch+", None) => Self::EpochGrew,
            ("epoch", Some("")) => Self::EpochStayed,
            ("ttl", Some("none")) => Self::Ttl(None),
            ("ttl", Some(ttl)) => Self::Ttl(Some(duration::parse(ttl)?)),
            ("absent", None) => Self::Absent,
            ("probing", Some(names)) => Self::Names(|report| &report.probing, names.to_owned()),
            ("blocked", Some(names)) => Self::Names(|report| &report.blocked_instances, names.to_owned()),
            ("alone", Some(scope)) => {
                Self::Scopes(|report| report.bound_to.iter().collect(), scope.to_owned())
            }
            ("refuses", Some(scopes)) => {
                Self::Scopes(|report| report.blocked_sources.iter().collect(), scopes.to_owned())
            }
            ("fails", None) => Self::Failed,
            _ => return Err(format!("{text:?} cannot be expected; README.md names what can")),
        })
    }

    fn compare(&self, seen: &Observed<'_>) -> Result<(), String> {
        match self {
            Self::Admission(word, count) => {
                let matching =
                    seen.admissions.iter().filter(|admission| dsl_word(admission) == *word).count();
                let wanted = count.unwrap_or(seen.admissions.len());
                ensure(matching == wanted && !seen.admissions.is_empty(), || {
                    seen.admissions.iter().map(dsl_word).collect::<Vec<_>>().join(" ")
                })
            }
            Self::State(state) => check_state_everywhere(*state, seen),
            Self::Forced(forced) => {
                ensure(seen.report.forced == *forced, || forced_dsl_word(seen.report.forced))
            }
            Self::Number(of, wanted) => ensure(of(seen) == *wanted, || of(seen)),
            Self::Retry(wanted) => check_retry(*wanted, seen),
            Self::EpochGrew => ensure(seen.report.epoch > seen.highest_epoch, || {
                format!("{} after {}", seen.report.epoch, seen.highest_epoch)
            }),
            Self::EpochStayed => ensure(seen.report.epoch == seen.epoch_before, || {
                format!("{} after {}", seen.report.epoch, seen.epoch_before)
            }),
            Self::LastTransition(words) => check_last_transition(words, seen.snapshot.history.first()),
            Self::Absent => ensure(seen.snapshot.raw.is_none(), || "a value"),
            Self::Ttl(wanted) => ensure(is_close(seen.snapshot.ttl, *wanted, TTL_TOLERANCE), || {
                format!("{:?}", seen.snapshot.ttl)
            }),
            Self::Raw(path, wanted) => check_raw(path, wanted, seen),
            Self::Names(of, wanted) => {
                let names: Vec<&str> = of(seen.report).iter().map(InstanceId::as_str).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join("+") };
                ensure(names == *wanted, || names.clone())
            }
            Self::Scopes(of, wanted) => {
                let scopes: Vec<String> = of(seen.report).into_iter().map(scope_dsl).collect();
                let scopes = if scopes.is_empty() { "none".to_owned() } else { scopes.join("+") };
                ensure(scopes == *wanted, || scopes.clone())
            }
            Self::Failed => ensure(seen.failure.is_some(), || "that it was applied"),
        }
    }
}

fn ensure<T: fmt::Display>(holds: bool, seen: impl FnOnce() -> T) -> Result<(), String> {
    if holds { Ok(()) } else { Err(seen().to_string()) }
}

/// `ci`: all of a caller; `ci/*`: one request of it.
fn scope_dsl(scope: &SourceScope) -> String {
    let caller = scope.caller.as_ref().map_or("-", |name| name.as_str());
    if scope.tag.is_some() { format!("{caller}/*") } else { caller.to_owned() }
}

fn dsl_word(admission: &AdmitResult) -> &'static str {
    match admission {
        AdmitResult::Admitted => "admitted",
        AdmitResult::Probe => "probe",
        AdmitResult::Refused(_) => "refused",
    }
}

const fn forced_dsl_word(forced: bool) -> &'static str {
    if forced { "forced" } else { "not forced" }
}

/// The row's instance sees the state, and so do all others that can reach the store (F1).
fn check_state_everywhere(state: State, seen: &Observed<'_>) -> Result<(), String> {
    ensure(seen.report.state == state, || seen.report.state)?;
    if seen.is_disconnected {
        return Ok(());
    }
    let others = seen.snapshot.views.iter().filter(|(_, view)| view.connected);
    for (name, view) in others {
        ensure(view.report.state == state, || format!("{} by {name}", view.report.state))?;
    }
    Ok(())
}

/// A refused caller learns when to retry; without one it is when the open period ends.
fn check_retry(wanted: Option<Duration>, seen: &Observed<'_>) -> Result<(), String> {
    let refused = seen.admissions.iter().find_map(|admission| match admission {
        AdmitResult::Refused(retry) => Some(*retry),
        AdmitResult::Admitted | AdmitResult::Probe => None,
    });
    let found = refused.unwrap_or_else(|| seen.report.retry_at.map(|at| at.since(seen.now)));
    ensure(is_close(found, wanted, TOLERANCE + seen.lateness), || format!("{found:?}"))
}

fn is_close(found: Option<Duration>, wanted: Option<Duration>, tolerance: Duration) -> bool {
    match (found, wanted) {
        (Some(found), Some(wanted)) => found.abs_diff(wanted) <= tolerance,
        (found, wanted) => found == wanted,
    }
}

/// `CLOSED>OPEN` and further words: the kind, rule, status, type or code of the reason, `why` words, the instance.
fn check_last_transition(words: &[String], entry: Option<&Transition>) -> Result<(), String> {
    let Some(entry) = entry else { return Err("no entry".to_owned()) };
    let reason = &entry.reason;
    let mut known = vec![
        format!("{}>{}", entry.from, entry.to),
        serialized_word::<TransitionCause>(&reason.cause),
        entry.instance.as_str().to_owned(),
    ];
    known.extend(reason.rule.as_ref().map(serialized_word::<TripRule>));
    known.extend(reason.status.map(|status| status.to_string()));
    known.extend([&reason.error_type, &reason.error_code].into_iter().flatten().cloned());
    known.extend(reason.operator_reason.iter().flat_map(|why| why.split_whitespace().map(str::to_owned)));
    ensure(words.iter().all(|word| known.contains(word)), || known.join(" "))
}

fn serialized_word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

fn check_raw(path: &[String], wanted: &str, seen: &Observed<'_>) -> Result<(), String> {
    let found = seen.value.and_then(|value| path.iter().try_fold(value, |value, name| value.get(name)));
    match (found, wanted) {
        (found, "absent") => ensure(found.is_none(), || found.map_or(String::new(), Value::to_string)),
        (None, _) => Err("no such field".to_owned()),
        (Some(found), _) => match wanted.strip_prefix("now") {
            Some(offset) => {
                let offset = if offset.is_empty() { 0 } else { duration::parse_signed(offset)? };
                let wanted = Timestamp::from_millis(seen.now.as_millis().saturating_add_signed(offset));
                let found = Timestamp::from_millis(found.as_u64().unwrap_or(0));
                let away = found.since(wanted).max(wanted.since(found));
                ensure(away <= TOLERANCE + seen.lateness, || format!("{found}, which is {away:?} away"))
            }
            None => {
                let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
                ensure(text == wanted, || text.clone())
            }
        },
    }
}

fn parse_number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}
