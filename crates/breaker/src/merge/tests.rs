use std::time::Duration;

use super::*;
use crate::{InstanceId, Lease, Policy, State, record::ConsecutiveFailures};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn in_phase(epoch: u64, phase: Phase) -> Record {
    Record { phase, ..Record::closed(epoch) }
}

fn open(epoch: u64, retry_at: Timestamp) -> Record {
    in_phase(epoch, Phase::Open(OpenState::new(NOW, retry_at)))
}

fn forced(epoch: u64) -> Record {
    in_phase(epoch, Phase::ForcedOpen { until: None })
}

fn manual(record: Record) -> Record {
    Record { reason: Some(Reason::new(TransitionCause::Manual)), ..record }
}

fn with_context<T>(act: impl FnOnce(Context<'_>) -> T) -> T {
    let (instance, policy) = (InstanceId::new("me"), Policy::default());
    act(Context { instance: &instance, policy: &policy, now: after(1) })
}

fn merged(local: &Record, remote: &Record) -> Applied {
    with_context(|context| merge(local, remote, context))
}

/// Two diverged instances can reach the same epoch, where it is ahead of the time or in one millisecond.
#[test]
fn equal_epochs_of_different_states_are_merged() {
    let step = merged(&manual(forced(9)), &open(9, after(20)));
    assert!(step.record.is_forced() && step.record.epoch > 9);
    let step = merged(&open(9, after(20)), &manual(forced(9)));
    assert_eq!((step.record.is_forced(), step.transition), (true, None));
    let step = merged(&open(9, after(20)), &open(9, after(5)));
    assert_eq!(step.record.retry_at(), Some(after(20)));
    assert!(step.record.epoch > 9);
    let step = merged(&open(9, after(20)), &Record::closed(9));
    assert_eq!((step.record.retry_at(), step.record.epoch > 9), (Some(after(20)), true));
    assert_eq!(merged(&Record::closed(9), &open(9, after(20))).transition, None);
}

/// B7: what a clock an hour ahead wrote during an outage counts as written now.
#[test]
fn a_clock_ahead_of_time_prolongs_nothing() {
    let hour = Duration::from_secs(3_600);
    let local = Record { updated_at: after(1) + hour, ..open(9, after(6) + hour) };
    let step = merged(&local, &Record::closed(5));
    assert_eq!(step.record.retry_at(), Some(after(6)));
    let step = with_context(|context| restore(&local, None, context)).unwrap();
    assert_eq!(step.record.retry_at(), Some(after(6)));
}

#[test]
fn equal_records_stay_as_they_are() {
    let record = open(5, after(9));
    let step = merged(&record, &record);
    assert_eq!((step.record, step.transition), (record, None));
}

#[test]
fn the_newer_epoch_wins_in_an_epoch_of_its_own() {
    let step = merged(&open(9, after(9)), &Record::closed(5));
    assert_eq!(step.record.stored_state(), State::Open);
    assert_eq!(step.record.epoch, after(1).as_millis());
    let transition = step.transition.unwrap();
    assert_eq!((transition.from, transition.to), (State::Closed, State::Open));
    assert_eq!(transition.reason.cause, TransitionCause::Merged);
    assert_eq!(merged(&Record::closed(5), &open(9, after(9))).transition, None);
}

#[test]
fn of_two_open_ones_the_later_deadline_wins() {
    for (local, remote) in [(after(9), after(20)), (after(20), after(9))] {
        for (local_epoch, remote_epoch) in [(5, 9), (9, 5)] {
            let step = merged(&open(local_epoch, local), &open(remote_epoch, remote));
            assert_eq!(step.record.retry_at(), Some(after(20)));
        }
    }
}

#[test]
fn forced_yields_only_to_a_newer_manual_override() {
    assert!(merged(&Record::closed(9), &forced(5)).record.is_forced());
    assert!(merged(&forced(5), &open(9, after(9))).record.is_forced());
    assert!(!merged(&manual(Record::closed(9)), &forced(5)).record.is_forced());
    assert!(!merged(&forced(5), &manual(Record::closed(9))).record.is_forced());
}

#[test]
fn without_a_change_of_state_the_larger_count_wins() {
    let counted = |failures| Record {
        consecutive_failures: ConsecutiveFailures { count: failures, ..ConsecutiveFailures::default() },
        ..Record::closed(5)
    };
    assert_eq!(merged(&counted(2), &counted(1)).record.consecutive_failures.count, 2);
    assert_eq!(merged(&counted(1), &counted(2)).record, counted(2));
}

#[test]
fn connection_failures_of_one_instance_are_not_merged() {
    let alone = Some(InstanceId::new("me"));
    let local = in_phase(9, Phase::Open(OpenState { sole_reporter: alone, ..OpenState::new(NOW, after(9)) }));
    assert_eq!(merged(&local, &Record::closed(5)).record, Record::closed(5));
}

#[test]
fn a_merged_probe_leaves_no_lease_behind() {
    let outage = OpenState::new(NOW, NOW);
    let lease = Lease { id: "1".to_owned(), instance: InstanceId::new("me"), until: after(15) };
    let local = in_phase(9, Phase::HalfOpen { outage, leases: vec![lease], successes: 1 });
    assert!(matches!(merged(&local, &Record::closed(5)).record.phase, Phase::Open(_)));
}

#[test]
fn only_what_protects_is_restored() {
    let restored = |known: &Record, found: Option<&Record>| {
        with_context(|context| restore(known, found, context).map(|step| step.record))
    };
    assert_eq!(restored(&Record::closed(5), None), None);
    let written = restored(&open(5, after(9)), None).unwrap();
    assert_eq!((written.retry_at(), written.epoch), (Some(after(9)), after(1).as_millis()));
    assert!(restored(&forced(5), Some(&Record::closed(7))).unwrap().is_forced());
    assert_eq!(restored(&open(5, after(9)), Some(&open(7, after(3)))), None);
    assert_eq!(restored(&in_phase(5, Phase::ForcedOpen { until: Some(NOW) }), None), None);
}

#[test]
fn a_restored_record_is_no_newer_for_being_restored() {
    let by_hand = Record { reason: Some(Reason::new(TransitionCause::Manual)), ..Record::closed(7) };
    let restored = with_context(|context| restore(&forced(5), None, context)).unwrap().record;
    assert!(restored.epoch > 7);
    assert_eq!(merged(&by_hand, &restored).record.phase, Phase::Closed);
    // In the other order: the close was written first.
    let begun = Record { epoch: 99, origin_epoch: Some(7), ..by_hand };
    assert_eq!(with_context(|context| restore(&forced(5), Some(&begun), context)), None);
    assert!(with_context(|context| restore(&forced(9), Some(&begun), context)).is_some());
}

/// B12: what is known to concern all is not narrowed by what another saw of one source.
#[test]
fn a_bound_outage_yields_to_one_for_all() {
    let scope = crate::SourceScope::of_caller("ci".parse().ok());
    let bound = |epoch, retry_at| {
        in_phase(
            epoch,
            Phase::Open(OpenState { bound_to: Some(scope.clone()), ..OpenState::new(NOW, retry_at) }),
        )
    };
    for (local, remote) in
        [(bound(9, after(9)), open(5, after(20))), (open(5, after(20)), bound(9, after(9)))]
    {
        let record = merged(&local, &remote).record;
        assert_eq!((record.bound_to(), record.retry_at()), (None, Some(after(20))));
    }
    let record = merged(&bound(9, after(9)), &bound(5, after(20))).record;
    assert_eq!((record.bound_to(), record.retry_at()), (Some(&scope), Some(after(20))));
}

/// B12: the larger row wins, with its sources.
#[test]
fn the_larger_count_keeps_its_sources() {
    let source = crate::Source { caller: "ci".parse().ok(), tag: Some(1) };
    let mut local = Record::closed(5);
    local.consecutive_failures.count = 2;
    local.consecutive_failures.by.add(&source);
    let mut remote = Record::closed(5);
    remote.consecutive_failures.count = 1;
    assert_eq!(merged(&local, &remote).record.consecutive_failures, local.consecutive_failures);
    assert_eq!(merged(&remote, &local).record.consecutive_failures, local.consecutive_failures);
}
