//! What an instance counts: its own changes and others', refusals, probes, writes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy, State, TransitionCause};
use circuits::{
    CircuitCounts, Circuits, MemoryStore, Policies, ProbeCounts, Settings, Store, TransitionKind,
};

fn instance(name: &str, store: &Arc<MemoryStore>) -> Circuits {
    let policy = Policy {
        failure_threshold: 1,
        min_failure_span: Duration::ZERO,
        burst_threshold: 1,
        open_jitter: 0.0,
        ..Policy::default()
    };
    let policies = Policies { default: policy, ..Policies::default() };
    let store = Arc::clone(store) as Arc<dyn Store>;
    Circuits::start(store, Settings { policies, ..Settings::new(InstanceId::new(name)) })
}

fn counts(circuits: &Circuits) -> CircuitCounts {
    circuits.counts().pop().unwrap().1
}

#[tokio::test(start_paused = true)]
async fn own_changes_and_others_are_distinguished() {
    let store = Arc::new(MemoryStore::default());
    let (a, b) = (instance("a", &store), instance("b", &store));
    a.ready().await;
    b.ready().await;
    let key: ModelKey = "openai:m".parse().unwrap();
    b.admit(&key).await.unwrap();
    a.admit(&key).await.unwrap().failed(Failure::status(503));
    let everywhere = async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        a.wait_idle(&key).await;
        b.wait_idle(&key).await;
    };
    everywhere().await;
    for circuits in [&a, &b, &b] {
        circuits.admit(&key).await.unwrap_err();
    }
    // A probe that is released, one that fails, one that succeeds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    drop(b.admit(&key).await.unwrap());
    everywhere().await;
    b.admit(&key).await.unwrap().failed(Failure::status(503));
    everywhere().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    b.admit(&key).await.unwrap().succeeded();
    everywhere().await;

    let (of_a, of_b) = (counts(&a), counts(&b));
    assert_eq!((of_a.refusals, of_b.refusals), (1, 2));
    assert_eq!(of_b.probes, ProbeCounts { succeeded: 1, failed: 1, released: 1 });
    assert_eq!(of_a.probes, ProbeCounts::default());
    let opened = |own| (TransitionKind { to: State::Open, cause: TransitionCause::Status, own }, 1);
    let closed = |own| (TransitionKind { to: State::Closed, cause: TransitionCause::Recovered, own }, 1);
    for (counts, first, others) in [(&of_a, true, false), (&of_b, false, true)] {
        assert!(counts.transitions.contains(&opened(first)), "{counts:?}");
        assert!(counts.transitions.contains(&opened(others)), "{counts:?}");
        assert!(counts.transitions.contains(&closed(others)), "{counts:?}");
    }
    let store = b.store_counts();
    assert!(store.written >= 5 && store.failed == 0, "{store:?}");
    assert!(store.since_last_response.is_some_and(|since| since < Duration::from_secs(20)), "{store:?}");
}
