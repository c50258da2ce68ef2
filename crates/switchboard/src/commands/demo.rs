//! `switchboard demo`: an outage from beginning to end, with nothing installed.
//!
//! Two simulated providers on loopback and the real gateway before them, with real HTTP between all of them. What is
//! told is what the gateway's circuits and the providers' own counts say, not what the script expects.

mod stage;
mod tally;
mod traffic;

use std::{process::ExitCode, time::Duration};

use breaker::State;
use tokio::time::{Instant, sleep};

use self::{stage::Stage, tally::Tally};
use super::Session;
use crate::{
    cli::DemoArguments,
    output::{Output, Style},
};

/// The model that fails, and the one behind it in the chain.
const FIRST: &str = "gpt-5";
const SECOND: &str = "gpt-5-mini";

/// How long each part of the story lasts at least.
const WELL: Duration = Duration::from_secs(3);
const DEAD: Duration = Duration::from_secs(11);

/// So often circuits are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Runs until Ctrl-C, or as long as `--for` says.
///
/// # Errors
/// When an address on loopback cannot be had.
pub async fn run(session: &Session, arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let stage = Stage::set_up().await?;
    let teller = Teller { output: session.output, began: Instant::now() };
    let tally = traffic::start(&stage.url);
    introduce(session.output, &stage)?;
    tokio::select! {
        failed = tell_again_and_again(&teller, &stage) => return Err(failed),
        () = until(arguments.duration) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let tally = tally.stop().await;
    conclude(session.output, &stage, &tally).await?;
    Ok(if tally.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn until(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

fn introduce(output: Output, stage: &Stage) -> std::io::Result<()> {
    let url = &stage.url;
    output.line(format_args!("The gateway is at {url}. Two simulated providers are behind it."))?;
    output.line(format_args!(
        "Ten calls a second ask for the route \"demo\": first:{FIRST}, then second:{SECOND}."
    ))?;
    output.line(
        "A circuit opens after 3 failures in a row, for 3 s at first (short, for the demo). Try it, too:",
    )?;
    output.line(format_args!(
        "  curl {url}/v1/chat/completions -d '{{\"model\":\"demo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}'"
    ))?;
    output.line("")
}

/// Tells lines with the time since the beginning.
struct Teller {
    output: Output,
    began: Instant,
}

impl Teller {
    fn tell(&self, style: Style, text: &str) -> std::io::Result<()> {
        let time = format!("{:6.1} s", self.began.elapsed().as_secs_f64());
        self.output.line(format_args!(
            "{}  {}",
            self.output.paint(Style::Faint, time),
            self.output.paint(style, text)
        ))
    }
}

/// One outage after the other; ends only by a failure.
async fn tell_again_and_again(teller: &Teller, stage: &Stage) -> anyhow::Error {
    loop {
        if let Err(error) = tell_once(teller, stage).await {
            return error;
        }
    }
}

/// One outage.
async fn tell_once(teller: &Teller, stage: &Stage) -> anyhow::Result<()> {
    teller.tell(Style::Good, &format!("All is well: first:{FIRST} answers every call."))?;
    let mut epoch = stage.newest_epoch().await;
    follow(teller, stage, &mut epoch, WELL, None).await?;

    stage.kill_the_first();
    teller.tell(Style::Bad, &format!("The first provider fails: every call to {FIRST} gets HTTP 503."))?;
    follow(teller, stage, &mut epoch, DEAD, None).await?;

    stage.revive_the_first();
    teller.tell(
        Style::Good,
        "The first provider is well again. Nobody tells the gateway: its next probe finds out.",
    )?;
    follow(teller, stage, &mut epoch, Duration::from_secs(30), Some(State::Closed)).await?;
    follow(teller, stage, &mut epoch, WELL, None).await
}

/// Tells each transition as it comes, for so long or until the circuit is in this state.
async fn follow(
    teller: &Teller,
    stage: &Stage,
    epoch: &mut u64,
    length: Duration,
    until: Option<State>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + length;
    while Instant::now() < deadline {
        for entry in stage.transitions_since(*epoch).await {
            *epoch = entry.epoch;
            let (style, text) = stage.words_for(&entry);
            teller.tell(style, &text)?;
            if until == Some(entry.to) {
                return Ok(());
            }
        }
        sleep(LOOK).await;
    }
    Ok(())
}

async fn conclude(output: Output, stage: &Stage, tally: &Tally) -> std::io::Result<()> {
    let entries = stage.transitions_since(0).await;
    let count = |state| entries.iter().filter(|entry| entry.to == state).count();
    let lost = output.paint(if tally.lost == 0 { Style::Good } else { Style::Bad }, tally.lost);
    output.line("")?;
    output.line(format_args!("calls:                          {}", tally.calls))?;
    output.line(format_args!("  lost:                         {lost}"))?;
    output.line(format_args!("  answered by first:{FIRST}:      {}", tally.by_first))?;
    output.line(format_args!("  answered by second:{SECOND}: {}", tally.by_second))?;
    output.line(format_args!("calls that reached a dead model: {}", stage.calls_to_the_dead()))?;
    output.line(format_args!("probes:                         {}", count(State::HalfOpen)))?;
    output.line(format_args!(
        "opened, closed:                 {}, {}",
        count(State::Open),
        count(State::Closed)
    ))?;
    output.line(format_args!("slowest call:                   {} ms", tally.slowest.as_millis()))
}
