//! The program `switchboard`; see the library of the same name.

use std::{io, process::ExitCode, time::Duration};

use clap::Parser as _;
use switchboard::{
    cli::{Cli, Command},
    commands,
    config::Environment,
    logging, output,
    service_manager::ServiceManager,
    traces::Traces,
};

/// A request makes many small, short-lived allocations, and this allocator is the fastest at them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The time that the log has at the end: whoever does not read it must not keep the process.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(code) => code,
        // The reader closed the pipe, which is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
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
