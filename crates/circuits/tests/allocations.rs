//! Admitting a call and reporting its success allocate nothing, and neither does a refusal.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::time::Duration;

use allocation_counter::measure;
use breaker::{Failure, ModelKey};
use circuits::{CallSource, CircuitSlot, Circuits, Permit, Policies, Refusal};
use futures_util::FutureExt as _;

/// More than the buckets of unwritten successes could hide.
const CALL_COUNT: u32 = 1_000;

/// Acquires a permit, which must not wait.
fn admit_without_waiting(circuits: &Circuits, key: &ModelKey) -> Result<Permit, Refusal> {
    circuits.admit(key).now_or_never().expect("admission without waiting")
}

/// Allocations of this thread in a number of calls, after one call that is not counted.
fn count_allocations(call: impl Fn()) -> u64 {
    call();
    measure(|| (0..CALL_COUNT).for_each(|_| call())).count_total
}

/// A circuit that has admitted a call and has nothing to write.
async fn closed_circuit() -> (Circuits, ModelKey) {
    let (circuits, key) = (Circuits::in_memory(Policies::default()), "openai:gpt-5".parse().unwrap());
    circuits.ready().await;
    circuits.admit(&key).await.unwrap().succeeded();
    circuits.wait_idle(&key).await;
    (circuits, key)
}

#[tokio::test]
async fn a_successful_call_allocates_nothing() {
    let (circuits, key) = closed_circuit().await;
    assert_eq!(count_allocations(|| admit_without_waiting(&circuits, &key).unwrap().succeeded()), 0);
}

/// Nor is it hashed: that would allocate.
#[tokio::test]
async fn a_successful_call_that_names_its_source_allocates_nothing() {
    let (circuits, key) = closed_circuit().await;
    let source = CallSource::new("ci".parse().ok(), vec![b'x'; 100_000].into());
    let call = || circuits.admit_as(&key, &source, None).now_or_never().unwrap().unwrap().succeeded();
    assert_eq!(count_allocations(call), 0);
}

/// Nor does one whose circuit is kept in a slot.
#[tokio::test]
async fn a_call_that_keeps_its_circuit_allocates_nothing() {
    let (circuits, key) = closed_circuit().await;
    let (slot, source) = (CircuitSlot::default(), CallSource::new(None, vec![b'x'; 600].into()));
    let admit = || circuits.admit_now(&key, Some(&slot), &source).expect("admission without waiting");
    assert_eq!(count_allocations(|| admit().unwrap().succeeded()), 0);
    admit().unwrap().rate_limited(Failure::status(429), Some(Duration::from_secs(600)));
    circuits.wait_idle(&key).await;
    assert_eq!(count_allocations(|| assert!(admit().is_err())), 0);
}

#[tokio::test]
async fn a_refusal_allocates_nothing_until_it_is_read() {
    let (circuits, key) = closed_circuit().await;
    let permit = circuits.admit(&key).await.unwrap();
    permit.rate_limited(Failure::status(429), Some(Duration::from_secs(600)));
    circuits.wait_idle(&key).await;
    assert_eq!(count_allocations(|| assert!(admit_without_waiting(&circuits, &key).is_err())), 0);
    let read =
        || assert!(admit_without_waiting(&circuits, &key).unwrap_err().to_string().starts_with("open for "));
    assert!(count_allocations(read) > 0, "allocations are counted");
}
