//! Reading the tables out of Markdown.

use std::{fs, path::Path, time::Duration};

use breaker::Policy;

use crate::{duration, event::Event, expectation::Expectation, policy};

/// One scenario: a heading, what it is about, and its rows.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) file: String,
    pub(crate) title: String,
    pub(crate) policy: Policy,
    pub(crate) runs_on: RunsOn,
    pub(crate) rows: Vec<Row>,
}

/// What a scenario runs on: the core alone, or also a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunsOn {
    /// All of them.
    All,
    /// The circuits over a store.
    Stores,
    /// Real Redis alone.
    Redis,
}

/// One row of a table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// Since the scenario's start.
    pub(crate) time: Duration,
    pub(crate) who: Vec<String>,
    pub(crate) event: Event,
    pub(crate) expected: Vec<Expectation>,
}

impl Scenario {
    /// The name of its test, for one runner.
    pub(crate) fn test_name(&self, runner: &str) -> String {
        let words: Vec<String> = self
            .title
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        format!("{runner}::{}::{}", self.file.trim_end_matches(".md"), words.join("_"))
    }
}

/// All scenarios of a directory's Markdown files, by file and line.
pub(crate) fn read_all(directory: &Path) -> Result<Vec<Scenario>, String> {
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md"))
        .collect();
    files.sort();
    let mut scenarios = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        scenarios.extend(read_file(&name, &text)?);
    }
    Ok(scenarios)
}

fn read_file(file: &str, text: &str) -> Result<Vec<Scenario>, String> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let at = |message: String| format!("{file}:{number}: {message}");
        if let Some(title) = line.strip_prefix("## ") {
            scenarios.push(Scenario {
                file: file.to_owned(),
                title: title.trim().to_owned(),
                policy: policy::table_policy(),
                runs_on: RunsOn::All,
                rows: Vec::new(),
            });
        }
        let Some(scenario) = scenarios.last_mut() else { continue };
        if let Some(settings) = line.strip_prefix("policy: ") {
            policy::apply_settings(&mut scenario.policy, settings).map_err(at)?;
        } else if let Some(runners) = line.strip_prefix("runs on: ") {
            scenario.runs_on = match runners.trim() {
                "stores" => RunsOn::Stores,
                "redis" => RunsOn::Redis,
                other => return Err(at(format!("a scenario runs on stores or redis, not on {other:?}"))),
            };
        } else if line.starts_with('|') && !is_table_head(line) {
            let earliest = scenario.rows.last().map_or(Duration::ZERO, |row| row.time);
            let row = read_row(number, line).map_err(at)?;
            if row.time < earliest {
                return Err(at("time goes back".to_owned()));
            }
            scenario.rows.push(row);
        }
    }
    match scenarios.iter().find(|scenario| scenario.rows.is_empty()) {
        Some(empty) => Err(format!("{file}: {:?} has no rows", empty.title)),
        None => Ok(scenarios),
    }
}

fn is_table_head(line: &str) -> bool {
    line.trim_start_matches(['|', ' ']).starts_with("time")
        || line.starts_with("|-")
        || line.starts_with("| -")
}

fn read_row(line: usize, text: &str) -> Result<Row, String> {
    let cells: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [time, who, event, expected] = cells[..] else {
        return Err(format!("a row has four cells (time, who, event, expect), this one has {}", cells.len()));
    };
    let expected = expected.split(',').map(str::trim).filter(|word| !word.is_empty());
    Ok(Row {
        line,
        text: text.to_owned(),
        time: duration::parse(time)?,
        who: who.split('+').map(|name| name.trim().to_owned()).collect(),
        event: Event::parse(event.trim_matches('`'))?,
        expected: expected.map(Expectation::parse).collect::<Result<_, _>>()?,
    })
}
