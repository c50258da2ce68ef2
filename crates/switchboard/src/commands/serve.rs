//! `switchboard serve`: the gateway.

use std::process::ExitCode;

use super::Session;
use crate::cli::ServeArguments;

/// Not built yet.
///
/// # Errors
/// Always, so far.
#[expect(clippy::unused_async, reason = "the real one waits")]
pub async fn run(_session: &Session, _arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("serve is not built yet")
}
