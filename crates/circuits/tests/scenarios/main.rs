//! The breaker's scenario tables, run against the bare core, the store in memory, the simulated
//! fleet and a real Redis.
//!
//! Each scenario of the Markdown files beside this one is a test of its own per runner, named
//! `runner::file::scenario`. `README.md` says how to read and write them.

mod core;
mod duration;
mod event;
mod expectation;
mod faulty_store;
mod instances;
mod memory;
mod policy;
mod redis;
mod run;
mod simulated;
mod table;
mod world;

use std::{path::Path, process::ExitCode, sync::Arc};

use breaker::ModelKey;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::{
    core::CoreWorld,
    event::Event,
    instances::InstanceFleet,
    memory::MemoryBackend,
    redis::{RedisBackend, SharedServer},
    simulated::SimulatedBackend,
    table::{RunsOn, Scenario},
};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a test runner talks to whoever runs it")]
fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let scenarios = match table::read_all(&directory) {
        Ok(scenarios) => scenarios,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let tables = scenarios.len();
    let server = Arc::new(SharedServer::default());
    let trials = (1..).zip(&scenarios).flat_map(|(number, scenario)| trials(number, scenario, &server));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !arguments.list {
        println!("{tables} scenario tables\n");
    }
    // The server must end before this process does.
    drop(server);
    if conclusion.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The simulated fleet runs each table this many times, each time with other delays.
const SEED_COUNT: u64 = 5;

fn trials(number: usize, scenario: &Scenario, server: &Arc<SharedServer>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let Ok(key) = ModelKey::new("sim", &format!("scenario-{number}")) else { return trials };
    if scenario.runs_on == RunsOn::All {
        let (key, scenario) = (key.clone(), scenario.clone());
        trials.push(Trial::test(scenario.test_name("core"), move || {
            block_on(async { run::run(&scenario, CoreWorld::new(&key, &scenario.policy), &key).await })
        }));
    }
    if scenario.runs_on != RunsOn::Redis {
        let (key, scenario) = (key.clone(), scenario.clone());
        trials.push(Trial::test(scenario.test_name("memory"), move || {
            block_on(async {
                let fleet = InstanceFleet::new(MemoryBackend::new(&key), &key, &scenario.policy);
                run::run(&scenario, fleet, &key).await
            })
        }));
    }
    if scenario.runs_on != RunsOn::Redis {
        let (key, scenario) = (key.clone(), scenario.clone());
        trials.push(Trial::test(scenario.test_name("simulated"), move || {
            for seed in 0..SEED_COUNT {
                let done = fleet::in_virtual_time(async {
                    let fleet = InstanceFleet::new(SimulatedBackend::new(&key, seed), &key, &scenario.policy);
                    run::run(&scenario, fleet, &key).await
                })?;
                done.map_err(|problem| format!("seed {seed}: {problem}"))?;
            }
            Ok(())
        }));
    }
    let (scenario, server) = (scenario.clone(), Arc::clone(server));
    trials.push(Trial::test(scenario.test_name("redis"), move || {
        block_on(async {
            let needs_own = scenario.rows.iter().any(|row| row.event == Event::StoreDown && row.who == ["-"]);
            let backend = RedisBackend::new(&key, &server, number, needs_own).await?;
            run::run(&scenario, InstanceFleet::new(backend, &key, &scenario.policy), &key).await
        })
    }));
    trials
}

/// Each scenario has a runtime of its own on one thread: while a row is checked, nothing else runs.
fn block_on(scenario: impl Future<Output = Result<(), String>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(scenario).map_err(Failed::from)
}
