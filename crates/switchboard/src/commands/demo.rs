//! `switchboard demo`: the demonstration.

use std::process::ExitCode;

use super::Session;
use crate::cli::DemoArguments;

/// Not built yet.
///
/// # Errors
/// Always, so far.
#[expect(clippy::unused_async, reason = "the real one waits")]
pub async fn run(_session: &Session, _arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("demo is not built yet")
}
