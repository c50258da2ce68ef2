//! Names of models that clients invent leave nothing behind: neither a key in the store nor a record in memory.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use breaker::{Failure, InstanceId, ModelKey, Policy};
use circuits::{Circuits, MemoryStore, Policies, Settings};

/// How many circuits of models that no configuration names a process keeps.
const MAX_UNNAMED: usize = 1_000;

fn key(name: &str) -> ModelKey {
    name.parse().unwrap()
}

/// Two failures open a circuit; only one model is on a route.
async fn start(store: &MemoryStore, name: &str) -> Circuits {
    let default = Policy::open_swe();
    let policies = Policies { default, named: Some([key("openai:routed")].into()), ..Policies::default() };
    let settings = Settings { policies, ..Settings::new(InstanceId::new(name)) };
    let circuits = Circuits::start(Arc::new(store.clone()), settings);
    circuits.ready().await;
    circuits
}

async fn fail(circuits: &Circuits, key: &ModelKey) {
    circuits.admit(key).await.unwrap().failed(Failure::status(503));
    circuits.flush().await;
}

#[tokio::test]
async fn a_name_without_an_answer_leaves_nothing() {
    let store = MemoryStore::default();
    let circuits = start(&store, "a").await;
    let routed = key("openai:routed");
    drop(circuits.admit(&routed).await.unwrap());
    assert!(store.get(&routed).is_some(), "it appears before its first permit");

    for invented in (0..100).map(|number| key(&format!("openai:invented-{number}"))) {
        drop(circuits.admit(&invented).await.unwrap());
        circuits.admit(&invented).await.unwrap().unknown_model();
        circuits.flush().await;
        assert_eq!((circuits.circuit_count(), store.get(&invented)), (1, None));
    }
}

#[tokio::test]
async fn the_first_answer_or_failure_begins_a_circuit() {
    let store = MemoryStore::default();
    let (a, b) = (start(&store, "a").await, start(&store, "b").await);
    let (good, bad) = (key("openai:good"), key("openai:bad"));
    a.admit(&good).await.unwrap().succeeded();
    a.flush().await;
    assert!(store.get(&good).is_some());
    assert_eq!(a.circuit_count(), 1);

    // Two that were admitted before there was a circuit both count.
    let (first, second) = (a.admit(&bad).await.unwrap(), b.admit(&bad).await.unwrap());
    first.failed(Failure::status(503));
    a.flush().await;
    assert!(b.admit(&bad).await.is_ok());
    second.failed(Failure::status(503));
    b.flush().await;
    assert!(
        start(&store, "c").await.admit(&bad).await.is_err(),
        "a new instance knows it before its first call"
    );
}

#[tokio::test]
async fn a_late_failure_of_before_the_circuit_changes_nothing_after_a_transition() {
    let store = MemoryStore::default();
    let circuits = start(&store, "a").await;
    let bad = key("openai:bad");
    let early = circuits.admit(&bad).await.unwrap();
    fail(&circuits, &bad).await;
    fail(&circuits, &bad).await;
    circuits.close(&bad, None, None).await.unwrap();
    early.failed(Failure::status(503));
    circuits.flush().await;
    assert_eq!(circuits.stored_report(&bad).unwrap().failure_count, 0);
}

#[tokio::test]
async fn there_is_a_limit_beyond_which_circuits_work_all_the_same() {
    let store = MemoryStore::default();
    let circuits = start(&store, "a").await;
    for number in 0..MAX_UNNAMED + 20 {
        circuits.admit(&key(&format!("openai:m{number}"))).await.unwrap().succeeded();
    }
    circuits.flush().await;
    assert!(circuits.circuit_count() <= MAX_UNNAMED + 1, "{}", circuits.circuit_count());
    let one_more = key("openai:one-more");
    for count in 1..=2 {
        fail(&circuits, &one_more).await;
        // Nobody but the call's permit knows this circuit.
        let written = format!(r#""failureCount":{count}"#);
        while !store.get(&one_more).is_some_and(|text| String::from_utf8_lossy(&text).contains(&written)) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    assert!(circuits.admit(&one_more).await.is_err());
    assert!(circuits.admit(&key("openai:routed")).await.is_ok());
}
