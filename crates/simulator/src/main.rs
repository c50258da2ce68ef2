//! The simulated provider as a separate process, for benchmarks and for tests in other languages.
//!
//! The model's name selects a fault: see [`simulator::model_names`].

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use simulator::{Behaviour, Settings, Simulator, model_names};

/// A simulated LLM provider (OpenAI's chat completions and responses, Anthropic's messages, Gemini) that shows faults by
/// model name, such as fault-503 or fault-cut-after-3.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on; port 0 means any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Delay between two events of a stream, such as 20ms
    #[arg(long, default_value = "0ms", value_parser = model_names::duration)]
    gap: Duration,
    /// Words of a response; a stream has one event for each
    #[arg(long, default_value_t = 3)]
    tokens: usize,
    /// Name in the signatures and ids that no simulator of another name accepts
    #[arg(long, default_value = "simulator")]
    name: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a program reports why it ends")]
            {
                eprintln!("simulator: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let settings = Settings {
        listen: arguments.listen,
        default_behaviour: Behaviour::ok().gap(arguments.gap).words(arguments.tokens),
        name: arguments.name,
        record_requests: false,
        keep_alive: true,
        api_key: None,
    };
    let simulator = Simulator::start_with(settings).await?;
    #[expect(clippy::print_stdout, reason = "whoever started it waits for this line")]
    {
        println!("listening on http://{}", simulator.address());
    }
    tokio::signal::ctrl_c().await
}
