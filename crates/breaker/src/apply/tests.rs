use std::time::Duration;

use super::{open::open_period, *};
use crate::{Failure, FailureKind};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn after(millis: u64) -> Timestamp {
    NOW + Duration::from_millis(millis)
}

/// One circuit without jitter, and the time of what happens next.
struct Circuit {
    policy: Policy,
    record: Record,
    instance: InstanceId,
}

impl Circuit {
    fn new(mut policy: Policy) -> Self {
        policy.open_jitter = 0.0;
        let instance = InstanceId::new("a");
        let record = Record::fresh(0, &instance, NOW);
        Self { policy, record, instance }
    }

    fn apply(&mut self, event: &Event, now: Timestamp) -> Applied {
        let context = Context { instance: &self.instance, policy: &self.policy, now };
        let step = apply(&self.record, event, context);
        self.record = step.record.clone();
        step
    }

    fn end(&mut self, outcome: Outcome, at: Timestamp) -> Applied {
        let stamp = AdmissionToken { epoch: self.record.epoch, lease_id: None };
        self.apply(&Event::CallCompleted { token: stamp, outcome, source: None, at }, at)
    }

    fn fail(&mut self, at: Timestamp) -> Applied {
        self.end(Outcome::Failed(Failure::status(529)), at)
    }

    fn probe(&mut self, id: &str, now: Timestamp) -> EventResult {
        let until = now + self.policy.probe_lease;
        let lease = Lease { id: id.to_owned(), instance: self.instance.clone(), until };
        self.apply(&Event::ProbeRequested { lease, source: None }, now).result
    }
}

#[test]
fn an_outcome_from_a_clock_ahead_of_time_is_dated_now() {
    let mut circuit = Circuit::new(Policy::open_swe());
    let stamp = AdmissionToken { epoch: circuit.record.epoch, lease_id: None };
    let an_hour_ahead = after(3_600_000);
    for _ in 0..2 {
        let outcome = Outcome::Failed(Failure::status(529));
        circuit.apply(
            &Event::CallCompleted { token: stamp.clone(), outcome, source: None, at: an_hour_ahead },
            after(5),
        );
    }
    assert_eq!(circuit.record.retry_at(), Some(after(180_005)));
    assert_eq!(circuit.record.consecutive_failures.last, after(5));
}

#[test]
fn consecutive_failures_trip_at_exactly_their_span() {
    for (span, trips) in [(249, false), (250, true)] {
        let mut circuit = Circuit::new(Policy::default());
        circuit.fail(NOW);
        circuit.fail(NOW);
        let step = circuit.fail(after(span));
        assert_eq!(step.transition.is_some(), trips, "failures within {span} ms");
    }
}

#[test]
fn consecutive_failures_expire_at_exactly_their_ttl() {
    let minutes = 15 * 60 * 1_000;
    for (pause, failures) in [(minutes - 1, 2), (minutes, 1)] {
        let mut circuit = Circuit::new(Policy::default());
        circuit.fail(NOW);
        circuit.fail(after(pause));
        assert_eq!(circuit.record.consecutive_failures.count, failures, "a pause of {pause} ms");
    }
}

#[test]
fn a_transition_says_what_changed() {
    let mut circuit = Circuit::new(Policy::open_swe());
    let before = circuit.record.epoch;
    assert_eq!(circuit.fail(NOW).transition, None);
    let transition = circuit.fail(after(1)).transition.unwrap();
    assert_eq!((transition.from, transition.to), (State::Closed, State::Open));
    assert!(transition.epoch > before);
    assert_eq!(transition.epoch, circuit.record.epoch);
    assert_eq!(transition.at, after(1));
}

#[test]
fn periods_grow_to_the_maximum_and_no_further() {
    let policy = Policy { open_jitter: 0.0, ..Policy::default() };
    let millis: Vec<u128> = (1..=5).map(|trips| open_period(&policy, trips, 7).as_millis()).collect();
    assert_eq!(millis, [5_000, 7_500, 11_250, 15_000, 15_000]);
    assert_eq!(open_period(&policy, u32::MAX, 7), policy.max_open_duration);
}

