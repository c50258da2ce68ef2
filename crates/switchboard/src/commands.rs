//! One module a command; each returns how the program ends.

pub mod circuits;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod serve;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use crate::{
    cli::{Cli, Command},
    config::{Environment, Problem, Problems, Sources},
    output::Output,
    traces::Traces,
};

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Session {
    /// The file that `--config` names.
    pub config: Option<PathBuf>,
    /// The environment, `.env` among it.
    pub environment: Environment,
    /// Where results go.
    pub output: Output,
    /// Where traces go, if they are collected.
    pub traces: Option<Traces>,
}

impl Session {
    /// What the configuration is made from.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sources(&self, listen: Option<SocketAddr>) -> Result<Sources, Problem> {
        Sources::read(self.config.as_deref(), self.environment.clone(), listen)
    }

    /// The same with what `.env` says by now, for a configuration that changes while it is in use.
    ///
    /// # Errors
    /// When the file or `.env` cannot be read.
    pub fn reread_sources(&self, listen: Option<SocketAddr>) -> Result<Sources, Problems> {
        Ok(Sources::read(self.config.as_deref(), Environment::read()?, listen)?)
    }
}

/// Does what the command line asks for.
///
/// # Errors
/// When it cannot be done, for exit code 1.
pub async fn run(cli: Cli, environment: Environment, traces: Option<Traces>) -> anyhow::Result<ExitCode> {
    let session = Session { config: cli.config, output: Output::new(&environment), environment, traces };
    match cli.command {
        Command::Serve(arguments) => serve::run(&session, &arguments).await,
        Command::Demo(arguments) => demo::run(&session, &arguments).await,
        Command::Circuits(arguments) => circuits::run(&session, arguments.into_command()).await,
        Command::Doctor(arguments) => doctor::run(&session, &arguments).await,
        Command::Config(command) => config::run(&session, command),
    }
}
