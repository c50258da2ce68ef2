//! One module per command; each returns the exit code.

mod banner;
pub mod circuits;
pub mod config;
pub mod demo;
pub mod doctor;
mod local_circuits;
pub mod package;
pub mod routes;
pub mod serve;
mod session;
mod simulated;
pub mod try_call;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    config::Environment,
    logging::Log,
    output::Output,
    traces::Traces,
};

pub use session::Session;

/// Runs the command.
///
/// # Errors
/// When the command fails, for exit code 1.
pub async fn run(
    cli: Cli,
    environment: Environment,
    traces: Option<Traces>,
    log: Log,
) -> anyhow::Result<ExitCode> {
    let output = Output::new(&environment, cli.color);
    let session = Session { config: cli.config, output, environment, traces, log };
    match cli.command {
        Command::Serve(arguments) => serve::run(&session, &arguments).await,
        Command::Demo(arguments) => demo::run(&session, &arguments).await,
        Command::Circuits(arguments) => circuits::run(&session, arguments.into_command()).await,
        Command::Routes(arguments) => routes::run(&session, &arguments).await,
        Command::Doctor(arguments) => doctor::run(&session, &arguments).await,
        Command::Try(arguments) => try_call::run(&session, &arguments).await,
        Command::Config(command) => config::run(&session, command),
        Command::Completions { shell } => package::completions(&session, shell),
        Command::Man => package::man(&session),
    }
}
