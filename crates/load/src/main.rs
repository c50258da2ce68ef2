//! Load and a bare upstream for measurements of proxies. Both cost a fraction of a proxy: one thread, responses that are
//! ready before the first request, no parser.
//!
//! ```text
//! main ─▶ upstream ─┬─▶ case      what is asked and responded
//!    └──▶ client ───┴─▶ message   HTTP/1.1, as far as both sides need it
//! ```

mod case;
mod client;
mod message;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::case::Case;
use crate::client::{Limits, Report};

#[derive(Debug, Parser)]
#[command(about = "Load and a bare upstream for measurements of proxies")]
enum Arguments {
    /// Serve what requests of `load` ask for
    Upstream {
        /// Address to listen on
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Call the same over and over, and print calls, seconds and latencies as JSON
    Run {
        /// Address of the proxy, or of the upstream
        target: SocketAddr,
        /// What is asked for: plain:BYTES, stream:EVENTS, or stream:EVENTS:MILLISECONDS between two events
        case: Case,
        /// No call begins after so many seconds
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// No call begins after so many calls
        #[arg(long, default_value_t = u64::MAX)]
        calls: u64,
        /// Any body with a status of 200 will do, for proxies that write the response anew
        #[arg(long)]
        any_body: bool,
        #[command(subcommand)]
        pace: Pace,
    },
}

/// What a call waits for.
#[derive(Debug, Subcommand)]
enum Pace {
    /// Closed loop: the end of the last one on its connection
    Connections {
        /// Connections that call at the same time
        count: usize,
    },
    /// Open loop: its time, whatever became of the others
    Rate {
        /// Calls a second
        rate: f64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a program reports why it ends")]
            {
                eprintln!("load: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let report = match arguments {
        Arguments::Upstream { listen } => return upstream::serve(listen).await,
        Arguments::Run { target, case, seconds, calls, any_body, pace } => {
            let limits = Limits::new(Duration::from_secs_f64(seconds), calls);
            let client = client::Client::new(target, case, any_body);
            match pace {
                Pace::Connections { count } => client.closed_loop(count, limits).await?,
                Pace::Rate { rate } => client.open_loop(rate, limits).await?,
            }
        }
    };
    print(&report);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn print(report: &Report) {
    println!("{}", report.to_json());
}
