use std::time::Duration;

use super::*;
use crate::{InstanceBlock, Lease, Source, SourceBlock, SourceScope, record::OpenState};

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

/// `admission_of_all` says nothing that `admit` does not say to everyone at every moment.
#[test]
fn what_all_get_is_what_each_one_gets() {
    let retry_at = NOW + Duration::from_secs(5);
    let caller = || "ci".parse().ok();
    let of_caller = SourceScope { caller: caller(), tag: None };
    let source_block = SourceBlock { scope: of_caller.clone(), until: retry_at + Duration::from_secs(5) };
    let instance_block = InstanceBlock {
        instance: InstanceId::new("me"),
        failures: 3,
        since: NOW,
        last: NOW,
        until: retry_at + Duration::from_secs(5),
        trips: 1,
    };
    let lease = Lease { id: "1".to_owned(), instance: InstanceId::new("other"), until: retry_at };
    let phases = [
        Phase::Closed,
        Phase::Open(outage(retry_at, None)),
        Phase::Open(outage(retry_at, Some("other"))),
        Phase::Open(OpenState { bound_to: Some(of_caller), ..outage(retry_at, None) }),
        Phase::Open(OpenState { waiting: Some(source_block.clone()), ..outage(retry_at, None) }),
        Phase::HalfOpen { outage: outage(NOW, None), leases: vec![lease], successes: 0 },
        Phase::ForcedOpen { until: Some(retry_at) },
        Phase::ForcedOpen { until: None },
    ];
    let requesters = [None, Some(Source { caller: caller(), tag: Some(1) })];
    let times = [NOW, retry_at - Duration::from_millis(1), retry_at, retry_at + Duration::from_secs(60)];
    let mut seen = Vec::new();
    for (phase, blocks, mode) in phases.iter().flat_map(|phase| {
        let modes = [Mode::Enforce, Mode::Observe, Mode::Off];
        modes.into_iter().flat_map(move |mode| (0..4).map(move |blocks| (phase, blocks, mode)))
    }) {
        let mut record = in_phase(phase.clone());
        record.blocked_sources.extend((blocks & 1 != 0).then(|| source_block.clone()));
        record.blocked_instances.extend((blocks & 2 != 0).then(|| instance_block.clone()));
        let policy = Policy { mode, ..Policy::default() };
        let of_all = admission_of_all(&record, &policy);
        seen.push(of_all);
        for (requester, now) in requesters.iter().flat_map(|who| times.map(|now| (who, now))) {
            let admission = admit(&record, &policy, &InstanceId::new("me"), requester, now);
            let refused = |retry_at| Admission::Refused { retry_at, probing: false };
            match of_all {
                AdmissionOfAll::Depends => {}
                AdmissionOfAll::Admitted => assert_eq!(admission, Admission::Admitted, "{record:?}"),
                AdmissionOfAll::RefusedUntil(end) if now >= end => {}
                AdmissionOfAll::RefusedUntil(end) => assert_eq!(admission, refused(Some(end)), "{record:?}"),
                AdmissionOfAll::Refused => assert_eq!(admission, refused(None), "{record:?}"),
            }
        }
    }
    let count = |wanted| seen.iter().filter(|of_all| **of_all == wanted).count();
    let counts = [AdmissionOfAll::Admitted, AdmissionOfAll::RefusedUntil(retry_at), AdmissionOfAll::Refused]
        .map(count);
    assert_eq!(
        counts,
        [3, 5, 4],
        "one closed circuit in each mode; one open and four forced ones; four forced"
    );
}
