//! Inspecting: the list, one circuit, its history.

use std::time::Duration;

use anyhow::Context as _;
use breaker::{ModelKey, State, Timestamp, Transition};
use circuits::{Report, Severity, Store as _};
use serde::Serialize;

use super::{
    format,
    reader::{CircuitReader, Entry, READ_ERROR},
};
use crate::{
    output::{Output, printable},
    table::{Cell, LastColumn, Table},
    wrap::wrap,
};

/// How many entries of a history are shown.
const MAX_HISTORY_ENTRIES: usize = 1_000;

/// An entry of the history, for scripts.
#[derive(Serialize)]
pub(super) struct HistoryRow<'a> {
    key: &'a str,
    #[serde(flatten)]
    entry: &'a Transition,
}

impl<'a> HistoryRow<'a> {
    pub(super) fn new(key: &'a ModelKey, entry: &'a Transition) -> Self {
        Self { key: key.as_str(), entry }
    }
}

/// From this width on the history has times, epochs and the states before.
const MIN_WIDE_HISTORY: usize = 120;

/// What the list and the live view say while there are none.
pub(super) const NO_CIRCUITS: &str = "No circuits yet: a circuit appears with the model's first request.";

pub(super) async fn list(output: Output, reader: &CircuitReader, json: bool) -> anyhow::Result<()> {
    let (mut entries, now) = reader.entries().await?;
    entries.sort_by_key(severity_order);
    if json {
        return Ok(output.print_json(&entries)?);
    }
    if entries.is_empty() {
        return Ok(output.print_line(NO_CIRCUITS)?);
    }
    for line in table(output, &entries, now).lines() {
        output.print_line(line)?;
    }
    for entry in &entries {
        if let Entry::Unreadable(skipped) = entry {
            output.print_line(format_args!(
                "skipped circuit_breaker:{}: {}",
                printable(&skipped.key),
                skipped.unreadable
            ))?;
        }
    }
    Ok(())
}

/// Worst first, then by name.
pub(super) fn severity_order(entry: &Entry) -> (Severity, bool, String) {
    match entry {
        Entry::Unreadable(skipped) => (Severity::Failing, false, skipped.key.clone()),
        Entry::Circuit(report) => (report.severity(), true, report.key.to_string()),
    }
}

/// The list, for a time of the store.
pub(super) fn table(output: Output, entries: &[Entry], now: Timestamp) -> Table {
    // The reason gives way first, the model last.
    let mut table = Table::new(output, LastColumn::Shortened, 3, &[(5, 10), (0, 16)]);
    table.add_row(["MODEL", "STATE", "SINCE", "FAILS", "PROBE", "REASON"].map(Cell::new));
    for entry in entries {
        table.add_row(match entry {
            Entry::Circuit(report) => row(report, now),
            Entry::Unreadable(skipped) => {
                [printable(&skipped.key).as_str(), "?", "", "", "", ""].map(Cell::new)
            }
        });
    }
    table
}

/// Once the time of a manual override is over, the circuit is half-open like any other.
const fn state_label(report: &Report) -> &'static str {
    match report.state {
        State::Open if report.forced => "OPEN (forced)",
        state => state.as_str(),
    }
}

fn row(report: &Report, now: Timestamp) -> [Cell; 6] {
    let reason = match report.state {
        State::Closed if report.blocked_sources.is_empty() => String::new(),
        State::Closed => format!("only {} is refused", refused_sources(report)),
        State::Open | State::HalfOpen => printable(&report.explanation),
    };
    [
        Cell::new(&report.key),
        Cell::styled(state_label(report), format::state_style(report.state)),
        Cell::new(format::ago(report.since, now)),
        Cell::new(report.failure_count),
        Cell::new(format::next_probe(report)),
        Cell::new(reason),
    ]
}

pub(super) async fn show(
    output: Output,
    reader: &CircuitReader,
    key: &ModelKey,
    json: bool,
) -> anyhow::Result<()> {
    let (report, now) = reader.load_report(key).await?;
    if json {
        return Ok(output.print_json(&report)?);
    }
    let sentence = format::describe(&report);
    let style = format::state_style(report.state);
    for line in wrap(&format!("{key}: {sentence}"), output.width().unwrap_or(usize::MAX)) {
        output.print_line(output.paint(style, line))?;
    }
    let mut table = Table::new(output, LastColumn::Wrapped, 1, &[(1, 16)]);
    let (calls, failures) = (report.calls, report.failures);
    let rows = [
        ("state", report.state.to_string()),
        (
            "since",
            format!("{} ({})", format::datetime(report.since), format::duration(now.since(report.since))),
        ),
        ("consecutive failures", report.failure_count.to_string()),
        ("last failure", format::datetime(report.last_failure_time)),
        ("in the window", format!("{failures} of {calls} requests failed")),
        ("next probe", report.retry_at.map_or_else(|| "-".to_owned(), format::datetime)),
        ("consecutive trips", report.trips.to_string()),
        ("forced", if report.forced { "yes, manually" } else { "no" }.to_owned()),
        ("active probes", join_instances(&report.probing)),
        ("isolated instances", join_instances(&report.blocked_instances)),
        ("refused sources", refused_sources(&report)),
        ("reason", printable(&report.explanation)),
        ("epoch", report.epoch.to_string()),
        (
            "updated by",
            report.updated_by.as_ref().map_or_else(|| "-".to_owned(), |by| printable(by.as_str())),
        ),
        ("updated at", format::datetime(report.updated_at)),
        ("Redis key", format!("circuit_breaker:{key}")),
    ];
    for (name, value) in rows {
        table.add_row([Cell::new(name), Cell::new(value)]);
    }
    Ok(output.print_line(table.lines().join("\n"))?)
}

