//! What a row expects to be seen.

use std::{fmt, time::Duration};

use breaker::{Cause, InstanceId, Rule, State, Timestamp, Transition};
use circuits::Report;
use serde::Serialize;
use serde_json::Value;

use crate::{
    duration,
    world::{Leave, Look},
};

/// Rows before this one may have been late, too.
const TOLERANCE: Duration = Duration::from_millis(150);

/// A key lives a little longer than what it holds.
const TTL_TOLERANCE: Duration = Duration::from_secs(1);

/// What a row expects to be seen.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    text: String,
    check: Check,
}

#[derive(Debug, Clone)]
enum Check {
    /// So many of the row's calls were told this; without a number, all.
    Told(&'static str, Option<usize>),
    State(State),
    Forced(bool),
    Number(fn(&Seen<'_>) -> u64, u64),
    Retry(Option<Duration>),
    EpochGrew,
    EpochStayed,
    Last(Vec<String>),
    Absent,
    Ttl(Option<Duration>),
    /// A field of the value in the store, by its path.
    Raw(Vec<String>, String),
    /// Names of instances, joined by `+`.
    Names(fn(&Report) -> &[InstanceId], String),
    Failed,
}

/// Everything that a row can look at.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) now: Timestamp,
    /// How much later that is than the row says: real Redis and a busy machine take their time.
    pub(crate) late: Duration,
    /// What the row's calls were told.
    pub(crate) told: &'a [Leave],
    /// A person's word was not carried out.
    pub(crate) failure: Option<&'a str>,
    /// The circuit as the row's instance sees it; of a row without one, as it stands in the store.
    pub(crate) report: &'a Report,
    pub(crate) look: &'a Look,
    /// The row's instance cannot reach the store, so what it sees is its own.
    pub(crate) is_alone: bool,
    pub(crate) value: Option<&'a Value>,
    /// The epoch at the end of the row before.
    pub(crate) epoch_before: u64,
    /// The highest epoch that was ever seen before.
    pub(crate) highest_epoch: u64,
    /// Writes to the store in this row.
    pub(crate) written: u64,
}

impl Expectation {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), check: Check::parse(text)? })
    }

    /// What was seen instead, if it was not what is expected.
    pub(crate) fn compare(&self, seen: &Seen<'_>) -> Result<(), String> {
        let found = self.check.compare(seen);
        found.map_err(|found| format!("expected {}, seen {found}", self.text))
    }

    /// Whether a person's word is expected not to be carried out.
    pub(crate) fn is_of_failure(&self) -> bool {
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
            return Ok(Self::Last(value.split_whitespace().map(str::to_owned).collect()));
        }
        Ok(match (name, value) {
            ("admitted", count) => Self::Told("admitted", count.map(number).transpose()?),
            ("probe", count) => Self::Told("probe", count.map(number).transpose()?),
            ("refused", count) => Self::Told("refused", count.map(number).transpose()?),
            ("CLOSED", None) => Self::State(State::Closed),
            ("OPEN", None) => Self::State(State::Open),
            ("HALF_OPEN", None) => Self::State(State::HalfOpen),
            ("forced", None) => Self::Forced(true),
            ("not forced", None) => Self::Forced(false),
            ("count", Some(count)) => Self::Number(|seen| seen.report.failure_count.into(), number(count)?),
            ("trips", Some(trips)) => Self::Number(|seen| seen.report.trips.into(), number(trips)?),
            ("calls", Some(calls)) => Self::Number(|seen| seen.report.calls.into(), number(calls)?),
            ("failures", Some(failures)) => {
                Self::Number(|seen| seen.report.failures.into(), number(failures)?)
            }
            ("history", Some(length)) => Self::Number(|seen| seen.look.history.len() as u64, number(length)?),
            ("written", Some(writes)) => Self::Number(|seen| seen.written, number(writes)?),
            ("retry", Some("none")) => Self::Retry(None),
            ("retry", Some(wait)) => Self::Retry(Some(duration::parse(wait)?)),
            ("epoch+", None) => Self::EpochGrew,
            ("epoch", Some("")) => Self::EpochStayed,
            ("ttl", Some("none")) => Self::Ttl(None),
            ("ttl", Some(ttl)) => Self::Ttl(Some(duration::parse(ttl)?)),
            ("absent", None) => Self::Absent,
            ("probing", Some(names)) => Self::Names(|report| &report.probing, names.to_owned()),
            ("cut_off", Some(names)) => Self::Names(|report| &report.cut_off, names.to_owned()),
            ("fails", None) => Self::Failed,
            _ => return Err(format!("{text:?} cannot be expected; README.md names what can")),
        })
    }

    fn compare(&self, seen: &Seen<'_>) -> Result<(), String> {
        match self {
            Self::Told(word, count) => {
                let told = seen.told.iter().filter(|leave| word_of(leave) == *word).count();
                let wanted = count.unwrap_or(seen.told.len());
                holds(told == wanted && !seen.told.is_empty(), || {
                    seen.told.iter().map(word_of).collect::<Vec<_>>().join(" ")
                })
            }
            Self::State(state) => state_everywhere(*state, seen),
            Self::Forced(forced) => holds(seen.report.forced == *forced, || forced_word(seen.report.forced)),
            Self::Number(of, wanted) => holds(of(seen) == *wanted, || of(seen)),
            Self::Retry(wanted) => retry(*wanted, seen),
            Self::EpochGrew => holds(seen.report.epoch > seen.highest_epoch, || {
                format!("{} after {}", seen.report.epoch, seen.highest_epoch)
            }),
            Self::EpochStayed => holds(seen.report.epoch == seen.epoch_before, || {
                format!("{} after {}", seen.report.epoch, seen.epoch_before)
            }),
            Self::Last(words) => last(words, seen.look.history.first()),
            Self::Absent => holds(seen.look.raw.is_none(), || "a value"),
            Self::Ttl(wanted) => {
                holds(about(seen.look.ttl, *wanted, TTL_TOLERANCE), || format!("{:?}", seen.look.ttl))
            }
            Self::Raw(path, wanted) => raw(path, wanted, seen),
            Self::Names(of, wanted) => {
                let names: Vec<&str> = of(seen.report).iter().map(InstanceId::as_str).collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join("+") };
                holds(names == *wanted, || names.clone())
            }
            Self::Failed => holds(seen.failure.is_some(), || "that it was carried out"),
        }
    }
}

