//! What a watcher of the circuits is told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{sync::Arc, time::Duration};

use breaker::{Cause, Failure, InstanceId, ModelKey, Policy, State, Timestamp, Transition};
use circuits::{
    Circuits, LinkState, MemoryStore, News, Policies, Settings, Store, StoreError, SystemClock, WallClock,
    Watch,
};

/// One failure trips.
async fn instance(name: &str, store: &MemoryStore) -> Circuits {
    instance_by(Arc::new(SystemClock::default()), name, store).await
}

async fn instance_by(clock: Arc<dyn WallClock>, name: &str, store: &MemoryStore) -> Circuits {
    let policy = Policy { burst_threshold: 1, failure_threshold: 1, ..Policy::default() };
    let policies = Policies { default: policy, ..Policies::default() };
    let settings = Settings { policies, clock, ..Settings::new(InstanceId::new(name)) };
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

#[tokio::test(start_paused = true)]
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

/// A clock an hour off.
#[derive(Debug)]
struct Off {
    clock: SystemClock,
    ahead: bool,
}

impl WallClock for Off {
    fn now(&self) -> Timestamp {
        let hour = Duration::from_secs(3_600);
        if self.ahead { self.clock.now() + hour } else { self.clock.now() - hour }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_until_the_store_is_heard_hides_nothing_and_brings_nothing_back() {
    for ahead in [true, false] {
        let store = MemoryStore::default();
        let other = instance("other", &store).await;
        other.open(&key(), None, Some("old".to_owned())).await.unwrap();
        tokio::time::sleep(circuits::CLOCK_TOLERANCE * 2).await;

        store.refuse(Some(StoreError::Unreachable("gone".to_owned())));
        let clock = Arc::new(Off { clock: SystemClock::default(), ahead });
        let late = instance_by(clock, "late", &store).await;
        let mut watch = late.watch();
        store.refuse(None);
        while next(&mut watch).await != News::Store {}
        while other.link() != LinkState::Embedded {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        other.close(&key(), Some("new".to_owned())).await.unwrap();
        let told = transitions(&mut watch, 1).await;
        let reasons: Vec<_> = told.iter().map(|told| told.reason.why.as_deref()).collect();
        assert_eq!(reasons, [Some("new")], "ahead: {ahead}");
    }
}
