//! Circuits on Redis Sentinel and Redis Cluster, under load, through failovers and slot migrations (F6).
//!
//! Each test runs on Redis, and on Valkey where `valkey-server` is installed; where it is not, it is listed as ignored.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail tests")]
#![expect(clippy::print_stdout, reason = "measured times are printed")]

mod cluster;
mod fleet;
mod load;
mod sentinel;

use std::{path::PathBuf, process::ExitCode};

use libtest_mimic::{Arguments, Trial};
use testbed::valkey_program;

type Test = fn(PathBuf) -> futures_util::future::LocalBoxFuture<'static, ()>;

const TESTS: [(&str, Test); 5] = [
    ("sentinel::the_primary_is_killed", |program| Box::pin(sentinel::the_primary_is_killed(program))),
    ("sentinel::the_primary_is_demoted", |program| Box::pin(sentinel::the_primary_is_demoted(program))),
    ("cluster::a_master_is_killed", |program| Box::pin(cluster::a_master_is_killed(program))),
    ("cluster::a_master_is_demoted", |program| Box::pin(cluster::a_master_is_demoted(program))),
    ("cluster::slots_move", |program| Box::pin(cluster::slots_move(program))),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let valkey = valkey_program();
    let trials = TESTS.into_iter().flat_map(|(name, test)| {
        let on_valkey = valkey.clone();
        [
            trial(&format!("redis::{name}"), test, Some(PathBuf::from("redis-server"))),
            trial(&format!("valkey::{name}"), test, on_valkey),
        ]
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn trial(name: &str, test: Test, program: Option<PathBuf>) -> Trial {
    let absent = program.is_none();
    let trial = Trial::test(name, move || {
        let program = program.ok_or("valkey-server is not installed")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(test(program));
        Ok(())
    });
    trial.with_ignored_flag(absent)
}
