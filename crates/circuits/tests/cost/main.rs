//! What a whole outage costs Redis: four instances with 64 calls in flight each, counted by Redis itself.
//!
//! `cargo test -p circuits --test cost -- --nocapture` prints the table that docs/guarantees.md shows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod cost_report;
mod fleet;

use cost_report::CostReport;
use fleet::{CALLS_PER_INSTANCE, Fleet, INSTANCE_COUNT};

/// Probes that fail before one succeeds.
const FAILED_PROBE_COUNT: usize = 3;

/// Commands that one change may cost, whatever the number of calls: one or two attempts to write per instance, and some
/// reads of what was written.
const MAX_COMMANDS_PER_CHANGE: u64 = 8 * INSTANCE_COUNT as u64;

/// Writes that a trip may cost: each instance's first failures, before it knows of the others', and the trip.
const MAX_WRITES_PER_TRIP: u64 = 2 * INSTANCE_COUNT as u64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_redis_commands_per_change_and_not_per_call() {
    let fleet = Fleet::start().await;
    let mut reports = Vec::new();
    let mut report = async |what: String| reports.push(fleet.cost_of(what).await);

    report("before".to_owned()).await;
    for _ in 0..20 {
        fleet.succeed_all().await;
    }
    report(format!("{} good calls", 20 * INSTANCE_COUNT * CALLS_PER_INSTANCE)).await;
    fleet.fail_all().await;
    report(format!("trip: {} calls fail at once", INSTANCE_COUNT * CALLS_PER_INSTANCE)).await;
    for n in 1..=FAILED_PROBE_COUNT {
        let probe = fleet.admit_one_probe().await;
        report(format!("{} ask, one probes ({n})", INSTANCE_COUNT * CALLS_PER_INSTANCE)).await;
        fleet.fail_probe(probe).await;
        report(format!("the probe fails ({n})")).await;
    }
    let probe = fleet.admit_one_probe().await;
    report(format!("{} ask, one probes", INSTANCE_COUNT * CALLS_PER_INSTANCE)).await;
    fleet.succeed_probe(probe).await;
    report("the probe succeeds".to_owned()).await;
    fleet.succeed_all().await;
    report(format!("{} good calls", INSTANCE_COUNT * CALLS_PER_INSTANCE)).await;

    let reports = &reports[1..];
    let outage = CostReport::sum("the whole outage", &reports[1..reports.len() - 1]);
    println!("{}", CostReport::table(reports.iter().chain([&outage])));
    for steady in [&reports[0], &reports[reports.len() - 1]] {
        assert!(steady.sent < 10, "a good call costs nothing (B6): {steady:?}");
    }
    let [_, trip, probes @ .., _] = reports else { unreachable!() };
    assert!(
        trip.sent <= MAX_COMMANDS_PER_CHANGE && trip.writes <= MAX_WRITES_PER_TRIP,
        "failures are folded: {trip:?}"
    );
    for change in probes {
        assert!(
            change.sent <= MAX_COMMANDS_PER_CHANGE && change.writes == 1,
            "one writes, the others read: {change:?}"
        );
    }
}
