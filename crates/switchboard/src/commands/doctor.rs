//! `switchboard doctor`: what a manual's troubleshooting page would ask.
//!
//! Every check says what was found, and what to do if that is not well. They go from the outside in: a check that
//! needs what an earlier one missed is skipped, so the first failure is the one to mend. Nothing is written to Redis,
//! no provider is called, and no secret is shown.

mod circuits;
mod deployment;
mod examination;
mod finding;
mod models;
mod network;
mod server;
mod settings;

use std::process::ExitCode;

use serde::Serialize;

use super::Session;
use crate::{
    cli::JsonArgument,
    output::{Output, Style},
};
use examination::Examination;
use finding::{Check, Finding, Verdict};
use settings::RedisSettings;

/// Looks for what is wrong, and says what to do.
///
/// # Errors
/// When standard output takes no more. What is wrong is no error, but exit code 1.
pub async fn run(session: &Session, arguments: &JsonArgument) -> anyhow::Result<ExitCode> {
    let mut examination = Examination::default();
    let redis = settings::examine(session, &mut examination);
    if let Some(redis) = redis {
        examine_redis(&redis, &mut examination).await;
    }
    let findings = examination.finish();
    let fine = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    if arguments.json {
        session.output.json(&Report { fine, checks: &findings })?;
    } else {
        tell(session.output, &findings)?;
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine_redis(redis: &RedisSettings, examination: &mut Examination) {
    let deployment = redis.address.deployment();
    let servers = deployment::examine(deployment, examination).await;
    let mut connections = Vec::with_capacity(servers.len());
    let mut found = Vec::with_capacity(servers.len());
    for server in &servers {
        let mut examination = Examination::default();
        if let Some(mut connection) = network::examine(server, &mut examination).await {
            server::examine(deployment, &mut connection, &mut examination).await;
            circuits::examine_tracking(server, &mut examination).await;
            if !examination.has_failed(Check::Tracking) {
                connections.push(connection);
            }
        }
        found.push((server.to_string(), examination));
    }
    examination.take_over(&found);
    if !servers.is_empty() && connections.len() == servers.len() {
        circuits::examine(redis, &mut connections, examination).await;
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    fine: bool,
    checks: &'a [Finding],
}

fn tell(output: Output, findings: &[Finding]) -> std::io::Result<()> {
    for Finding { check, verdict, found, advice } in findings {
        let style = match verdict {
            Verdict::Ok => Style::Good,
            Verdict::Warning => Style::Warning,
            Verdict::Failed => Style::Bad,
            Verdict::Skipped => Style::Faint,
        };
        let verdict = output.paint(style, verdict.as_str());
        let check = output.paint(Style::Strong, check.as_str());
        let advice = advice.as_ref().map_or(String::new(), |advice| format!("; {advice}"));
        output.line(format_args!("{verdict:<8} {check:<15} {found}{advice}"))?;
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    output.line("")?;
    match (count(Verdict::Failed), count(Verdict::Warning)) {
        (0, 0) => output.line("All is well."),
        (0, warnings) => output.line(format_args!("It works; worth a look: {warnings}.")),
        (failed, _) => output.line(format_args!("Failed: {failed}. Mend the first, then run this again.")),
    }
}
