//! Watching: on a terminal a live table of all circuits and the last transitions; when piped, one line per
//! transition.
//!
//! A lost connection to Redis is reported, and the watch goes on once it is back.

use std::{
    collections::HashMap,
    io::{self, IsTerminal as _},
    time::Duration,
};

use anyhow::Context as _;
use breaker::{ModelKey, Timestamp, Transition};
use circuits::{ChangeNotification, Changes, Listing, Store as _, StoreError, Value};
use tokio::time::Instant;

use super::{
    format,
    reader::{CircuitReader, Entry, READ_ERROR},
    view::{self, HistoryRow},
};
use crate::{
    output::{Output, Style, printable},
    screen::{self, Screen, ScreenEvent},
};

/// How many entries are read after a change; no more come between two notifications.
const MAX_HISTORY_READ: usize = 20;

/// How many transitions are listed below the table.
const MAX_RECENT_TRANSITIONS: usize = 10;

/// How many of them are listed however many circuits there are.
const MIN_RECENT_TRANSITIONS: usize = 4;

/// Countdowns are redrawn this often.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);

/// How soon a failed read is retried.
const READ_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Watches until Ctrl-C.
pub(super) async fn watch(output: Output, reader: &CircuitReader, json: bool) -> anyhow::Result<()> {
    let mut watcher = CircuitWatcher::start(reader).await.context(READ_ERROR)?;
    if io::stdout().is_terminal() && !json {
        return run_table(output, &mut watcher).await;
    }
    loop {
        let event = tokio::select! {
            event = watcher.next() => event,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match event {
            WatchEvent::Transitions(transitions) => {
                for (key, entry) in &transitions {
                    if json {
                        output.print_json_line(&HistoryRow::new(key, entry))?;
                    } else {
                        output.print_line(transition_line(output, key, entry))?;
                    }
                }
            }
            WatchEvent::Disconnected(error) => {
                output.print_note(format_args!("Redis unreachable: {error}; waiting for it"))?;
            }
            WatchEvent::Reconnected => output.print_note("Redis reachable again")?,
        }
    }
}

fn transition_line(output: Output, key: &ModelKey, entry: &Transition) -> String {
    let to = output.paint(format::state_style(entry.to), entry.to);
    let (at, from) = (format::time_of_day(entry.at), entry.from);
    let (reason, instance) = (printable(&entry.reason.summary()), printable(entry.instance.as_str()));
    format!("{at}  {key}  {from} -> {to}  {reason}  (instance {instance})")
}

/// The table, redrawn at every change and every second.
async fn run_table(output: Output, watcher: &mut CircuitWatcher<'_>) -> anyhow::Result<()> {
    let mut screen = Screen::enter()?;
    loop {
        screen.draw(&render(output, watcher, screen::rows()))?;
        tokio::select! {
            _ = watcher.next() => {}
            woken = screen.next_event(REDRAW_INTERVAL) => if woken == ScreenEvent::Quit { return Ok(()) },
        }
    }
}

fn render(output: Output, watcher: &CircuitWatcher<'_>, rows: usize) -> Vec<String> {
    let now = watcher.now();
    let store_info = watcher.reader.store.info();
    let title = format!("Circuits in {}   {} UTC   q: quit", store_info.address, format::time_of_day(now));
    let mut lines = vec![output.paint(Style::Strong, title).to_string()];
    if let Some((error, since)) = &watcher.outage {
        let message = format!(
            "Redis unreachable for {} – showing last known state: {error}",
            format::duration(since.elapsed())
        );
        lines.push(output.paint(Style::Bad, printable(&message)).to_string());
    }
    lines.push(String::new());
    let entries = watcher.entries(now);
    let table = if entries.is_empty() {
        vec![view::NO_CIRCUITS.to_owned()]
    } else {
        view::table(output, &entries).lines()
    };
    let mut last = vec![String::new(), output.paint(Style::Strong, "LAST TRANSITIONS").to_string()];
    let shown = watcher.recent.iter().rev().take(MAX_RECENT_TRANSITIONS);
    last.extend(shown.map(|(key, entry)| transition_line(output, key, entry)));
    let below = last.len().min(2 + MIN_RECENT_TRANSITIONS);
    lines.extend(fit_rows(table, rows.saturating_sub(lines.len() + below)));
    lines.extend(last);
    lines
}

/// The header and the first rows, the worst circuits, with a count of the others.
fn fit_rows(mut table: Vec<String>, rows: usize) -> Vec<String> {
    let all = table.len();
    if all > rows {
        table.truncate(rows.saturating_sub(1));
        table.push(format!("and {} more", all - table.len().max(1)));
    }
    table
}

/// What the watch reports.
enum WatchEvent {
    /// State changes, in order; empty: something else changed.
    Transitions(Vec<(ModelKey, Transition)>),
    /// The connection to Redis is lost.
    Disconnected(StoreError),
    /// It is back; the transitions in between follow.
    Reconnected,
}

/// The circuits in the store, and what has changed since the last look.
struct CircuitWatcher<'a> {
    reader: &'a CircuitReader,
    changes: Changes,
    values: HashMap<ModelKey, Value>,
    /// The store's time, and when that was.
    time: (Timestamp, Instant),
    /// The last reported epoch of each circuit.
    reported_epochs: HashMap<ModelKey, u64>,
    /// The last transitions, oldest first.
    recent: Vec<(ModelKey, Transition)>,
    /// Why and since when Redis is unreachable.
    outage: Option<(StoreError, Instant)>,
    /// What to read as soon as Redis is reachable.
    pending: Option<ChangeNotification>,
}

