//! Watching: on a terminal the table of all circuits as it changes, and every transition as it happens; else the
//! transitions alone, a line each.
//!
//! A loss of Redis is said and waited out: whoever watches wants to see what comes after it, too.

use std::{
    collections::HashMap,
    io::{self, IsTerminal as _},
    time::Duration,
};

use anyhow::Context as _;
use breaker::{ModelKey, Timestamp, Transition};
use circuits::{Change, Changes, Listing, Store as _, StoreError, Value};
use tokio::time::Instant;

use super::{
    ADVICE, Entry, Seen,
    view::{self, Told},
    words,
};
use crate::{
    output::{Output, Style, printable},
    screen::{self, Screen, Woken},
};

/// So many entries are looked at after a change; more do not come between two pushes.
const NEWEST: usize = 20;

/// So many transitions stand below the table.
const SHOWN: usize = 10;

/// So many of them stand there however many circuits there are.
const ALWAYS: usize = 4;

/// What counts down is drawn so often.
const TICK: Duration = Duration::from_secs(1);

/// What could not be read is read again so soon.
const AGAIN: Duration = Duration::from_millis(500);

/// Watches until Ctrl-C.
pub(super) async fn watch(output: Output, circuits: &Seen, json: bool) -> anyhow::Result<()> {
    let mut news = News::begin(circuits).await.context(ADVICE)?;
    if io::stdout().is_terminal() && !json {
        return table(output, &mut news).await;
    }
    loop {
        let word = tokio::select! {
            word = news.next() => word,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match word {
            Word::Transitions(transitions) => {
                for (key, entry) in &transitions {
                    if json {
                        output.json_line(&Told::of(key, entry))?;
                    } else {
                        output.line(line(output, key, entry))?;
                    }
                }
            }
            Word::Away(error) => output.note(format_args!("Redis is away: {error}; waiting for it"))?,
            Word::Back => output.note("Redis is back")?,
        }
    }
}

fn line(output: Output, key: &ModelKey, entry: &Transition) -> String {
    let to = output.paint(words::style(entry.to), entry.to);
    let (at, from) = (words::clock(entry.at), entry.from);
    let (reason, instance) = (printable(&entry.reason.in_short()), &entry.instance);
    format!("{at}  {key}  {from} -> {to}  {reason}  (instance {instance})")
}

/// The table, drawn anew at every change and every second.
async fn table(output: Output, news: &mut News<'_>) -> anyhow::Result<()> {
    let mut screen = Screen::enter()?;
    loop {
        screen.draw(&page(output, news, screen::rows()))?;
        tokio::select! {
            _ = news.next() => {}
            woken = screen.wakes(TICK) => if woken == Woken::End { return Ok(()) },
        }
    }
}

fn page(output: Output, news: &News<'_>, rows: usize) -> Vec<String> {
    let now = news.now();
    let place = news.circuits.store.place();
    let title = format!("Circuits in {}   {} UTC   q ends", place.address, words::clock(now));
    let mut lines = vec![output.paint(Style::Strong, title).to_string()];
    if let Some((error, since)) = &news.away {
        let away =
            format!("Redis is away for {}, so this may be old: {error}", words::length(since.elapsed()));
        lines.push(output.paint(Style::Bad, printable(&away)).to_string());
    }
    lines.push(String::new());
    let entries = news.entries(now);
    let table = if entries.is_empty() {
        vec!["There are no circuits yet: a model's circuit appears with its first call.".to_owned()]
    } else {
        view::table(output, &entries).trim_fmt().lines().map(str::to_owned).collect()
    };
    let mut last = vec![String::new(), output.paint(Style::Strong, "LAST TRANSITIONS").to_string()];
    let shown = news.last.iter().rev().take(SHOWN);
    last.extend(shown.map(|(key, entry)| line(output, key, entry)));
    let below = last.len().min(2 + ALWAYS);
    lines.extend(fitted(table, rows.saturating_sub(lines.len() + below)));
    lines.extend(last);
    lines
}

/// A table, its title first, in so many rows: the worst circuits stand first, and the rest is a number.
fn fitted(mut table: Vec<String>, rows: usize) -> Vec<String> {
    let all = table.len();
    if all > rows {
        table.truncate(rows.saturating_sub(1));
        table.push(format!("and {} more", all - table.len().max(1)));
    }
    table
}

/// What there is to tell.
enum Word {
    /// Changes of state, in their order; none: something else changed.
    Transitions(Vec<(ModelKey, Transition)>),
    /// Redis is lost.
    Away(StoreError),
    /// It is there again; what happened meanwhile follows.
    Back,
}

/// The circuits as they stand in the store, and what has come since they were last looked at.
struct News<'a> {
    circuits: &'a Seen,
    changes: Changes,
    values: HashMap<ModelKey, Value>,
    /// The store's time, and when that was.
    time: (Timestamp, Instant),
    /// The epoch up to which each circuit's history was told.
    told: HashMap<ModelKey, u64>,
    /// The last transitions, oldest first.
    last: Vec<(ModelKey, Transition)>,
    /// Why and since when Redis is away.
    away: Option<(StoreError, Instant)>,
    /// What is to be read, as soon as Redis is there.
    owed: Option<Change>,
}