/// Whose calls are refused while all others are admitted (B12).
fn refused_sources(report: &Report) -> String {
    let sources: Vec<_> = report.bound_to.iter().chain(&report.blocked_sources).collect();
    if sources.is_empty() {
        return "none".to_owned();
    }
    sources.iter().map(|source| printable(&source.to_string())).collect::<Vec<_>>().join(", ")
}

fn join_instances(instances: &[breaker::InstanceId]) -> String {
    if instances.is_empty() {
        return "none".to_owned();
    }
    instances.iter().map(|instance| printable(instance.as_str())).collect::<Vec<_>>().join(", ")
}

pub(super) async fn history(
    output: Output,
    reader: &CircuitReader,
    key: &ModelKey,
    json: bool,
) -> anyhow::Result<()> {
    let entries = reader.store.history(key, MAX_HISTORY_ENTRIES).await.context(READ_ERROR)?;
    if json {
        let rows: Vec<HistoryRow<'_>> = entries.iter().map(|entry| HistoryRow::new(key, entry)).collect();
        return Ok(output.print_json(&rows)?);
    }
    if entries.is_empty() {
        reader.load_report(key).await?;
        return Ok(output.print_line(format_args!("{key}: no state changes in the last 7 days."))?);
    }
    let now = reader.store.load(key).await.context(READ_ERROR)?.time;
    Ok(output.print_line(history_table(output, &entries, now).lines().join("\n"))?)
}

/// The history, newest first; where the output is narrow, with relative times and without what the next row says.
fn history_table(output: Output, entries: &[Transition], now: Timestamp) -> Table {
    let is_wide = output.width().is_none_or(|width| width >= MIN_WIDE_HISTORY);
    let (last, shrinking): (_, &[_]) =
        if is_wide { (6, &[(6, 30), (4, 16)]) } else { (4, &[(4, 16), (3, 12)]) };
    let mut table = Table::new(output, LastColumn::Wrapped, last, shrinking);
    if is_wide {
        table.add_row(["TIME", "FROM", "TO", "DURATION", "INSTANCE", "EPOCH", "REASON"].map(Cell::new));
    } else {
        table.add_row(["AGO", "TO", "DURATION", "INSTANCE", "REASON"].map(Cell::new));
    }
    let mut until: Option<Timestamp> = None;
    for entry in entries {
        let lasted: Option<Duration> = until.map(|until| until.since(entry.at));
        let to = Cell::styled(entry.to, format::state_style(entry.to));
        let duration = Cell::new(lasted.map_or_else(|| "(current)".to_owned(), format::short_duration));
        let instance = Cell::new(printable(entry.instance.as_str()));
        let reason = Cell::new(printable(&entry.reason.summary()));
        if is_wide {
            let (at, from) = (Cell::new(format::datetime(entry.at)), Cell::new(entry.from));
            table.add_row([at, from, to, duration, instance, Cell::new(entry.epoch), reason]);
        } else {
            table.add_row([Cell::new(format::ago(entry.at, now)), to, duration, instance, reason]);
        }
        until = Some(entry.at);
    }
    table
}

#[cfg(test)]
mod tests {
    use breaker::{Document, External, Policy};

    use super::*;

    #[test]
    fn a_circuit_forced_open_for_a_while_is_half_open_afterwards() {
        let policy = Policy::default();
        let value = br#"{"state":"OPEN","forced":true,"retryAt":2000,"v":1,"epoch":1}"#;
        let (Document::Native(record, _) | Document::External(External { record, .. }, _)) =
            Document::parse(value, &policy)
        else {
            panic!("it can be read")
        };
        for (now, expected) in [(1_999, "OPEN (forced)"), (2_000, "HALF_OPEN")] {
            let now = Timestamp::from_millis(now);
            let report = Report::new(&"openai:gpt-5".parse().unwrap(), &record, &policy, now);
            assert_eq!((report.forced, super::state_label(&report)), (true, expected));
        }
    }

    #[test]
    fn a_closed_circuit_says_whom_it_refuses() {
        let value = br#"{"state":"CLOSED","epoch":1,"seal":{"state":"CLOSED"},
            "window":{"refused":[{"caller":"ci","until":2000}]}}"#;
        let Document::Native(record, _) = Document::parse(value, &Policy::default()) else {
            panic!("it is sealed")
        };
        for (now, expected) in [(1_999, "caller ci"), (2_000, "none")] {
            let now = Timestamp::from_millis(now);
            let report = Report::new(&"openai:gpt-5".parse().unwrap(), &record, &Policy::default(), now);
            assert_eq!(refused_sources(&report), expected);
        }
    }
}
