//! The events that a watcher gets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy, State, Timestamp, Transition, TransitionCause};
use circuits::{
    CircuitEvent, Circuits, MemoryStore, Policies, Settings, Store, StoreError, StoreStatus, SystemClock,
    WallClock, Watch,
};

/// One failure trips.
async fn instance(name: &str, store: &MemoryStore) -> Circuits {
    instance_with_clock(Arc::new(SystemClock::default()), name, store).await
}

async fn instance_with_clock(clock: Arc<dyn WallClock>, name: &str, store: &MemoryStore) -> Circuits {
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

async fn next_event(watch: &mut Watch) -> CircuitEvent {
    tokio::time::timeout(Duration::from_secs(5), watch.next())
        .await
        .unwrap_or_else(|_| panic!("no event came"))
}

/// The next transitions.
async fn next_transitions(watch: &mut Watch, count: usize) -> Vec<Transition> {
    let mut received = Vec::new();
    while received.len() < count {
        if let CircuitEvent::CircuitChanged { transitions, .. } = next_event(watch).await {
            received.extend(transitions);
        }
    }
    received
}

async fn fail_call(circuits: &Circuits) {
    circuits.admit(&key()).await.unwrap().failed(Failure::status(529));
    circuits.wait_idle(&key()).await;
}

#[tokio::test(start_paused = true)]
async fn another_instances_transitions_come_with_their_reasons() {
    let store = MemoryStore::default();
    let (one, other) = (instance("one", &store).await, instance("other", &store).await);
    fail_call(&one).await;
    one.close(&key(), None, None).await.unwrap();
    tokio::time::sleep(circuits::CLOCK_TOLERANCE * 2).await;

    let mut watches = [one.watch(), other.watch()];
    fail_call(&one).await;
    one.close(&key(), Some("done".to_owned()), None).await.unwrap();
    other.reset(&key(), None, None).await.unwrap();
    let history = one.history(&key(), 3).await.unwrap();
    for watch in &mut watches {
        let received = next_transitions(watch, 3).await;
        assert!(received.iter().eq(history.iter().rev()), "{received:?}");
        assert_eq!((received[0].to, received[0].reason.status), (State::Open, Some(529)));
        assert_eq!(
            (received[1].to, received[1].reason.operator_reason.as_deref()),
            (State::Closed, Some("done"))
        );
        assert_eq!(
            (received[2].reason.cause, received[2].instance.as_str()),
            (TransitionCause::Reset, "other")
        );
    }
}

#[tokio::test]
async fn an_outage_of_the_store_is_reported_and_so_is_what_happens_meanwhile() {
    let store = MemoryStore::default();
    let circuits = instance("one", &store).await;
    let mut watch = circuits.watch();
    store.inject_error(Some(StoreError::Unreachable("gone".to_owned())));
    assert_eq!(next_event(&mut watch).await, CircuitEvent::StoreChanged);
    assert!(matches!(circuits.store_status(), StoreStatus::Degraded { .. }));
    fail_call(&circuits).await;
    assert_eq!(next_transitions(&mut watch, 1).await[0].to, State::Open);
    store.inject_error(None);
    while next_event(&mut watch).await != CircuitEvent::StoreChanged {}
    assert_eq!(circuits.store_status(), StoreStatus::Embedded);
}

#[tokio::test]
async fn a_watcher_that_never_reads_costs_no_memory_and_learns_that_it_lags() {
    let store = MemoryStore::default();
    let circuits = instance("one", &store).await;
    let mut watch = circuits.watch();
    for _ in 0..600 {
        circuits.open(&key(), None, None, None).await.unwrap();
        circuits.close(&key(), None, None).await.unwrap();
    }
    assert_eq!(next_event(&mut watch).await, CircuitEvent::Lagged);
}

/// A clock an hour off.
#[derive(Debug)]
struct SkewedClock {
    clock: SystemClock,
    ahead: bool,
}

impl WallClock for SkewedClock {
    fn now(&self) -> Timestamp {
        let hour = Duration::from_secs(3_600);
        if self.ahead { self.clock.now() + hour } else { self.clock.now() - hour }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_until_it_is_synchronized_hides_and_repeats_nothing() {
    for ahead in [true, false] {
        let store = MemoryStore::default();
        let other = instance("other", &store).await;
        other.open(&key(), None, Some("old".to_owned()), None).await.unwrap();
        tokio::time::sleep(circuits::CLOCK_TOLERANCE * 2).await;

        store.inject_error(Some(StoreError::Unreachable("gone".to_owned())));
        let clock = Arc::new(SkewedClock { clock: SystemClock::default(), ahead });
        let late = instance_with_clock(clock, "late", &store).await;
        let mut watch = late.watch();
        store.inject_error(None);
        while next_event(&mut watch).await != CircuitEvent::StoreChanged {}
        while other.store_status() != StoreStatus::Embedded {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        other.close(&key(), Some("new".to_owned()), None).await.unwrap();
        let received = next_transitions(&mut watch, 1).await;
        let reasons: Vec<_> =
            received.iter().map(|transition| transition.reason.operator_reason.as_deref()).collect();
        assert_eq!(reasons, [Some("new")], "ahead: {ahead}");
    }
}