#[test]
fn jitter_stays_within_its_share_and_differs() {
    let policy = Policy { max_open_duration: Duration::from_secs(60), ..Policy::default() };
    let millis: Vec<u128> = (0..1_000).map(|epoch| open_period(&policy, 1, epoch).as_millis()).collect();
    assert!(millis.iter().all(|period| (4_500..=5_500).contains(period)));
    assert!(millis.iter().any(|period| *period < 4_600) && millis.iter().any(|period| *period > 5_400));
    let longest = Policy { max_open_duration: policy.open_duration, ..policy };
    assert!((0..1_000).all(|epoch| open_period(&longest, 1, epoch) <= longest.max_open_duration));
}

#[test]
fn a_cooldown_does_not_shorten_the_deadline_of_an_early_probe() {
    let mut circuit = Circuit::new(Policy::open_swe());
    let cannot_connect = || Outcome::Failed(Failure::new(FailureKind::Connection));
    circuit.end(cannot_connect(), NOW);
    circuit.end(cannot_connect(), after(1));
    let deadline = circuit.record.retry_at().unwrap();
    circuit.instance = InstanceId::new("b");
    let EventResult::ProbeGranted { epoch } = circuit.probe("1", after(2)) else {
        panic!("b may probe immediately")
    };
    let stamp = AdmissionToken { epoch, lease_id: Some("1".to_owned()) };
    let outcome =
        Outcome::RateLimited { failure: Failure::status(429), retry_after: Some(Duration::from_secs(1)) };
    circuit.apply(&Event::CallCompleted { token: stamp, outcome, source: None, at: after(3) }, after(3));
    assert_eq!(circuit.record.retry_at(), Some(deadline));
}

#[test]
fn a_replaced_lease_makes_room_for_one() {
    let mut circuit = Circuit::new(Policy { half_open_probes: 2, ..Policy::open_swe() });
    circuit.fail(NOW);
    circuit.fail(NOW);
    let due = circuit.record.retry_at().unwrap();
    for id in ["1", "2"] {
        assert!(matches!(circuit.probe(id, due), EventResult::ProbeGranted { .. }));
    }
    assert_eq!(circuit.probe("3", due), EventResult::ProbeDenied);
    let ended = due + circuit.policy.probe_lease + crate::LEASE_GRACE;
    assert!(matches!(circuit.probe("3", ended), EventResult::ProbeGranted { .. }));
    let Phase::HalfOpen { leases, .. } = &circuit.record.phase else { panic!("{:?}", circuit.record.phase) };
    assert_eq!(leases.iter().map(|lease| lease.id.as_str()).collect::<Vec<_>>(), ["2", "3"]);
}

#[test]
fn a_lease_is_renewed_by_its_holder_only_and_never_shortened() {
    let mut circuit = Circuit::new(Policy::open_swe());
    circuit.fail(NOW);
    circuit.fail(NOW);
    let due = circuit.record.retry_at().unwrap();
    let EventResult::ProbeGranted { epoch } = circuit.probe("1", due) else { panic!("a probe is due") };
    let renew = |id: &str, epoch, until| Event::LeaseRenewed {
        token: AdmissionToken { epoch, lease_id: Some(id.to_owned()) },
        until,
    };
    let ended = due + circuit.policy.probe_lease + crate::LEASE_GRACE;
    for other in [renew("2", epoch, ended), renew("1", epoch + 1, ended)] {
        assert_eq!(circuit.apply(&other, due).result, EventResult::Stale);
    }
    let later = ended + circuit.policy.probe_lease;
    let renewed = circuit.apply(&renew("1", epoch, later), due);
    assert_eq!((renewed.result, renewed.transition), (EventResult::Recorded, None));
    assert_eq!(circuit.probe("3", ended), EventResult::ProbeDenied, "the slot is held");
    circuit.apply(&renew("1", epoch, due), ended);
    assert_eq!(circuit.probe("3", ended), EventResult::ProbeDenied, "not shortened");
    assert!(matches!(circuit.probe("3", later + crate::LEASE_GRACE), EventResult::ProbeGranted { .. }));
    assert_eq!(circuit.apply(&renew("1", epoch, later), later).result, EventResult::Stale, "taken over");
}