impl<'a> News<'a> {
    async fn begin(circuits: &'a Seen) -> Result<Self, StoreError> {
        let changes = circuits.store.changes();
        let time = (Timestamp::NEVER, Instant::now());
        let mut news = Self {
            circuits,
            changes,
            values: HashMap::new(),
            time,
            told: HashMap::new(),
            last: Vec::new(),
            away: None,
            owed: None,
        };
        news.last = news.read_everything().await?;
        // What is there at the beginning is no news.
        news.mark(&news.last.clone());
        news.keep_last();
        Ok(news)
    }

    /// The store's time.
    fn now(&self) -> Timestamp {
        self.time.0 + self.time.1.elapsed()
    }

    /// All circuits, as they are at a moment; worst first.
    fn entries(&self, now: Timestamp) -> Vec<Entry> {
        let entries = self.values.iter().filter_map(|(key, value)| self.circuits.entry(key, value, now));
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(view::rank);
        entries
    }

    /// Waits for news. Can be dropped at any time: what was begun is begun again.
    async fn next(&mut self) -> Word {
        loop {
            if self.owed.is_none() {
                self.owed = Some(self.changes.next().await);
            }
            let read = match self.owed.clone() {
                Some(Change::Key(key)) => self.read(&key).await,
                Some(Change::Lost(error)) => Err(error),
                Some(Change::Everything) | None => self.read_everything().await,
            };
            match read {
                Ok(_) if self.away.take().is_some() => {
                    // Read once more, now to be told.
                    self.owed = Some(Change::Everything);
                    return Word::Back;
                }
                Ok(transitions) => {
                    self.owed = None;
                    self.mark(&transitions);
                    self.last.extend(transitions.iter().cloned());
                    self.keep_last();
                    return Word::Transitions(transitions);
                }
                Err(error) => {
                    self.owed = Some(Change::Everything);
                    let first = self.away.is_none();
                    let since = self.away.take().map_or_else(Instant::now, |(_, since)| since);
                    self.away = Some((error.clone(), since));
                    if first {
                        return Word::Away(error);
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn mark(&mut self, transitions: &[(ModelKey, Transition)]) {
        for (key, entry) in transitions {
            let told = self.told.entry(key.clone()).or_default();
            *told = (*told).max(entry.epoch);
        }
    }

    fn keep_last(&mut self) {
        self.last.sort_by_key(|(_, entry)| (entry.at, entry.epoch));
        let surplus = self.last.len().saturating_sub(SHOWN);
        self.last.drain(..surplus);
    }

    async fn read_everything(&mut self) -> Result<Vec<(ModelKey, Transition)>, StoreError> {
        let Listing { values, time } = self.circuits.store.load_all(&[], true).await?;
        self.time = (time, Instant::now());
        let mut transitions = Vec::new();
        // One that is gone may have been reset.
        let known: Vec<ModelKey> = self.told.keys().cloned().collect();
        self.values = values.into_iter().collect();
        for key in self.values.keys().chain(known.iter().filter(|key| !self.values.contains_key(*key))) {
            transitions.extend(news_of(self.circuits, key, self.told.get(key)).await?);
        }
        transitions.sort_by_key(|(_, entry)| (entry.at, entry.epoch));
        Ok(transitions)
    }

    async fn read(&mut self, key: &ModelKey) -> Result<Vec<(ModelKey, Transition)>, StoreError> {
        let loaded = self.circuits.store.load(key).await?;
        let transitions = news_of(self.circuits, key, self.told.get(key)).await?;
        self.time = (loaded.time, Instant::now());
        self.values.insert(key.clone(), loaded.value);
        Ok(transitions)
    }
}

/// What has come to a circuit's history since it was told, oldest first.
async fn news_of(
    circuits: &Seen,
    key: &ModelKey,
    told: Option<&u64>,
) -> Result<Vec<(ModelKey, Transition)>, StoreError> {
    let mut entries = circuits.store.history(key, NEWEST).await?;
    entries.reverse();
    let told = told.copied().unwrap_or(0);
    Ok(entries.into_iter().filter(|entry| entry.epoch > told).map(|entry| (key.clone(), entry)).collect())
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn circuits_that_have_no_room_are_a_number() {
        let table: Vec<String> = ["MODEL", "a", "b", "c"].map(str::to_owned).into();
        assert_eq!(fitted(table.clone(), 4), table);
        assert_eq!(fitted(table.clone(), 3), ["MODEL", "a", "and 2 more"]);
        assert_eq!(fitted(table.clone(), 1), ["and 3 more"]);
        assert_eq!(fitted(table, 0), ["and 3 more"]);
    }
}
