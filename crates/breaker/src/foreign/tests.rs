use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    Document, Extras, InstanceId, Lease, SourceScope, Window, encode,
    window::{Bucket, FailureSources},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn record(phase: Phase) -> Record {
    let bucket = Bucket {
        start: NOW,
        calls: 9,
        failures: 5,
        connection_failures: 0,
        sources: FailureSources::Empty,
        by: SourceCounts::default(),
    };
    Record {
        phase,
        trips: 2,
        reason: Some(Reason::manual(Some("price change".to_owned()), None)),
        window: Window { buckets: vec![bucket] },
        updated_at: NOW,
        ..Record::closed(NOW.as_millis())
    }
}

fn open() -> Phase {
    Phase::Open(OpenState::new(NOW, NOW + Duration::from_secs(5)))
}

fn half_open() -> Phase {
    let lease =
        Lease { id: "l".to_owned(), instance: InstanceId::new("a"), until: NOW + Duration::from_secs(15) };
    let outage = OpenState::new(NOW, NOW + Duration::from_secs(5));
    Phase::HalfOpen { outage, leases: vec![lease], successes: 0 }
}

fn forced(seconds: u64) -> Phase {
    Phase::ForcedOpen { until: Some(NOW + Duration::from_secs(seconds)) }
}

/// What an Open SWE instance makes of our record.
fn rewritten(ours: &Record, state: &str, failures: u32, opened_at: Option<Timestamp>) -> External {
    let mut value: Value = serde_json::from_slice(&encode(ours, &Extras::default())).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.insert("state".to_owned(), json!(state));
    fields.insert("failureCount".to_owned(), json!(failures));
    fields.insert("lastFailureTime".to_owned(), json!(NOW));
    fields.remove("openedAt");
    fields.extend(opened_at.map(|at| ("openedAt".to_owned(), json!(at))));
    external(&value.to_string())
}

fn external(text: &str) -> External {
    match Document::parse(text.as_bytes(), &Policy::default()) {
        Document::External(external, _) => external,
        other => panic!("not foreign: {other:?}"),
    }
}

fn adopted(external: &External, before: &Record, at: Timestamp) -> (Record, Option<Transition>) {
    let (instance, policy) = (InstanceId::new("b"), Policy::default());
    let tail = (before.stored_state(), before.epoch);
    let known = KnownBefore { record: Some(before), last_epoch: before.epoch, history_tail: Some(tail) };
    adopt(external, known, Context { instance: &instance, policy: &policy, now: at })
}

#[test]
fn a_count_leaves_epoch_window_and_leases() {
    let later = NOW + Duration::from_secs(1);
    for (phase, state, opened_at) in [
        (Phase::Closed, "CLOSED", None),
        (open(), "OPEN", Some(later)),
        (half_open(), "OPEN", Some(later)),
        (forced(20), "OPEN", Some(later)),
        (forced(20), "CLOSED", None),
    ] {
        let before = record(phase);
        let (after, transition) = adopted(&rewritten(&before, state, 1, opened_at), &before, later);
        assert_eq!(transition, None, "{before:?}");
        assert_eq!(after.consecutive_failures.count, 1, "the row is what the value says");
        let counts = ConsecutiveFailures::default();
        let same = Record { consecutive_failures: counts, updated_by: None, updated_at: NOW, ..after };
        assert_eq!(same, before);
    }
}

#[test]
fn a_late_success_closes_nothing() {
    for phase in [open(), half_open()] {
        let before = record(phase);
        let closes = rewritten(&before, "CLOSED", 0, None);
        let (after, transition) = adopted(&closes, &before, NOW + Duration::from_secs(179));
        assert_eq!((after.phase, after.epoch, transition), (before.phase.clone(), before.epoch, None));
        let (after, transition) = adopted(&closes, &before, NOW + Duration::from_secs(180));
        assert_eq!((after.phase, after.trips), (Phase::Closed, 0), "it has come back by itself");
        assert!(transition.is_some() && after.epoch > before.epoch && after.window == Window::default());
    }
}

