//! Reports of a circuit.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Duration;

use breaker::{Failure, ModelKey, Policy};
use circuits::{Circuits, Policies};

fn key() -> ModelKey {
    "openai:gpt-5".parse().unwrap()
}

async fn make_calls(circuits: &Circuits, good: usize, failed: usize) {
    for _ in 0..good {
        circuits.admit(&key()).await.unwrap().succeeded();
    }
    for _ in 0..failed {
        circuits.admit(&key()).await.unwrap().failed(Failure::status(503));
    }
    circuits.wait_idle(&key()).await;
}

fn reported_counts(circuits: &Circuits) -> (u32, u32) {
    let report = circuits.report(&key()).unwrap();
    assert_eq!(circuits.reports(), std::slice::from_ref(&report));
    (report.calls, report.failures)
}

/// Steady success writes nothing (B6), but the report of a model in use must show its calls.
#[tokio::test(start_paused = true)]
async fn unwritten_successes_are_counted() {
    let policies =
        Policies { default: Policy { minimum_calls: 1000, ..Policy::default() }, ..Policies::default() };
    let circuits = Circuits::in_memory(policies);
    circuits.ready().await;
    make_calls(&circuits, 50, 0).await;
    assert_eq!(reported_counts(&circuits), (50, 0));
    // Written with a failure, they are not counted twice.
    make_calls(&circuits, 0, 1).await;
    assert_eq!(reported_counts(&circuits), (51, 1));
    make_calls(&circuits, 20, 0).await;
    assert_eq!(reported_counts(&circuits), (71, 1));
    tokio::time::sleep(Policy::default().window + Duration::from_secs(1)).await;
    assert_eq!(reported_counts(&circuits), (0, 0));
}
