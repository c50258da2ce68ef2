//! `switchboard doctor`: what a manual's troubleshooting page would ask.

use std::process::ExitCode;

use super::Session;
use crate::cli::JsonArgument;

/// Not built yet.
///
/// # Errors
/// Always, so far.
#[expect(clippy::unused_async, reason = "the real one waits")]
pub async fn run(_session: &Session, _arguments: &JsonArgument) -> anyhow::Result<ExitCode> {
    anyhow::bail!("doctor is not built yet")
}
