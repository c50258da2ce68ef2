//! What a watcher of the circuits is told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{sync::Arc, time::Duration};

use breaker::{Cause, Failure, InstanceId, ModelKey, Policy, State, Transition};
use circuits::{Circuits, LinkState, MemoryStore, News, Policies, Settings, Store, StoreError, Watch};

/// One failure trips.
async fn instance(name: &str, store: &MemoryStore) -> Circuits {
    let policy = Policy { failure_burst: 1, failure_threshold: 1, ..Policy::default() };
    let policies = Policies { default: policy, ..Policies::default() };
    let settings = Settings { policies, ..Settings::new(InstanceId::new(name)) };
    let circuits = Circuits::start(Arc::new(store.clone()) as Arc<dyn Store>, settings);
    circuits.ready().await;
    circuits
}

fn key() -> ModelKey {
    "openai:gpt-5".parse().unwrap()
}

async fn next(watch: &mut Watch) -> News {
    tokio::time::timeout(Duration::from_secs(5), watch.next())
        .await
        .unwrap_or_else(|_| panic!("nothing comes"))
}

/// The next changes of state.
async fn transitions(watch: &mut Watch, count: usize) -> Vec<Transition> {
    let mut told = Vec::new();
    while told.len() < count {
        if let News::Circuit { transitions, .. } = next(watch).await {
            told.extend(transitions);
        }
    }
    told
}

async fn fail(circuits: &Circuits) {
    circuits.admit(&key()).await.unwrap().failed(Failure::status(529));
    circuits.quiet(&key()).await;
}

#[tokio::test]
async fn another_instances_transitions_are_told_with_its_reasons() {
    let store = MemoryStore::default();
    let (one, other) = (instance("one", &store).await, instance("other", &store).await);
    fail(&one).await;
    one.close(&key(), None).await.unwrap();
    tokio::time::sleep(circuits::CLOCK_TOLERANCE * 2).await;

    let mut watches = [one.watch(), other.watch()];
    fail(&one).await;
    one.close(&key(), Some("done".to_owned())).await.unwrap();
    other.reset(&key(), None).await.unwrap();
    let history = one.history(&key(), 3).await.unwrap();
    for watch in &mut watches {
        let told = transitions(watch, 3).await;
        assert!(told.iter().eq(history.iter().rev()), "{told:?}");
        assert_eq!((told[0].to, told[0].reason.status), (State::Open, Some(529)));
        assert_eq!((told[1].to, told[1].reason.why.as_deref()), (State::Closed, Some("done")));
        assert_eq!((told[2].reason.kind, told[2].instance.as_str()), (Cause::Reset, "other"));
    }
}

#[tokio::test]
async fn a_store_that_goes_and_comes_is_told_and_so_is_what_happens_meanwhile() {
    let store = MemoryStore::default();
    let circuits = instance("one", &store).await;
    let mut watch = circuits.watch();
    store.refuse(Some(StoreError::Unreachable("gone".to_owned())));
    assert_eq!(next(&mut watch).await, News::Store);
    assert!(matches!(circuits.link(), LinkState::Degraded { .. }));
    fail(&circuits).await;
    assert_eq!(transitions(&mut watch, 1).await[0].to, State::Open);
    store.refuse(None);
    while next(&mut watch).await != News::Store {}
    assert_eq!(circuits.link(), LinkState::Embedded);
}

#[tokio::test]
async fn a_watcher_that_never_looks_costs_no_memory_and_is_told_that_it_has_missed_something() {
    let store = MemoryStore::default();
    let circuits = instance("one", &store).await;
    let mut watch = circuits.watch();
    for _ in 0..600 {
        circuits.open(&key(), None, None).await.unwrap();
        circuits.close(&key(), None).await.unwrap();
    }
    assert_eq!(next(&mut watch).await, News::Missed);
}
