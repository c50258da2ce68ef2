//! `switchboard circuits`: inspecting and controlling the circuits in Redis, without a running gateway.
//!
//! Inspecting reads the store and writes nothing. A manual override joins the fleet as an instance, so that it is
//! written by the same rules as any other change.

mod format;
mod operate;
mod reader;
mod table;
mod view;
mod watch;

use std::process::ExitCode;

use breaker::ModelKey;

use super::Session;
use crate::{cli::CircuitsCommand, config::Config};
use reader::{CircuitReader, NotShared};

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
        CircuitsCommand::List(json) => view::list(session.output, &reader, json.json).await?,
        CircuitsCommand::Show(arguments) => {
            view::show(session.output, &reader, &arguments.key.key, arguments.json.json).await?;
        }
        CircuitsCommand::History(arguments) => {
            view::history(session.output, &reader, &arguments.key.key, arguments.json.json).await?;
        }
        CircuitsCommand::Watch(json) => watch::watch(session.output, &reader, json.json).await?,
        CircuitsCommand::Open(arguments) => {
            operator_session(session, reader, &arguments.key.key)
                .open(arguments.duration, arguments.reason.reason)
                .await?;
        }
        CircuitsCommand::Close(arguments) => {
            operator_session(session, reader, &arguments.key.key).close(arguments.reason.reason).await?;
        }
        CircuitsCommand::Reset(arguments) => {
            operator_session(session, reader, &arguments.key.key).reset(arguments.reason.reason).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where no Redis was asked for, there are no circuits to list, and that is no failure.
fn without_redis(
    session: &Session,
    command: &CircuitsCommand,
    error: anyhow::Error,
) -> anyhow::Result<ExitCode> {
    match command {
        CircuitsCommand::List(json) if error.is::<NotShared>() => {
            match json.json {
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
    reader: CircuitReader,
    key: &'a ModelKey,
) -> operate::OperatorSession<'a> {
    operate::OperatorSession { output: session.output, environment: &session.environment, reader, key }
}
