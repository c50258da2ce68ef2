//! The input of every command: the options, the environment and the output.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    config::{Environment, Problem, Problems, Sources},
    logging::Log,
    output::Output,
    traces::Traces,
};

/// What every command gets.
#[derive(Debug, Clone)]
pub struct Session {
    /// The file that `--config` names.
    pub config: Option<PathBuf>,
    /// The environment, including `.env`.
    pub environment: Environment,
    /// Where results go.
    pub output: Output,
    /// The trace exporter, if tracing is on.
    pub traces: Option<Traces>,
    /// The log.
    pub log: Log,
}

impl Session {
    /// Reads the sources of the configuration.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sources(&self, listen: Option<SocketAddr>) -> Result<Sources, Problem> {
        Sources::read(self.config.as_deref(), self.environment.clone(), listen)
    }

    /// The same with the current `.env`, for reloading.
    ///
    /// # Errors
    /// When the file or `.env` cannot be read.
    pub fn reread_sources(&self, listen: Option<SocketAddr>) -> Result<Sources, Problems> {
        Ok(Sources::read(self.config.as_deref(), Environment::read()?, listen)?)
    }
}
