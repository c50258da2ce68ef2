//! `switchboard circuits`: seeing and operating the circuits in Redis.

use std::process::ExitCode;

use super::Session;
use crate::cli::CircuitsCommand;

/// Not built yet.
///
/// # Errors
/// Always, so far.
#[expect(clippy::unused_async, reason = "the real one waits")]
pub async fn run(_session: &Session, _command: CircuitsCommand) -> anyhow::Result<ExitCode> {
    anyhow::bail!("circuits is not built yet")
}
