//! What a whole outage costs Redis: four instances with 64 calls in flight each, counted by Redis itself.
//!
//! `cargo test -p circuits --test cost -- --nocapture` prints the table that docs/guarantees.md shows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod bill;
mod fleet;

use bill::Bill;
use fleet::{CALLS, Fleet, INSTANCES};

/// Probes that fail before one succeeds.
const FAILED_PROBES: usize = 3;

/// Commands that one change may cost, whatever the number of calls: of each instance a try or two to write, and some
/// reads of what was written.
const A_CHANGE: u64 = 8 * INSTANCES as u64;

/// Writes that a trip may cost: of each instance its first failures, before it knows of the others', and the trip.
const A_TRIP: u64 = 2 * INSTANCES as u64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_redis_some_commands_a_change_and_not_a_call() {
    let fleet = Fleet::start().await;
    let mut bills = Vec::new();
    let mut bill = async |what: String| bills.push(fleet.bill(what).await);

    bill("before".to_owned()).await;
    for _ in 0..20 {
        fleet.all_succeed().await;
    }
    bill(format!("{} good calls", 20 * INSTANCES * CALLS)).await;
    fleet.all_fail().await;
    bill(format!("trip: {} calls fail at once", INSTANCES * CALLS)).await;
    for n in 1..=FAILED_PROBES {
        let probe = fleet.one_probes().await;
        bill(format!("{} ask, one probes ({n})", INSTANCES * CALLS)).await;
        fleet.probe_fails(probe).await;
        bill(format!("the probe fails ({n})")).await;
    }
    let probe = fleet.one_probes().await;
    bill(format!("{} ask, one probes", INSTANCES * CALLS)).await;
    fleet.probe_succeeds(probe).await;
    bill("the probe succeeds".to_owned()).await;
    fleet.all_succeed().await;
    bill(format!("{} good calls", INSTANCES * CALLS)).await;

    let bills = &bills[1..];
    let outage = Bill::sum("the whole outage", &bills[1..bills.len() - 1]);
    println!("{}", Bill::table(bills.iter().chain([&outage])));
    for calm in [&bills[0], &bills[bills.len() - 1]] {
        assert!(calm.sent < 10, "a good call costs nothing (B6): {calm:?}");
    }
    let [_, trip, probes @ .., _] = bills else { unreachable!() };
    assert!(trip.sent <= A_CHANGE && trip.writes <= A_TRIP, "failures are folded: {trip:?}");
    for change in probes {
        assert!(change.sent <= A_CHANGE && change.writes == 1, "one writes, the others read: {change:?}");
    }
}