fn holds<T: fmt::Display>(holds: bool, seen: impl FnOnce() -> T) -> Result<(), String> {
    if holds { Ok(()) } else { Err(seen().to_string()) }
}

fn word_of(leave: &Leave) -> &'static str {
    match leave {
        Leave::Admitted => "admitted",
        Leave::Probe => "probe",
        Leave::Refused(_) => "refused",
    }
}

const fn forced_word(forced: bool) -> &'static str {
    if forced { "forced" } else { "not forced" }
}

/// The row's instance sees the state, and so does everybody else, if they can reach the store (F1).
fn state_everywhere(state: State, seen: &Seen<'_>) -> Result<(), String> {
    holds(seen.report.state == state, || seen.report.state)?;
    if seen.is_alone {
        return Ok(());
    }
    let others = seen.look.views.iter().filter(|(_, view)| view.connected);
    for (name, view) in others {
        holds(view.report.state == state, || format!("{} by {name}", view.report.state))?;
    }
    Ok(())
}

/// A refused caller is told when to come back; otherwise it is when the open period ends.
fn retry(wanted: Option<Duration>, seen: &Seen<'_>) -> Result<(), String> {
    let refused = seen.told.iter().find_map(|leave| match leave {
        Leave::Refused(retry) => Some(*retry),
        Leave::Admitted | Leave::Probe => None,
    });
    let found = refused.unwrap_or_else(|| seen.report.retry_at.map(|at| at.since(seen.now)));
    holds(about(found, wanted, TOLERANCE + seen.late), || format!("{found:?}"))
}

fn about(found: Option<Duration>, wanted: Option<Duration>, tolerance: Duration) -> bool {
    match (found, wanted) {
        (Some(found), Some(wanted)) => found.abs_diff(wanted) <= tolerance,
        (found, wanted) => found == wanted,
    }
}

/// `CLOSED>OPEN` and further words: the kind, rule, status, type or code of the reason, `why` words, the instance.
fn last(words: &[String], entry: Option<&Transition>) -> Result<(), String> {
    let Some(entry) = entry else { return Err("no entry".to_owned()) };
    let reason = &entry.reason;
    let mut known = vec![
        format!("{}>{}", entry.from, entry.to),
        word::<Cause>(&reason.kind),
        entry.instance.as_str().to_owned(),
    ];
    known.extend(reason.rule.as_ref().map(word::<Rule>));
    known.extend(reason.status.map(|status| status.to_string()));
    known.extend([&reason.error_type, &reason.error_code].into_iter().flatten().cloned());
    known.extend(reason.why.iter().flat_map(|why| why.split_whitespace().map(str::to_owned)));
    holds(words.iter().all(|word| known.contains(word)), || known.join(" "))
}

fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

fn raw(path: &[String], wanted: &str, seen: &Seen<'_>) -> Result<(), String> {
    let found = seen.value.and_then(|value| path.iter().try_fold(value, |value, name| value.get(name)));
    match (found, wanted) {
        (found, "absent") => holds(found.is_none(), || found.map_or(String::new(), Value::to_string)),
        (None, _) => Err("no such field".to_owned()),
        (Some(found), _) => match wanted.strip_prefix("now") {
            Some(offset) => {
                let offset = if offset.is_empty() { 0 } else { duration::parse_signed(offset)? };
                let wanted = Timestamp::from_millis(seen.now.as_millis().saturating_add_signed(offset));
                let found = Timestamp::from_millis(found.as_u64().unwrap_or(0));
                let away = found.since(wanted).max(wanted.since(found));
                holds(away <= TOLERANCE + seen.late, || format!("{found}, which is {away:?} away"))
            }
            None => {
                let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
                holds(text == wanted, || text.clone())
            }
        },
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}
