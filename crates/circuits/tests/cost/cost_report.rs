//! What Redis did between two snapshots.

use std::collections::BTreeMap;

/// Calls of each command since the server's start, by `INFO commandstats`, which includes commands in scripts.
pub(crate) type CommandCounts = BTreeMap<String, u64>;

/// Commands that keep the connections alive or take the snapshots.
const IGNORED_COMMANDS: [&str; 4] = ["ping", "info", "hello", "client"];

/// Commands that only the scripts run.
const SCRIPT_ONLY_COMMANDS: [&str; 9] =
    ["type", "strlen", "get", "set", "del", "xadd", "xrevrange", "pexpire", "persist"];

/// The cost of one step.
#[derive(Debug, Default)]
pub(crate) struct CostReport {
    label: String,
    /// Commands that instances sent.
    pub(crate) sent: u64,
    /// Writes that were done.
    pub(crate) writes: u64,
    /// Commands that Redis ran inside scripts.
    in_scripts: u64,
    /// Pushes to all instances.
    pushes: u64,
}

pub(crate) fn parse_command_stats(stats: &str) -> CommandCounts {
    let lines = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
    let counts = lines.filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let calls: u64 = rest.strip_prefix("calls=")?.split(',').next()?.parse().ok()?;
        let name = name.split('|').next()?;
        (!IGNORED_COMMANDS.contains(&name)).then(|| (name.to_owned(), calls))
    });
    counts.fold(CommandCounts::new(), |mut sums, (name, calls)| {
        *sums.entry(name).or_default() += calls;
        sums
    })
}

impl CostReport {
    pub(crate) fn new(what: String, before: &CommandCounts, after: &CommandCounts, pushes: u64) -> Self {
        let spent = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
        let all: u64 = after.keys().map(|name| spent(name)).sum();
        // Each script reads the clock once; the other reads are an instance's own.
        let inside = SCRIPT_ONLY_COMMANDS.iter().map(|name| spent(name)).sum::<u64>() + spent("evalsha");
        Self {
            label: what,
            sent: all - inside,
            writes: spent("set") + spent("del"),
            in_scripts: inside,
            pushes,
        }
    }

    pub(crate) fn sum(what: &str, reports: &[Self]) -> Self {
        reports.iter().fold(Self { label: what.to_owned(), ..Self::default() }, |sum, bill| Self {
            sent: sum.sent + bill.sent,
            writes: sum.writes + bill.writes,
            in_scripts: sum.in_scripts + bill.in_scripts,
            pushes: sum.pushes + bill.pushes,
            ..sum
        })
    }

    pub(crate) fn table<'a>(reports: impl Iterator<Item = &'a Self>) -> String {
        let head = "| | commands sent | writes among them | run inside of scripts | pushes |\n| --- | --- | --- | --- | --- |\n";
        let rows = reports.map(|Self { label: what, sent, writes, in_scripts: inside, pushes }| {
            format!("| {what} | {sent} | {writes} | {inside} | {pushes} |\n")
        });
        head.chars().chain(rows.collect::<String>().chars()).collect()
    }
}
