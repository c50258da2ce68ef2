//! `switchboard demo`: an outage and what the circuit breaker makes of it, with nothing installed.
//!
//! Only the providers are simulated. The gateway, its circuits, the HTTP between all of them and the callers are real,
//! so what is told is what happened: transitions are read from the circuit's history, calls are counted by their
//! callers, and the calls that reached the dead model by the provider itself. Neither `switchboard.toml` nor `.env`
//! has a say in it.
//!
//! | file | subject |
//! | --- | --- |
//! | `stage` | the two providers, the gateway between, and the model that can be made to fail |
//! | `callers` | the traffic, and the callers' own count of it |
//! | `script` | when the model fails and when it recovers |
//! | `story` | what is told while it happens |
//! | `counts` | what is told at the end |

mod callers;
mod counts;
mod script;
mod stage;
mod story;

use std::{convert::Infallible, future, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval};

use self::{callers::Callers, stage::Stage, story::Story};
use super::Session;
use crate::cli::DemoArguments;

/// The story is looked after so often: its lines are late by no more than that.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Plays until `--for` or Ctrl-C.
///
/// # Errors
/// When no port can be had, or standard output takes no more.
pub async fn run(session: &Session, arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let stage = Stage::set().await?;
    let mut story = Story::begin(session.output, arguments.duration, &stage)?;
    let callers = Callers::start(stage.address())?;
    tokio::select! {
        stopped = run_story(&mut story, &stage, &callers) => match stopped? {},
        ended = wait_for_end(arguments.duration) => ended?,
    }
    let tally = callers.stop().await;
    story.update(&stage, &tally).await?;
    let counts = story.counts(&stage, tally);
    stage.clear().await;
    counts.print(session.output)?;
    Ok(if counts.lost() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells on and on.
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
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for Ctrl-C"),
    }
}
