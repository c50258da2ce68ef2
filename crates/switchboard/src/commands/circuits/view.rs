//! Looking: the list, one circuit, its history.

use std::time::Duration;

use anyhow::Context as _;
use breaker::{ModelKey, State, Timestamp, Transition};
use circuits::{Report, Severity, Store as _};
use comfy_table::{Cell, Color, Table, TableStyle};
use serde::Serialize;

use super::{ADVICE, Entry, Seen, words};
use crate::output::{Output, printable};

/// So many entries of a history are shown.
const HISTORY: usize = 1_000;

/// An entry of the history, for scripts.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    key: &'a str,
    #[serde(flatten)]
    entry: &'a Transition,
}

impl<'a> Told<'a> {
    pub(super) fn of(key: &'a ModelKey, entry: &'a Transition) -> Self {
        Self { key: key.as_str(), entry }
    }
}

pub(super) async fn list(output: Output, circuits: &Seen, json: bool) -> anyhow::Result<()> {
    let mut entries = circuits.entries().await?;
    entries.sort_by_key(rank);
    if json {
        return Ok(output.json(&entries)?);
    }
    if entries.is_empty() {
        return Ok(output.line("There are no circuits yet: a model's circuit appears with its first call.")?);
    }
    output.line(table(output, &entries).trim_fmt())?;
    for entry in &entries {
        if let Entry::Odd(odd) = entry {
            output.line(format_args!("circuit_breaker:{} is {}", odd.key, odd.unreadable))?;
        }
    }
    Ok(())
}

/// Worst first, then by name.
pub(super) fn rank(entry: &Entry) -> (Severity, bool, String) {
    match entry {
        Entry::Odd(odd) => (Severity::Failing, false, odd.key.clone()),
        Entry::Circuit(report) => (report.severity(), true, report.key.to_string()),
    }
}

pub(super) fn table(output: Output, entries: &[Entry]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header(["MODEL", "STATE", "FAILURES", "RETRY IN", "REASON", "SINCE"]);
    for entry in entries {
        table.add_row(match entry {
            Entry::Circuit(report) => row(output, report),
            Entry::Odd(odd) => [odd.key.as_str(), "?", "", "", "", ""].map(Cell::new),
        });
    }
    table
}

/// A person's word holds until its end; then the next call is a probe, as of any open circuit (DESIGN 1.1).
const fn state(report: &Report) -> &'static str {
    match report.state {
        State::Open if report.forced => "OPEN (forced)",
        state => state.as_str(),
    }
}

fn row(output: Output, report: &Report) -> [Cell; 6] {
    let colour = match report.state {
        State::Closed => Color::Green,
        State::Open => Color::Red,
        State::HalfOpen => Color::Yellow,
    };
    let state = Cell::new(state(report));
    let reason = if report.state == State::Closed { String::new() } else { printable(&report.explanation) };
    [
        Cell::new(&report.key),
        if output.colour() { state.fg(colour) } else { state },
        Cell::new(report.failure_count),
        Cell::new(words::retry(report)),
        Cell::new(reason),
        Cell::new(words::date(report.since)),
    ]
}

pub(super) async fn show(output: Output, circuits: &Seen, key: &ModelKey, json: bool) -> anyhow::Result<()> {
    let (report, now) = circuits.one(key).await?;
    if json {
        return Ok(output.json(&report)?);
    }
    let sentence = words::sentence(&report, now);
    output.line(format_args!("{key}: {}", output.paint(words::style(report.state), sentence)))?;
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    let (calls, failures) = (report.calls, report.failures);
    let rows = [
        ("state", report.state.to_string()),
        ("since", format!("{} ({})", words::date(report.since), words::length(now.since(report.since)))),
        ("failures in a row", report.failure_count.to_string()),
        ("last failure", words::date(report.last_failure_time)),
        ("in the window", format!("{failures} of {calls} calls failed")),
        ("retry at", report.retry_at.map_or_else(|| "-".to_owned(), words::date)),
        ("trips in a row", report.trips.to_string()),
        ("forced", if report.forced { "yes, by hand" } else { "no" }.to_owned()),
        ("probing", names(&report.probing)),
        ("cut off", names(&report.cut_off)),
        ("reason", printable(&report.explanation)),
        ("epoch", report.epoch.to_string()),
        ("written by", report.updated_by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)),
        ("written at", words::date(report.updated_at)),
        ("in Redis", format!("circuit_breaker:{key}")),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    Ok(output.line(table.trim_fmt())?)
}

fn names(instances: &[breaker::InstanceId]) -> String {
    if instances.is_empty() {
        return "nobody".to_owned();
    }
    instances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) async fn history(
    output: Output,
    circuits: &Seen,
    key: &ModelKey,
    json: bool,
) -> anyhow::Result<()> {
    let entries = circuits.store.history(key, HISTORY).await.context(ADVICE)?;
    if json {
        let told: Vec<Told<'_>> = entries.iter().map(|entry| Told::of(key, entry)).collect();
        return Ok(output.json(&told)?);
    }
    if entries.is_empty() {
        circuits.one(key).await?;
        return Ok(output.line(format_args!("{key} has no transitions in the last 7 days."))?);
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header(["AT", "FROM", "TO", "FOR", "REASON", "INSTANCE", "EPOCH"]);
    let mut until: Option<Timestamp> = None;
    for entry in entries {
        let lasted: Option<Duration> = until.map(|until| until.since(entry.at));
        table.add_row([
            words::date(entry.at),
            entry.from.to_string(),
            entry.to.to_string(),
            lasted.map_or_else(|| "still".to_owned(), words::length),
            printable(&entry.reason.in_short()),
            entry.instance.to_string(),
            entry.epoch.to_string(),
        ]);
        until = Some(entry.at);
    }
    Ok(output.line(table.trim_fmt())?)
}

#[cfg(test)]
mod tests {
    use breaker::{Document, Policy};

    use super::*;

    #[test]
    fn what_a_person_opened_for_a_while_is_half_open_after_it() {
        let policy = Policy::default();
        let value = br#"{"state":"OPEN","forced":true,"retryAt":2000,"v":1,"epoch":1}"#;
        let (Document::Ours(record, _) | Document::Foreign(record, _)) = Document::parse(value, &policy)
        else {
            panic!("it can be read")
        };
        for (now, expected) in [(1_999, "OPEN (forced)"), (2_000, "HALF_OPEN")] {
            let now = Timestamp::from_millis(now);
            let report = Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now);
            assert_eq!((report.forced, super::state(&report)), (true, expected));
        }
    }
}