#[test]
fn a_ttl_refresh_is_no_transition() {
    let mut circuit = Circuit::new(Policy::default());
    let step = circuit.apply(&Event::RefreshTtl, after(1_000));
    assert_eq!((step.record.updated_at, step.transition), (after(1_000), None));
}

#[test]
fn off_obeys_manual_overrides_only() {
    let mut circuit = Circuit::new(Policy { mode: Mode::Off, ..Policy::open_swe() });
    assert_eq!(circuit.fail(NOW).result, EventResult::Stale);
    let opened = circuit.apply(&Event::ForceOpen { until: None, reason: None, by: None }, NOW);
    assert_eq!(opened.result, EventResult::Recorded);
    assert!(opened.record.is_forced());
}

#[test]
fn a_key_outlives_its_open_period_and_lease() {
    let day = Duration::from_secs(24 * 60 * 60);
    let long = Policy { open_duration: 2 * day, max_open_duration: 2 * day, ..Policy::open_swe() };
    let mut circuit = Circuit::new(long);
    assert_eq!(circuit.record.ttl(NOW), Some(day));
    circuit.fail(NOW);
    circuit.fail(NOW);
    assert_eq!(circuit.record.ttl(NOW), Some(2 * day + crate::LEASE_GRACE));
    circuit.apply(&Event::ForceOpen { until: None, reason: None, by: None }, NOW);
    assert_eq!(circuit.record.ttl(NOW), None);
}

#[test]
fn a_late_failure_counts_but_does_not_trip() {
    let mut circuit = Circuit::new(Policy { failure_rate: None, ..Policy::default() });
    let stamp = AdmissionToken { epoch: circuit.record.epoch, lease_id: None };
    let late = |at| Event::CallCompleted {
        token: stamp.clone(),
        outcome: Outcome::Failed(Failure::status(529)),
        source: None,
        at,
    };
    let counts = |circuit: &Circuit| {
        (circuit.record.consecutive_failures.count, circuit.record.consecutive_failures.late_count)
    };
    circuit.apply(&late(NOW), after(251));
    assert_eq!(counts(&circuit), (1, 1), "there were no failures when it came");
    circuit.fail(after(300));
    assert_eq!((counts(&circuit), circuit.record.consecutive_failures.since), ((2, 1), after(300)));
    circuit.apply(&late(after(299)), after(551));
    assert_eq!(counts(&circuit), (3, 2), "it is older than the first failure");
    circuit.apply(&late(after(301)), after(600));
    assert_eq!(counts(&circuit), (4, 2), "it came after the first failure");
    assert!(matches!(circuit.record.phase, Phase::Closed), "two in time are fewer than three");
    circuit.fail(after(601));
    assert!(matches!(circuit.record.phase, Phase::Open(_)));
}

#[test]
fn a_success_before_the_first_failure_resets_nothing() {
    let mut circuit = Circuit::new(Policy::default());
    let stamp = AdmissionToken { epoch: circuit.record.epoch, lease_id: None };
    let success =
        |at| Event::CallCompleted { token: stamp.clone(), outcome: Outcome::Succeeded, source: None, at };
    circuit.fail(after(10));
    circuit.apply(&success(after(9)), after(11));
    assert_eq!(circuit.record.consecutive_failures.count, 1);
    circuit.apply(&success(after(10)), after(11));
    assert_eq!(circuit.record.consecutive_failures.count, 0);
}
