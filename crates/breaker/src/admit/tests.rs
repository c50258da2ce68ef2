use std::time::Duration;

use super::*;
use crate::{Lease, record::OpenState};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn in_phase(phase: Phase) -> Record {
    Record { phase, ..Record::closed(7) }
}

fn outage(retry_at: Timestamp, sole_reporter: Option<&str>) -> OpenState {
    OpenState { sole_reporter: sole_reporter.map(InstanceId::new), ..OpenState::new(NOW, retry_at) }
}

fn ask(phase: Phase, now: Timestamp) -> Admission {
    admit(&in_phase(phase), &Policy::default(), &InstanceId::new("me"), &None, now)
}

#[test]
fn an_open_circuit_is_due_at_its_deadline_and_not_before() {
    let retry_at = NOW + Duration::from_secs(5);
    let open = || Phase::Open(outage(retry_at, None));
    let refused = Admission::Refused { retry_at: Some(retry_at), probing: false };
    assert_eq!(ask(open(), retry_at - Duration::from_millis(1)), refused);
    assert_eq!(ask(open(), retry_at), Admission::ProbeDue);
}

#[test]
fn a_lease_occupies_its_slot_until_the_grace_period_ends() {
    let until = NOW + Duration::from_secs(15);
    let lease = Lease { id: "1".to_owned(), instance: InstanceId::new("other"), until };
    let half_open =
        || Phase::HalfOpen { outage: outage(NOW, None), leases: vec![lease.clone()], successes: 0 };
    let free = until + crate::LEASE_GRACE;
    let refused = Admission::Refused { retry_at: Some(free), probing: true };
    assert_eq!(ask(half_open(), free - Duration::from_millis(1)), refused);
    assert_eq!(ask(half_open(), free), Admission::ProbeDue);
}

#[test]
fn an_outage_of_anothers_network_is_due_immediately() {
    let retry_at = NOW + Duration::from_secs(5);
    assert_eq!(ask(Phase::Open(outage(retry_at, Some("other"))), NOW), Admission::ProbeDue);
    assert_ne!(ask(Phase::Open(outage(retry_at, Some("me"))), NOW), Admission::ProbeDue);
}

#[test]
fn a_forced_circuit_waits_for_an_operator_or_its_end() {
    let end = NOW + Duration::from_secs(60);
    let never = Admission::Refused { retry_at: None, probing: false };
    assert_eq!(ask(Phase::ForcedOpen { until: None }, end), never);
    assert_eq!(ask(Phase::ForcedOpen { until: Some(end) }, end), Admission::ProbeDue);
}

#[test]
fn observe_and_off_refuse_nobody() {
    let record = in_phase(Phase::ForcedOpen { until: None });
    for mode in [Mode::Observe, Mode::Off] {
        let policy = Policy { mode, ..Policy::default() };
        assert_eq!(admit(&record, &policy, &InstanceId::new("me"), &None, NOW), Admission::Admitted);
    }
}