#[test]
fn an_operators_edit_of_the_state_alone_closes() {
    let row = ConsecutiveFailures { count: 3, last: NOW, ..ConsecutiveFailures::default() };
    for (row, failures, opened_at) in [
        (row.clone(), 3, Some(NOW)),
        (row.clone(), 0, Some(NOW)),
        (row, 3, None),
        (ConsecutiveFailures::default(), 0, Some(NOW)),
    ] {
        for phase in [open(), half_open()] {
            let before = Record { consecutive_failures: row.clone(), ..record(phase) };
            let edited = rewritten(&before, "CLOSED", failures, opened_at);
            let (after, transition) = adopted(&edited, &before, NOW + Duration::from_secs(1));
            assert_eq!((&after.phase, after.consecutive_failures.count), (&Phase::Closed, failures));
            assert!(transition.is_some() && after.epoch > before.epoch, "{edited:?}");
        }
    }
}

#[test]
fn what_carries_nothing_of_ours_is_a_persons_word() {
    let before = record(open());
    for (text, phase) in
        [(r#"{"state":"CLOSED"}"#, Phase::Closed), (r#"{"state":"OPEN"}"#, Phase::ForcedOpen { until: None })]
    {
        let (after, transition) = adopted(&external(text), &before, NOW);
        let transition = transition.unwrap();
        assert_eq!((transition.from, transition.epoch), (State::Open, after.epoch));
        assert_eq!((after.phase, after.trips, after.window), (phase, 0, Window::default()));
        assert_eq!(after.reason, Some(Reason::new(TransitionCause::External)));
    }
    let forced = record(forced(20));
    let (after, transition) = adopted(&external(r#"{"state":"CLOSED"}"#), &forced, NOW);
    assert_eq!((after.phase, transition.is_some()), (Phase::Closed, true));
}

#[test]
fn a_forced_state_yields_at_its_end() {
    let before = record(forced(20));
    let closes = rewritten(&before, "CLOSED", 0, None);
    let (after, _) = adopted(&closes, &before, NOW + Duration::from_secs(19));
    assert_eq!((after.phase, &after.reason), (before.phase.clone(), &before.reason));
    let (after, transition) = adopted(&closes, &before, NOW + Duration::from_secs(20));
    assert_eq!((after.phase, transition.is_some()), (Phase::Closed, true));
}

/// It read the circuit before the operator's command, and wrote after it.
#[test]
fn two_steps_around_an_override() {
    let (closed, later) = (record(Phase::Closed), NOW.as_millis() + 1);
    let forced = Record { epoch: later, ..record(forced(20)) };
    let (after, transition) = adopted(&rewritten(&closed, "CLOSED", 1, None), &forced, NOW);
    assert_eq!((after.phase, transition), (forced.phase.clone(), None), "B10");
    let closed = Record { epoch: later + 1, ..closed };
    let (after, transition) = adopted(&rewritten(&forced, "CLOSED", 1, None), &closed, NOW);
    assert_eq!((after.phase, transition), (Phase::Closed, None), "a person's close");
}

#[test]
fn two_failures_of_others_open_a_bound_circuit_for_all() {
    let scope = SourceScope::of_caller("ci".parse().ok());
    let mut outage = OpenState::new(NOW, NOW + Duration::from_secs(5));
    outage.bound_to = Some(scope);
    let before = record(Phase::Open(outage));
    let (after, transition) = adopted(&rewritten(&before, "OPEN", 1, Some(NOW)), &before, NOW);
    assert_eq!((after.phase, transition), (before.phase.clone(), None));
    let (after, transition) = adopted(&rewritten(&before, "OPEN", 2, Some(NOW)), &before, NOW);
    assert!(after.bound_to().is_none() && transition.is_some(), "{after:?}");
}

#[test]
fn a_new_epoch_follows_all_that_are_known() {
    let before = Record { epoch: NOW.as_millis() + 500, ..record(open()) };
    let (after, transition) = adopted(&external(r#"{"state":"CLOSED","epoch":3}"#), &before, NOW);
    assert_eq!(after.epoch, NOW.as_millis() + 501);
    assert_eq!(transition.map(|transition| transition.to), Some(State::Closed));
    let written = encode(&after, &Extras::default());
    assert_eq!(Document::parse(&written, &Policy::default()), Document::Native(after, Extras::default()));
}
