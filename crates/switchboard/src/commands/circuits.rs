//! `switchboard circuits`: inspecting and controlling the circuits in Redis, without a running gateway.
//!
//! Inspecting reads the store and writes nothing. A manual override joins the fleet as an instance, so that it is
//! written by the same rules as any other change.

mod format;
mod operate;
mod reader;
mod view;
mod watch;
mod watch_view;

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    process::ExitCode,
};

use anyhow::Context as _;
use breaker::ModelKey;

use super::Session;
use crate::{
    cli::{CircuitsCommand, ListArguments},
    config::Config,
    output::Output,
};
use reader::NotShared;

pub(super) use format::in_time;
pub(super) use reader::{CircuitReader, Entry};

/// Runs a subcommand of `circuits`.
///
/// # Errors
/// When Redis cannot be reached or read, or the circuit does not exist.
pub async fn run(session: &Session, command: CircuitsCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load_circuits(&session.sources(None)?)?;
    let reader = match CircuitReader::connect(config).await {
        Err(error) => return without_redis(session, &command, error),
        Ok(reader) => reader,
    };
    match command {
        CircuitsCommand::List(list) => view::list(list.output(session), &reader, list.json.json).await?,
        CircuitsCommand::Show(arguments) => {
            let key = reader.resolve(&arguments.circuit.name).await?;
            view::show(session.output, &reader, &key, arguments.json.json).await?;
        }
        CircuitsCommand::History(arguments) => {
            let key = reader.resolve(&arguments.circuit.name).await?;
            view::history(arguments.list.output(session), &reader, &key, arguments.list.json.json).await?;
        }
        CircuitsCommand::Watch(json) => watch::watch(session, session.output, &reader, json.json).await?,
        CircuitsCommand::Open(arguments) => {
            let key = reader.resolve(&arguments.circuit.name).await?;
            if arguments.duration.is_none() && !arguments.yes && !confirm_open(session, &key)? {
                return Ok(ExitCode::FAILURE);
            }
            let (json, reason) = (arguments.json.json, arguments.reason.reason);
            operator_session(session, &reader, &key, json).open(arguments.duration, reason).await?;
        }
        CircuitsCommand::Close(arguments) => {
            let key = reader.resolve(&arguments.circuit.name).await?;
            let json = arguments.json.json;
            operator_session(session, &reader, &key, json).close(arguments.reason.reason).await?;
        }
        CircuitsCommand::Reset(arguments) => {
            let key = reader.resolve(&arguments.circuit.name).await?;
            let json = arguments.json.json;
            operator_session(session, &reader, &key, json).reset(arguments.reason.reason).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl ListArguments {
    /// Where the list is printed, as wide as it likes with `--wide`.
    fn output(&self, session: &Session) -> Output {
        if self.wide { session.output.with_width(None) } else { session.output }
    }
}

/// Asks on a terminal whether the circuit is to be open without an end. Scripts are not asked.
fn confirm_open(session: &Session, key: &ModelKey) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(true);
    }
    session.output.print_text(format_args!(
        "Keep {key} open until it is closed manually? (--for DURATION sets an end) [y/N] "
    ))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    let is_yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !is_yes {
        session.output.print_line("Not changed.")?;
    }
    Ok(is_yes)
}

/// Where no Redis was asked for, there are no circuits to list, and that is no failure.
fn without_redis(
    session: &Session,
    command: &CircuitsCommand,
    error: anyhow::Error,
) -> anyhow::Result<ExitCode> {
    match command {
        CircuitsCommand::List(list) if error.is::<NotShared>() => {
            match list.json.json {
                true => session.output.print_json(&[(); 0])?,
                false => session.output.print_line(format_args!("No circuits: {error}."))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(error),
    }
}

fn operator_session<'a>(
    session: &'a Session,
    reader: &'a CircuitReader,
    key: &'a ModelKey,
    json: bool,
) -> operate::OperatorSession<'a> {
    operate::OperatorSession { output: session.output, json, environment: &session.environment, reader, key }
}
