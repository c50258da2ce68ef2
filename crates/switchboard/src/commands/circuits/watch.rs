//! Watching: every transition as it happens.

use std::collections::HashMap;

use anyhow::{Context as _, bail};
use breaker::ModelKey;
use circuits::{Change, Store as _};

use super::{ADVICE, Entry, Seen, view::Told, words};
use crate::output::{Output, printable};

/// So many entries are looked at after a change; more do not come between two pushes.
const NEWEST: usize = 20;

/// Prints transitions until Ctrl-C.
pub(super) async fn watch(output: Output, circuits: &Seen, json: bool) -> anyhow::Result<()> {
    let changes = circuits.store.changes();
    let mut seen: HashMap<ModelKey, u64> = HashMap::new();
    for entry in circuits.entries().await? {
        if let Entry::Circuit(report) = entry {
            let newest = circuits.store.history(&report.key, 1).await.context(ADVICE)?;
            let newest = newest.first().map_or(0, |entry| entry.epoch);
            seen.insert(report.key.clone(), newest.max(report.epoch));
        }
    }
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let keys = match change {
            Change::Key(key) => vec![key],
            Change::Everything => seen.keys().cloned().collect(),
            Change::Lost(error) => bail!("the connection to Redis was lost: {error}"),
        };
        for key in keys {
            tell(output, circuits, &key, &mut seen, json).await?;
        }
    }
}

/// Prints what has come to a circuit's history since it was last looked at.
async fn tell(
    output: Output,
    circuits: &Seen,
    key: &ModelKey,
    seen: &mut HashMap<ModelKey, u64>,
    json: bool,
) -> anyhow::Result<()> {
    let mut entries = circuits.store.history(key, NEWEST).await.context(ADVICE)?;
    entries.reverse();
    let last = seen.entry(key.clone()).or_default();
    for entry in entries.iter().filter(|entry| entry.epoch > *last) {
        if json {
            output.json_line(&Told::of(key, entry))?;
        } else {
            let to = output.paint(words::style(entry.to), entry.to);
            let (at, from) = (words::clock(entry.at), entry.from);
            let (reason, instance) = (printable(&entry.reason.in_short()), &entry.instance);
            output.line(format_args!("{at}  {key}  {from} -> {to}  {reason}  (instance {instance})"))?;
        }
    }
    if let Some(newest) = entries.last() {
        *last = (*last).max(newest.epoch);
    }
    Ok(())
}
