//! What whoever calls a model again and again gets of the circuit that it keeps: the same as by the model's key.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy};
use circuits::{CallSource, CircuitSlot, Circuits, MemoryStore, Permit, Policies, Refusal, Settings, Store};
use fleet::rng::VirtualClock;
use tokio::time::sleep;

/// The slow read of everything also drops circuits that nobody needs. It begins every 15 s, give or take a quarter.
const TWO_SLOW_READS: Duration = Duration::from_secs(40);

struct Fixture {
    store: MemoryStore,
    circuits: Circuits,
    key: ModelKey,
    slot: CircuitSlot,
    source: CallSource,
}

impl Fixture {
    /// One failure opens the circuit for 5 s.
    async fn new() -> Self {
        let clock = Arc::new(VirtualClock::start());
        let store = MemoryStore::with_clock(Arc::clone(&clock) as _);
        let default = Policy {
            failure_threshold: 1,
            min_failure_span: Duration::ZERO,
            burst_threshold: 1,
            open_jitter: 0.0,
            ..Policy::default()
        };
        let policies = Policies { default, ..Policies::default() };
        let settings = Settings { policies, clock, ..Settings::new(InstanceId::new("a")) };
        let circuits = Circuits::start(Arc::new(store.clone()) as Arc<dyn Store>, settings);
        circuits.ready().await;
        let (slot, source) = (CircuitSlot::default(), CallSource::of_caller(None));
        Self { store, circuits, key: "openai:m".parse().unwrap(), slot, source }
    }

    fn admit(&self) -> Option<Result<Permit, Refusal>> {
        self.circuits.admit_now(&self.key, Some(&self.slot), &self.source)
    }

    async fn fail(&self) {
        self.circuits.admit(&self.key).await.unwrap().failed(Failure::status(503));
        self.circuits.wait_idle(&self.key).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_refuses_until_its_deadline_and_says_why_even_later() {
    let fixture = Fixture::new().await;
    assert!(fixture.admit().is_none(), "it needs the store at first");
    fixture.circuits.admit(&fixture.key).await.unwrap().succeeded();
    fixture.admit().unwrap().unwrap().succeeded();
    fixture.fail().await;
    // The first has looked at the circuit, the second sees only that it refuses everyone.
    let refusals = [fixture.admit().unwrap().unwrap_err(), fixture.admit().unwrap().unwrap_err()];
    let left = refusals[0].retry_in().unwrap();
    assert!(Duration::from_millis(4_990) < left && left <= Policy::default().open_duration, "{left:?}");
    for refusal in &refusals {
        assert_eq!((refusal.retry_in(), refusal.probing), (Some(left), false));
        let text = refusal.to_string();
        assert!(text.starts_with("open for 5.0 s more: ") && text.contains("503"), "{text}");
    }
    sleep(left - Duration::from_millis(1)).await;
    let last = fixture.admit().unwrap().unwrap_err();
    for refusal in [&last, &refusals[1]] {
        assert_eq!(refusal.retry_in(), Some(Duration::from_millis(1)));
    }
    sleep(Duration::from_millis(1)).await;
    assert!(fixture.admit().is_none(), "a probe needs the store");
    assert_eq!(fixture.circuits.counts()[0].1.refusals, 3);
    fixture.circuits.admit(&fixture.key).await.unwrap().succeeded();
    fixture.circuits.wait_idle(&fixture.key).await;
    assert!(fixture.admit().unwrap().is_ok());
    assert!(refusals[1].to_string().contains("503"), "the circuit has closed since");
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_opened_is_refused_without_an_end() {
    let fixture = Fixture::new().await;
    fixture.circuits.open(&fixture.key, None, Some("maintenance".into()), None).await.unwrap();
    for refusal in [
        fixture.admit().unwrap().unwrap_err(),
        fixture.admit().unwrap().unwrap_err(),
        fixture.circuits.admit(&fixture.key).await.unwrap_err(),
    ] {
        assert_eq!(refusal.retry_in(), None);
        let text = refusal.to_string();
        assert!(text.starts_with("open until closed manually: ") && text.contains("maintenance"), "{text}");
    }
    fixture.circuits.close(&fixture.key, None, None).await.unwrap();
    assert!(fixture.admit().unwrap().is_ok());
}

/// Deleting the key in the store is a reset (F5).
#[tokio::test(start_paused = true)]
async fn a_circuit_that_was_deleted_begins_again_in_its_slot() {
    for kept in [true, false] {
        let fixture = Fixture::new().await;
        fixture.circuits.admit(&fixture.key).await.unwrap().succeeded();
        if kept {
            fixture.admit().unwrap().unwrap().succeeded();
        }
        fixture.store.set(&fixture.key, None);
        sleep(TWO_SLOW_READS).await;
        assert_eq!(fixture.circuits.circuit_count(), usize::from(kept), "dropped unless it is kept");
        assert!(fixture.admit().is_none(), "it must be written before its first call");
        fixture.fail().await;
        assert!(fixture.admit().unwrap().is_err(), "kept: {kept}");
        assert!(fixture.circuits.admit(&fixture.key).await.is_err(), "kept: {kept}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_policy_applies_at_once() {
    let fixture = Fixture::new().await;
    fixture.fail().await;
    assert!(fixture.admit().unwrap().is_err());
    for (mode, admits) in [(breaker::Mode::Observe, true), (breaker::Mode::Enforce, false)] {
        let default = Policy { mode, ..Policy::default() };
        fixture.circuits.set_policies(Policies { default, ..Policies::default() });
        assert_eq!(fixture.admit().unwrap().is_ok(), admits, "{mode:?}");
    }
}
