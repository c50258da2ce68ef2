//! `switchboard config check` and `config print`.

use std::process::ExitCode;

use serde::Serialize;

use super::Session;
use crate::{
    cli::ConfigCommand,
    config::{Config, Location, Problem, Problems, Sources},
    output::{Output, Style},
    wrap::wrap,
};

/// Validates or prints the configuration.
///
/// # Errors
/// When the configuration is invalid (`print`), or standard output cannot be written.
pub fn run(session: &Session, command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check(arguments) => check(session, arguments.json),
        ConfigCommand::Print(arguments) => print(session, arguments.json),
    }
}

fn print(session: &Session, json: bool) -> anyhow::Result<ExitCode> {
    let sources = session.sources(None)?;
    let config = Config::load(&sources)?;
    let text = if json { config.to_json()? } else { config.to_annotated_toml(&sources)? };
    session.output.print_line(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// The output of `check --json`.
#[derive(Serialize)]
struct CheckReport<'a> {
    source: &'a str,
    valid: bool,
    problems: Vec<ProblemRow<'a>>,
    /// What is allowed, and probably not meant.
    warnings: Vec<ProblemRow<'a>>,
}

/// One problem: of a line of a file, a variable, or a file as a whole.
#[derive(Serialize)]
struct ProblemRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'a str>,
    message: &'a str,
}

fn check(session: &Session, json: bool) -> anyhow::Result<ExitCode> {
    let sources = session.sources(None);
    let source = match &sources {
        Ok(sources) => sources.display_name(),
        Err(problem) => problem.location.to_string(),
    };
    let checked = sources.map_err(Problems::from).and_then(|sources| load_and_validate(&sources));
    let (problems, warnings): (Vec<_>, Vec<_>) = match &checked {
        Ok(warnings) => (Vec::new(), warnings.iter().collect()),
        Err(problems) => (problems.iter().collect(), Vec::new()),
    };
    if json {
        let (problems, warnings) = (problem_rows(&problems), problem_rows(&warnings));
        let report = CheckReport { source: &source, valid: checked.is_ok(), problems, warnings };
        session.output.print_json(&report)?;
    } else {
        print_problems(session.output, &source, &problems, &warnings)?;
    }
    Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Loads the configuration, and builds what it configures: that finds further problems, such as a key that is not
/// valid in a header. Returns its warnings.
fn load_and_validate(sources: &Sources) -> Result<Vec<Problem>, Problems> {
    let config = Config::load(sources)?;
    manager::Catalog::new(config.manager_settings()).map_err(|error| {
        let path = sources.file.as_ref().map_or_else(|| "environment".into(), |file| file.path.clone());
        Problems::from(Problem { location: Location::WholeFile(path), message: error.to_string() })
    })?;
    Ok(config.warnings)
}

fn print_problems(
    output: Output,
    name: &str,
    problems: &[&Problem],
    warnings: &[&Problem],
) -> std::io::Result<()> {
    for Problem { location, message } in warnings {
        print_problem(output, location, &format!("warning: {message}"))?;
    }
    if problems.is_empty() {
        let count = match warnings.len() {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            count => format!(", {count} warnings"),
        };
        return output.print_line(format_args!("{name}: {}{count}", output.paint(Style::Good, "OK")));
    }
    for problem in problems {
        print_problem(output, &problem.location, &problem.message)?;
    }
    Ok(())
}

/// One problem, its further lines indented.
fn print_problem(output: Output, location: &Location, message: &str) -> std::io::Result<()> {
    let (location, indent) = (location.to_string(), 2);
    let width = output.width().map_or(usize::MAX, |width| width - indent);
    let mut lines = wrap(&format!("{location}: {message}"), width);
    if let Some(rest) = lines[0].strip_prefix(&location) {
        lines[0] = format!("{}{rest}", output.paint(Style::Strong, &location));
    }
    output.print_line(lines.join(&format!("\n{:indent$}", "")))
}

fn problem_rows<'a>(problems: &[&'a Problem]) -> Vec<ProblemRow<'a>> {
    problems.iter().map(|problem| problem_row(problem)).collect()
}

fn problem_row(problem: &Problem) -> ProblemRow<'_> {
    let (file, line, variable) = match &problem.location {
        Location::File { path, line } => (Some(path.display().to_string()), Some(*line), None),
        Location::WholeFile(path) => (Some(path.display().to_string()), None, None),
        Location::Variable(name) => (None, None, Some(name.as_str())),
        Location::CommandLine(option) => (None, None, Some(*option)),
    };
    ProblemRow { file, line, variable, message: &problem.message }
}
