//! The program from its start to its exit code.
//!
//! It is not in `main.rs`, since the code of an asynchronous function is compiled once more in each crate that awaits it: the
//! whole program twice.

use std::{io, process::ExitCode, time::Duration};

use clap::Parser as _;

use crate::{
    cli::{Cli, Command},
    commands,
    config::Environment,
    logging, output,
    service_manager::ServiceManager,
    traces::Traces,
};

/// The time that the log has at the end: whoever does not read it must not keep the process.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Does what the command line says. The exit code is 0 on success, 1 on failure and 2 on a usage error.
#[tokio::main]
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    match run_command(cli).await {
        Ok(code) => code,
        // The reader closed the pipe, which is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run_command(cli: Cli) -> anyhow::Result<ExitCode> {
    let environment = Environment::read()?;
    let default_filter = if matches!(cli.command, Command::Serve(_)) { "info" } else { "error" };
    let traces = match cli.command {
        Command::Serve(_) => Traces::start(&environment)?,
        _ => None,
    };
    let log = logging::init(cli.log_format, cli.color, &environment, default_filter, traces.as_ref())?;
    std::panic::set_hook(Box::new(logging::report_panic));
    let result = commands::run(cli, environment.clone(), traces.clone(), log.clone()).await;
    if let Some(traces) = traces {
        traces.shutdown().await;
    }
    let lost_lines = log.queue.flush(LOG_FLUSH_TIMEOUT);
    if lost_lines > 0 {
        ServiceManager::find(&environment).log_lines_lost(lost_lines);
    }
    result
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