impl<'a> CircuitWatcher<'a> {
    async fn start(reader: &'a CircuitReader) -> Result<Self, StoreError> {
        let changes = reader.store.changes();
        let time = (Timestamp::NEVER, Instant::now());
        let mut watcher = Self {
            reader,
            changes,
            values: HashMap::new(),
            time,
            reported_epochs: HashMap::new(),
            recent: Vec::new(),
            outage: None,
            pending: None,
        };
        watcher.recent = watcher.read_all().await?;
        // Transitions from before the start are not reported.
        watcher.mark_reported(&watcher.recent.clone());
        watcher.trim_recent();
        Ok(watcher)
    }

    /// The store's time.
    fn now(&self) -> Timestamp {
        self.time.0 + self.time.1.elapsed()
    }

    /// All circuits at a point in time, worst first.
    fn entries(&self, now: Timestamp) -> Vec<Entry> {
        let entries = self.values.iter().filter_map(|(key, value)| self.reader.parse_entry(key, value, now));
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(view::severity_order);
        entries
    }

    /// Waits for the next event. Cancel safe: an interrupted read is repeated.
    async fn next(&mut self) -> WatchEvent {
        loop {
            if self.pending.is_none() {
                self.pending = Some(self.changes.next().await);
            }
            let read = match self.pending.clone() {
                Some(ChangeNotification::Key(key) | ChangeNotification::State(key)) => {
                    self.read_circuit(&key).await
                }
                Some(ChangeNotification::Lost(error)) => Err(error),
                Some(ChangeNotification::Everything) | None => self.read_all().await,
            };
            match read {
                Ok(_) if self.outage.take().is_some() => {
                    // Read once more, to report the transitions.
                    self.pending = Some(ChangeNotification::Everything);
                    return WatchEvent::Reconnected;
                }
                Ok(transitions) => {
                    self.pending = None;
                    self.mark_reported(&transitions);
                    self.recent.extend(transitions.iter().cloned());
                    self.trim_recent();
                    return WatchEvent::Transitions(transitions);
                }
                Err(error) => {
                    self.pending = Some(ChangeNotification::Everything);
                    let first = self.outage.is_none();
                    let since = self.outage.take().map_or_else(Instant::now, |(_, since)| since);
                    self.outage = Some((error.clone(), since));
                    if first {
                        return WatchEvent::Disconnected(error);
                    }
                    tokio::time::sleep(READ_RETRY_DELAY).await;
                }
            }
        }
    }

    fn mark_reported(&mut self, transitions: &[(ModelKey, Transition)]) {
        for (key, entry) in transitions {
            let reported_epoch = self.reported_epochs.entry(key.clone()).or_default();
            *reported_epoch = (*reported_epoch).max(entry.epoch);
        }
    }

    fn trim_recent(&mut self) {
        self.recent.sort_by_key(|(_, entry)| (entry.at, entry.epoch));
        let surplus = self.recent.len().saturating_sub(MAX_RECENT_TRANSITIONS);
        self.recent.drain(..surplus);
    }

    async fn read_all(&mut self) -> Result<Vec<(ModelKey, Transition)>, StoreError> {
        let Listing { values, time } = self.reader.store.load_all(&[], true).await?;
        self.time = (time, Instant::now());
        let mut transitions = Vec::new();
        // A circuit that is gone may have been reset.
        let known: Vec<ModelKey> = self.reported_epochs.keys().cloned().collect();
        self.values = values.into_iter().collect();
        for key in self.values.keys().chain(known.iter().filter(|key| !self.values.contains_key(*key))) {
            transitions.extend(new_transitions(self.reader, key, self.reported_epochs.get(key)).await?);
        }
        transitions.sort_by_key(|(_, entry)| (entry.at, entry.epoch));
        Ok(transitions)
    }

    async fn read_circuit(&mut self, key: &ModelKey) -> Result<Vec<(ModelKey, Transition)>, StoreError> {
        let loaded = self.reader.store.load(key).await?;
        let transitions = new_transitions(self.reader, key, self.reported_epochs.get(key)).await?;
        self.time = (loaded.time, Instant::now());
        self.values.insert(key.clone(), loaded.value);
        Ok(transitions)
    }
}

/// A circuit's transitions that are not reported yet, oldest first.
async fn new_transitions(
    reader: &CircuitReader,
    key: &ModelKey,
    reported_epoch: Option<&u64>,
) -> Result<Vec<(ModelKey, Transition)>, StoreError> {
    let mut entries = reader.store.history(key, MAX_HISTORY_READ).await?;
    entries.reverse();
    let reported_epoch = reported_epoch.copied().unwrap_or(0);
    Ok(entries
        .into_iter()
        .filter(|entry| entry.epoch > reported_epoch)
        .map(|entry| (key.clone(), entry))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::fit_rows;

    #[test]
    fn circuits_beyond_the_last_row_are_counted() {
        let table: Vec<String> = ["MODEL", "a", "b", "c"].map(str::to_owned).into();
        assert_eq!(fit_rows(table.clone(), 4), table);
        assert_eq!(fit_rows(table.clone(), 3), ["MODEL", "a", "and 2 more"]);
        assert_eq!(fit_rows(table.clone(), 1), ["and 3 more"]);
        assert_eq!(fit_rows(table, 0), ["and 3 more"]);
    }
}
