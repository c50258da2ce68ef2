//! `switchboard doctor`: diagnoses configuration, Redis and providers.
//!
//! Every check says what was found and, on a problem, what to do. Checks go from the outside in: a check that depends
//! on a failed one is skipped, so the first failure is the one to fix. Nothing is written to Redis, providers
//! get a request that costs no tokens, and no secret is shown.

mod access;
mod circuits;
mod deployment;
mod diagnosis;
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
use diagnosis::Diagnosis;
use finding::{Check, Finding, Verdict};
use settings::RedisSettings;

/// Runs all checks.
///
/// # Errors
/// When standard output cannot be written. A failed check is no error, but exit code 1.
pub async fn run(session: &Session, arguments: &JsonArgument) -> anyhow::Result<ExitCode> {
    let mut diagnosis = Diagnosis::default();
    let redis = settings::check(session, &mut diagnosis);
    match redis {
        Some(redis) if redis.explicit => check_redis(&redis, &mut diagnosis).await,
        Some(redis) => check_default_redis(&redis, &mut diagnosis).await,
        None => {}
    }
    access::check(session, &mut diagnosis).await;
    let findings = diagnosis.finish();
    let ok = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    if arguments.json {
        session.output.print_json(&DoctorReport { ok, checks: &findings })?;
    } else {
        print_findings(session.output, &findings)?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where no Redis is configured, it is used if there is one, and not missed if there is none.
async fn check_default_redis(redis: &RedisSettings, diagnosis: &mut Diagnosis) {
    let mut found = Diagnosis::default();
    check_redis(redis, &mut found).await;
    if found.has_failed(Check::Host) || found.has_failed(Check::Port) {
        let text = format!(
            "not shared (no Redis): REDIS_URL is not set, and none listens at {}; circuits are in each gateway's memory",
            redis.address
        );
        diagnosis.ok(Check::RedisUrl, text);
        diagnosis.skip_remaining("not shared (no Redis)");
    } else {
        diagnosis.ok(Check::RedisUrl, format_args!("{} (default, REDIS_URL is not set)", redis.address));
        diagnosis.extend(found);
    }
}

async fn check_redis(redis: &RedisSettings, diagnosis: &mut Diagnosis) {
    let deployment = redis.address.deployment();
    let servers = deployment::check(deployment, diagnosis).await;
    let mut connections = Vec::with_capacity(servers.len());
    let mut results = Vec::with_capacity(servers.len());
    for server in &servers {
        let mut diagnosis = Diagnosis::default();
        if let Some(mut connection) = network::check(server, &mut diagnosis).await {
            server::check(deployment, &mut connection, &mut diagnosis).await;
            circuits::check_tracking(server, &mut diagnosis).await;
            if !diagnosis.has_failed(Check::Tracking) {
                connections.push(connection);
            }
        }
        results.push((server.to_string(), diagnosis));
    }
    diagnosis.merge_nodes(&results);
    if !servers.is_empty() && connections.len() == servers.len() {
        circuits::check(redis, &mut connections, diagnosis).await;
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct DoctorReport<'a> {
    ok: bool,
    checks: &'a [Finding],
}

/// What comes before a finding: its sign and the name of the check.
const INDENT: usize = 18;

fn print_findings(output: Output, findings: &[Finding]) -> std::io::Result<()> {
    for Finding { check, verdict, found, advice } in findings {
        let style = match verdict {
            Verdict::Ok => Style::Good,
            Verdict::Warning => Style::Warning,
            Verdict::Failed => Style::Bad,
            Verdict::Skipped => Style::Faint,
        };
        let (sign, check) =
            (output.paint(style, verdict.sign()), output.paint(Style::Strong, check.as_str()));
        output.print_hanging(format_args!("{sign} {check:<15} "), INDENT, found)?;
        if let Some(advice) = advice {
            output.print_hanging(format_args!("{:1$}→ ", "", INDENT), INDENT + 2, advice)?;
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    output.print_line("")?;
    match (count(Verdict::Failed), count(Verdict::Warning)) {
        (0, 0) => output.print_line("All checks passed."),
        (0, 1) => output.print_line("OK, 1 warning."),
        (0, warnings) => output.print_line(format_args!("OK, {warnings} warnings.")),
        (1, _) => output.print_line("1 check failed. Fix it and run `switchboard doctor` again."),
        (failed, _) => output.print_line(format_args!(
            "{failed} checks failed. Fix the first and run `switchboard doctor` again."
        )),
    }
}
