//! `switchboard demo`: a provider outage, failover and recovery, with nothing installed.
//!
//! Only the providers are simulated. The gateway, its circuits, the HTTP between them and the callers are real, so the
//! output is what happened: transitions come from the circuit's history, requests are counted by the callers, and
//! requests sent to the failed model by the provider itself. `switchboard.toml` and `.env` are not read.
//!
//! | file | subject |
//! | --- | --- |
//! | `stage` | the gateway before the two providers |
//! | `providers` | the two providers; the schedule and people on the page make them fail |
//! | `callers` | the traffic, and what the callers count |
//! | `script` | when the model fails and when it recovers |
//! | `story` | what is printed while it runs |
//! | `counts` | the summary at the end |

mod callers;
mod counts;
mod providers;
mod script;
mod stage;
mod story;

use std::{convert::Infallible, future, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval};

use self::{callers::Callers, stage::Stage, story::Story};
use super::Session;
use crate::cli::DemoArguments;

/// Lines are printed at most this late.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs until `--for` is over or Ctrl-C.
///
/// # Errors
/// When no port can be bound, or standard output cannot be written.
pub async fn run(session: &Session, arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let stage = Stage::start(session.log.calls).await?;
    let mut story = Story::begin(session.output, arguments.duration, &stage)?;
    let callers = Callers::start(stage.address())?;
    tokio::select! {
        stopped = run_story(&mut story, &stage, &callers) => match stopped? {},
        ended = wait_for_end(arguments.duration) => ended?,
    }
    let tally = callers.stop().await;
    story.update(&stage, &tally).await?;
    let counts = story.counts(&stage, tally);
    stage.stop().await;
    counts.print(session.output)?;
    Ok(if counts.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints until it is cancelled.
async fn run_story(story: &mut Story, stage: &Stage, callers: &Callers) -> anyhow::Result<Infallible> {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        story.update(stage, &callers.tally()).await?;
    }
}

/// Ends after the duration, if there is one, or at Ctrl-C.
async fn wait_for_end(duration: Option<Duration>) -> anyhow::Result<()> {
    let elapsed = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        () = elapsed => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot handle Ctrl-C"),
    }
}
