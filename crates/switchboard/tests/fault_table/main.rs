//! The tables of `docs/faults.md`, row by row: the official SDKs call a gateway whose providers show the fault, and both
//! sides are compared with the row.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod callers;
mod case;
mod check;
mod limits;
mod provider_api;
mod sdk_errors;
mod summary;
mod table;
mod world;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use case::Case;
use check::{Measurement, check};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};
use world::World;

/// Calls at a time that keep the processor busy.
const BUSY_CONCURRENCY: u32 = 8;

/// Calls at a time that mostly wait for a limit to run out.
const WAITING_CONCURRENCY: usize = 80;

/// On a machine that is busy with something else, or with the other cases, a call may be late. It is made again with
/// nothing beside it; one that is late so many times in a row is wrong.
const MAX_ATTEMPTS: usize = 5;

/// So many calls may be late at first.
const MAX_LATE: usize = 40;

#[test]
fn every_fault_that_the_simulator_can_show_has_a_row() {
    let shown = table::read(&faults_page()).rows;
    for fault in simulator::model_names::faults() {
        let has_row = shown.iter().any(|row| row.fault.starts_with(&format!("fault-{fault}")));
        assert!(has_row, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds_on_both_sides() {
    let only = std::env::var("FAULT").unwrap_or_default();
    let page = table::read(&faults_page());
    let rows: Vec<_> = page.rows.into_iter().filter(|row| row.fault.contains(&only)).collect();
    assert!(!rows.is_empty(), "no row's fault has {only} in its name");
    let cases: Vec<Case> = rows.iter().flat_map(Case::all_of).collect();
    let world = Arc::new(World::new(&cases, MAX_ATTEMPTS, page.sdk_errors).await);
    let busy = Arc::new(Semaphore::new(BUSY_CONCURRENCY as usize));
    let waiting = Arc::new(Semaphore::new(WAITING_CONCURRENCY));
    let mut running = JoinSet::new();
    for case in cases {
        let world = Arc::clone(&world);
        let (places, taken) = match case.is_mostly_waiting() {
            true => (Arc::clone(&waiting), 1),
            // A packet for each byte costs as much as some hundred calls.
            false if case.row.fault.contains("split") => (Arc::clone(&busy), BUSY_CONCURRENCY),
            false => (Arc::clone(&busy), 1),
        };
        running.spawn(async move {
            let _place = places.acquire_many(taken).await;
            (check(&world, &case, 0).await, case)
        });
    }
    let mut results = running.join_all().await;
    // What is wrong so often is not late.
    let is_late = results.iter().filter(|(result, _)| result.is_err()).count() <= MAX_LATE;
    for (result, case) in results.iter_mut().filter(|_| is_late) {
        for attempt in 1..MAX_ATTEMPTS {
            let Err(wrong) = result else { break };
            println!("attempt {} at {}: {wrong}", attempt - 1, case.name(attempt - 1));
            *result = check(&world, case, attempt).await.map(|measured| Measurement { attempt, ..measured });
        }
    }
    summary::print_summary(&results);
    let wrong: Vec<_> = results
        .iter()
        .filter_map(|(result, case)| {
            Some(format!("{}: `{}`: {}", case.name(0), case.row.fault, result.as_ref().err()?))
        })
        .collect();
    assert!(wrong.is_empty(), "{} cases are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
    let stopped = world.first.wait_until(|seen| seen.in_flight() == 0);
    timeout(Duration::from_secs(60), stopped).await.expect("calls that were given up were stopped");
}

fn faults_page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md")
}
