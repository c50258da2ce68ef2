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
    operate::OperatorSession,
    reader::{CircuitReader, Entry, READ_ERROR},
    view::{self, HistoryRow},
    watch_view::{KEY_HINT, Override, Request, WatchView},
};
use crate::{
    commands::Session,
    output::{Output, Style, printable},
    screen::{self, Screen, ScreenEvent},
    table::{Cell, LastColumn, Table},
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
pub(super) async fn watch(
    session: &Session,
    output: Output,
    reader: &CircuitReader,
    json: bool,
) -> anyhow::Result<()> {
    let mut watcher = CircuitWatcher::start(reader).await.context(READ_ERROR)?;
    if io::stdout().is_terminal() && !json {
        return run_table(session, output, &mut watcher).await;
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

/// The table, redrawn at every change, key and second.
async fn run_table(
    session: &Session,
    output: Output,
    watcher: &mut CircuitWatcher<'_>,
) -> anyhow::Result<()> {
    let mut screen = Screen::enter()?;
    let mut view = WatchView::default();
    loop {
        let now = watcher.now();
        let entries = view.arrange(watcher.entries(now));
        // The terminal may have been resized; its lines are cut here, however long they are.
        let output = output.with_width(screen::columns());
        screen.draw(&render(output, watcher, &view, &entries, screen::rows()))?;
        let key = tokio::select! {
            _ = watcher.next() => continue,
            event = screen.next_event(REDRAW_INTERVAL) => match event {
                ScreenEvent::Quit => return Ok(()),
                ScreenEvent::Redraw => continue,
                ScreenEvent::Key(key) => key,
            },
        };
        match view.on_key(key, &entries) {
            Some(Request::Quit) => return Ok(()),
            Some(Request::Apply(action, key)) => {
                view.message = match apply(session, watcher.reader, action, &key).await {
                    Ok(()) => {
                        format!("{key}: {}", if action == Override::Open { "forced open" } else { "closed" })
                    }
                    Err(error) => format!("{key}: {error}"),
                };
            }
            None => {}
        }
    }
}

async fn apply(
    session: &Session,
    reader: &CircuitReader,
    action: Override,
    key: &ModelKey,
) -> anyhow::Result<()> {
    let operator = OperatorSession {
        output: session.output,
        json: false,
        environment: &session.environment,
        reader,
        key,
    };
    match action {
        Override::Open => operator.apply_open(None, None).await,
        Override::Close => operator.apply_close(None).await,
    }
}

fn render(
    output: Output,
    watcher: &CircuitWatcher<'_>,
    view: &WatchView,
    entries: &[Entry],
    rows: usize,
) -> Vec<String> {
    let now = watcher.now();
    let store_info = watcher.reader.store.info();
    let title = format!("{KEY_HINT}   {} UTC   {}", format::time_of_day(now), store_info.address);
    let mut lines = vec![output.paint(Style::Strong, title).to_string()];
    if let Some((error, since)) = &watcher.outage {
        let message = format!(
            "Redis unreachable for {} – showing last known state: {error}",
            format::duration(since.elapsed())
        );
        lines.push(output.paint(Style::Bad, printable(&message)).to_string());
    }
    lines.extend(view.status().iter().map(|line| printable(line)));
    lines.push(String::new());
    let table = if entries.is_empty() {
        vec![vec![view::NO_CIRCUITS.to_owned()]]
    } else {
        let narrower = output.with_width(output.width().map(|width| width.saturating_sub(MARK.len())));
        let rows = view::table(narrower, entries, now).lines_by_row();
        // The head comes before the first circuit.
        rows.into_iter().enumerate().map(|(at, row)| mark(row, at == view.selected + 1)).collect()
    };
    let mut last = vec![String::new(), output.paint(Style::Strong, "LAST TRANSITIONS").to_string()];
    last.extend(transitions_table(output, &watcher.recent, now).lines());
    let below = last.len().min(2 + MIN_RECENT_TRANSITIONS);
    lines.extend(fit_rows(&table, rows.saturating_sub(lines.len() + below), view.selected + 1));
    lines.extend(last);
    lines
}

/// Before the selected circuit; before the others as many blanks.
const MARK: &str = "> ";

fn mark(row: Vec<String>, is_selected: bool) -> Vec<String> {
    let lines = row.into_iter().enumerate();
    lines.map(|(at, line)| format!("{}{line}", if is_selected && at == 0 { MARK } else { "  " })).collect()
}

/// The last transitions, the newest first.
fn transitions_table(output: Output, recent: &[(ModelKey, Transition)], now: Timestamp) -> Table {
    let mut table = Table::new(output, LastColumn::Shortened, 3, &[(3, 12), (1, 16)]);
    for (key, entry) in recent.iter().rev().take(MAX_RECENT_TRANSITIONS) {
        table.add_row([
            Cell::new(format::ago(entry.at, now)),
            Cell::new(key),
            Cell::styled(format!("→ {}", entry.to), format::state_style(entry.to)),
            Cell::new(printable(&entry.reason.summary())),
        ]);
    }
    table
}

/// The head and the first rows, or those up to the selected one, with a count of the others.
fn fit_rows(table: &[Vec<String>], lines: usize, selected: usize) -> Vec<String> {
    if table.iter().map(Vec::len).sum::<usize>() <= lines {
        return table.concat();
    }
    let Some((head, rows)) = table.split_first() else { return Vec::new() };
    let lines = lines.saturating_sub(head.len() + 1);
    let height = rows.first().map_or(1, Vec::len).max(1);
    let shown = lines / height;
    let first = selected.saturating_sub(shown).min(rows.len().saturating_sub(shown));
    let visible = &rows[first..(first + shown).min(rows.len())];
    let more = format!("and {} more", rows.len() - visible.len());
    [head.clone(), visible.concat(), vec![more]].concat()
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

    /// All circuits at a point in time, in no order.
    fn entries(&self, now: Timestamp) -> Vec<Entry> {
        self.values.iter().filter_map(|(key, value)| self.reader.parse_entry(key, value, now)).collect()
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
        let table = ["MODEL", "a", "b", "c"].map(|row| vec![row.to_owned()]);
        for (lines, selected, expected) in [
            (4, 1, &["MODEL", "a", "b", "c"][..]),
            (3, 1, &["MODEL", "a", "and 2 more"]),
            (3, 3, &["MODEL", "c", "and 2 more"]),
            (1, 1, &["MODEL", "and 3 more"]),
            (0, 1, &["MODEL", "and 3 more"]),
        ] {
            assert_eq!(fit_rows(&table, lines, selected), expected, "{lines} {selected}");
        }
    }
}
