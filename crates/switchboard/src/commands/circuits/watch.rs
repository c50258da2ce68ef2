//! Watching: every transition as it happens.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use breaker::ModelKey;
use circuits::{Change, HistoryReader, Store as _};

use super::{ADVICE, Seen, view::Told, words};
use crate::output::{Output, printable};

/// Prints transitions until Ctrl-C.
pub(super) async fn watch(output: Output, circuits: &Seen, json: bool) -> anyhow::Result<()> {
    let changes = circuits.store.changes();
    let listing = circuits.store.load_all(&[], true).await.context(ADVICE)?;
    let mut history = HistoryReader::new(listing.time);
    let mut seen: BTreeSet<ModelKey> = listing.values.into_iter().map(|(key, _)| key).collect();
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let keys = match change {
            Change::Key(key) => {
                seen.insert(key.clone());
                vec![key]
            }
            Change::Everything => seen.iter().cloned().collect(),
            Change::Lost(error) => bail!("the connection to Redis was lost: {error}"),
        };
        for key in keys {
            tell(output, circuits, &key, &mut history, json).await?;
        }
    }
}

/// Prints what has come to a circuit's history since it was last looked at.
async fn tell(
    output: Output,
    circuits: &Seen,
    key: &ModelKey,
    history: &mut HistoryReader,
    json: bool,
) -> anyhow::Result<()> {
    for entry in &history.news(&*circuits.store, key).await.context(ADVICE)? {
        if json {
            output.json_line(&Told::of(key, entry))?;
        } else {
            let to = output.paint(words::style(entry.to), entry.to);
            let (at, from) = (words::clock(entry.at), entry.from);
            let (reason, instance) = (printable(&entry.reason.in_short()), &entry.instance);
            output.line(format_args!("{at}  {key}  {from} -> {to}  {reason}  (instance {instance})"))?;
        }
    }
    Ok(())
}
