//! Taking over what an Open SWE instance or an operator wrote (O1, O6).
//!
//! An Open SWE instance writes at each success and failure, and carries our fields along. What leaves the state as it was is
//! a count: our epoch, window and leases go on, so that our own rules decide beside any number of such instances. So is a
//! late result of such an instance. What changes the state otherwise is obeyed, and begins an epoch of its own.

use crate::{
    Context, External, Phase, Policy, Reason, Record, SourceCounts, State, Timestamp, Transition,
    TransitionCause,
    record::{ConsecutiveFailures, OPEN_SWE_OPEN_DURATION, OpenState, next_epoch},
};

/// What an external value does to a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalChange {
    /// It leaves the state as it was: this record, in the same epoch.
    Counts(Record),
    /// It changes the state: this record, which has no epoch of its own yet.
    State(Record),
}

/// What is known of a circuit that was written externally.
#[derive(Debug, Clone, Copy)]
pub struct KnownBefore<'a> {
    /// The last record that the instance knew in the store; `None`: it knows none.
    pub record: Option<&'a Record>,
    /// The last epoch that it knew of.
    pub last_epoch: u64,
    /// The state and the epoch in which the history ends; `None`: it has no entry.
    pub history_tail: Option<(State, u64)>,
}

impl External {
    /// What it does to a circuit of which this is known.
    #[must_use]
    pub fn change(&self, known: KnownBefore<'_>, policy: &Policy, now: Timestamp) -> ExternalChange {
        let written = clamp(&self.record, policy, now);
        let Some(before) = self.before(known) else { return ExternalChange::State(written) };
        // Made from a record that another has replaced since: it says nothing of that one.
        let is_outdated = self.carried.as_ref().is_some_and(|carried| carried.epoch < before.epoch);
        if let Phase::ForcedOpen { until } = before.phase
            && until.is_none_or(|until| now < until)
        {
            return if is_outdated || written.phase == before.phase {
                ExternalChange::Counts(counted(before, &written))
            } else {
                ExternalChange::State(written)
            };
        }
        let has_ended = matches!(before.phase, Phase::ForcedOpen { .. });
        let written = if written.is_forced() && (has_ended && self.carried.is_some() || is_outdated) {
            clamp(&Record { phase: self.unforced.clone(), ..written }, policy, now)
        } else {
            written
        };
        let phase = match (&before.phase, &written.phase) {
            (Phase::Closed, Phase::Closed) => Phase::Closed,
            (Phase::Open(_) | Phase::HalfOpen { .. }, Phase::Open(_)) if self.carried.is_some() => {
                before.phase.clone()
            }
            (Phase::Open(outage) | Phase::HalfOpen { outage, .. }, Phase::Closed)
                if self.is_late_success(&before, outage, now) =>
            {
                before.phase.clone()
            }
            (Phase::Open(ours), Phase::Open(theirs)) if ours.bound_to.is_none() => Phase::Open(OpenState {
                opened_at: theirs.opened_at,
                retry_at: ours.retry_at.max(theirs.retry_at),
                ..ours.clone()
            }),
            _ => return ExternalChange::State(written),
        };
        let counted = Record { phase, ..counted(before, &written) };
        let failures = &counted.consecutive_failures;
        // Two failures of others: it opens for all (B12).
        let is_wider =
            counted.bound_to().is_some_and(|scope| failures.by.widened(scope, failures.count).is_some());
        if is_wider { ExternalChange::State(written) } else { ExternalChange::Counts(counted) }
    }

    /// An Open SWE instance found this outage and closed it, though it admits no call until its own open period has ended:
    /// the success of a call from before the outage, which closes nothing (B4). An operator who edits only `state` leaves
    /// `openedAt` or the failures as they were, and is obeyed (O1).
    fn is_late_success(&self, before: &Record, outage: &OpenState, now: Timestamp) -> bool {
        self.is_success
            && self.carried.as_ref().is_some_and(|carried| carried.epoch == before.epoch)
            && now < outage.opened_at + OPEN_SWE_OPEN_DURATION
    }

    /// The newest record that the value replaced, as far as is known; `None`: one that nobody here has seen.
    fn before(&self, known: KnownBefore<'_>) -> Option<Record> {
        let carried = self.carried.as_deref();
        let ours = known.record.filter(|record| record.epoch > 0);
        let before = match (ours, carried) {
            (Some(ours), Some(carried)) if ours.epoch == carried.epoch => {
                if ours.stored_state() != carried.stored_state() {
                    return None;
                }
                let newer = if carried.updated_at > ours.updated_at { carried } else { ours };
                Record { window: ours.window.merged(&carried.window), ..newer.clone() }
            }
            (Some(ours), Some(carried)) if carried.epoch > ours.epoch => carried.clone(),
            (None, Some(carried)) => carried.clone(),
            (Some(ours), _) => ours.clone(),
            (None, None) => return None,
        };
        let continues = known.history_tail.is_none_or(|(state, epoch)| {
            before.epoch > epoch || before.epoch == epoch && before.stored_state() == state
        });
        continues.then_some(before)
    }
}

/// Takes over an external value. `None` as the transition: it leaves the state as it was. Else it begins an epoch of its own,
/// so that earlier permits are stale; the transition continues the history, whatever this instance has missed (B11).
#[must_use]
pub fn adopt(
    external: &External,
    known: KnownBefore<'_>,
    context: Context<'_>,
) -> (Record, Option<Transition>) {
    let Context { instance, policy, now } = context;
    let written = match external.change(known, policy, now) {
        ExternalChange::Counts(record) => {
            let record = Record { updated_by: Some(instance.clone()), updated_at: now, ..record };
            return (record, None);
        }
        ExternalChange::State(record) => record,
    };
    let (from, tail_epoch) = known.history_tail.unwrap_or((State::Closed, 0));
    let last = tail_epoch.max(written.epoch).max(known.last_epoch);
    let reason = Reason::new(TransitionCause::External);
    let record = Record {
        epoch: next_epoch(last, now),
        reason: Some(reason.clone()),
        updated_by: Some(instance.clone()),
        updated_at: now,
        ..written
    };
    let transition = Transition {
        from,
        to: record.stored_state(),
        epoch: record.epoch,
        reason,
        instance: instance.clone(),
        at: now,
    };
    (record, Some(transition))
}

/// The record before with the consecutive failures that the value says. Failures that it adds are others' (B12).
fn counted(before: Record, written: &Record) -> Record {
    let (ours, theirs) = (&before.consecutive_failures, &written.consecutive_failures);
    let consecutive_failures = if theirs.count == 0 || theirs.count < ours.count || ours.count == 0 {
        ConsecutiveFailures { by: SourceCounts::default(), ..theirs.clone() }
    } else {
        let sole_reporter = ours.sole_reporter.clone().filter(|_| theirs.count == ours.count);
        ConsecutiveFailures { count: theirs.count, last: theirs.last, sole_reporter, ..ours.clone() }
    };
    Record { consecutive_failures, ..before }
}

/// An external value as it counts at this time of the store's: what is dated later happened now. A clock that is ahead, or a
/// time in another unit, must not keep a circuit open.
fn clamp(external: &Record, policy: &Policy, now: Timestamp) -> Record {
    let mut record = external.clone();
    let failures = &mut record.consecutive_failures;
    (failures.since, failures.last) = (failures.since.min(now), failures.last.min(now));
    if let Phase::Open(outage) = &mut record.phase
        && outage.opened_at > now
    {
        *outage = OpenState::new(now, now + policy.open_duration);
    }
    record
}

#[cfg(test)]
mod tests;
