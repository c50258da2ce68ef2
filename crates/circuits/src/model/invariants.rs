//! What must hold in every state, and of every write.

use std::time::Duration;

use breaker::{Admission, Phase, Record, State, Timestamp, Transition, TransitionCause, admit};

use super::{
    bounds::{CallEnd, Callers, OperatorCommand},
    interner::{DecisionResult, InternedWrite, PendingRequest},
    world::{Model, Violation, World, is_native},
};
use crate::{
    mirror::StoredValue,
    store::{CLOCK_TOLERANCE, HistoryTail, Value},
};

impl Model {
    /// What must hold in every state.
    pub(super) fn check_state(&self, world: &World) -> Result<(), Violation> {
        let slots = self.interner.policy.half_open_probes as usize;
        let probing = world.calls.iter().filter(|call| {
            let now = self.local_time(world, usize::from(call.node));
            call.continuation_epoch.is_none() && call.lease.is_some_and(|until| now < until)
        });
        if self.bounds.one_probe && probing.clone().count() > slots {
            return Err("B2: more calls probe than there are slots".to_owned());
        }
        if let Some(record) = self.interner.parse_record(world.store.value) {
            let now = self.time(world);
            let active = match &record.phase {
                Phase::HalfOpen { leases, .. } => leases.iter().filter(|lease| lease.is_active(now)).count(),
                _ => 0,
            };
            if active > slots {
                return Err("B2: more leases are active than there are slots".to_owned());
            }
        }
        self.check_sources(world)
    }

    /// B12: nobody is refused for another's failures alone, and the source of a bound circuit only probes.
    fn check_sources(&self, world: &World) -> Result<(), Violation> {
        if let Some((record, scope)) = self
            .interner
            .parse_record(world.store.value)
            .and_then(|record| Some((record, record.bound_to()?)))
        {
            let is_source = |node: u8| scope.includes(&self.interner.source_of(usize::from(node)));
            let mut current = world.calls.iter().filter(|call| call.epoch == record.epoch);
            if current.any(|call| call.lease.is_none() && is_source(call.node)) {
                return Err("B12: the source of a bound circuit was admitted without a lease".to_owned());
            }
            let failures = &record.consecutive_failures;
            if failures.count.saturating_sub(failures.by.of(scope)) >= 2 {
                return Err("B12: it is bound to a source, and others failed twice".to_owned());
            }
        }
        if self.bounds.callers != Callers::FirstFails {
            return Ok(());
        }
        for (index, node) in world.nodes.iter().enumerate().skip(1) {
            let mirror = self.interner.mirror(node.mirror);
            let (instance, source) = (&self.interner.instances[index], self.interner.source_of(index));
            let now = self.local_time(world, index);
            let admission = admit(&mirror.record, &self.interner.policy, instance, &source, now);
            if mirror.is_loaded() && admission != Admission::Admitted {
                return Err("B12: a caller whose calls succeed is refused for another's failures".to_owned());
            }
        }
        Ok(())
    }

    /// What must hold of a write that is about to be done.
    pub(super) fn check_write(
        &self,
        world: &World,
        index: usize,
        decided: &DecisionResult,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let Some(writing) = &decided.write else { return Ok(()) };
        if let Some(broken) = &decided.violation {
            return Err(broken.clone());
        }
        let rewritten = world.observed.rewritten.filter(|(_, by, _)| world.store.value == Some(*by));
        // What an Open SWE instance has rewritten.
        let replaced = rewritten.map(|(before, ..)| before).or(world.store.value);
        let before = self.interner.parse_record(replaced);
        let after = self.interner.parse_record(writing.next);
        let is_foreign = |entry: &Transition| entry.reason.cause == TransitionCause::External;
        // Taken over only after the end of an operator's opening, it is the state that follows.
        let has_ended = before.is_some_and(|before| {
            before.is_forced() && before.retry_at().is_some_and(|until| until <= decided.decided_at)
        });
        if rewritten.is_some_and(|(.., changes_state)| !changes_state)
            && !has_ended
            && writing.entries.iter().any(is_foreign)
        {
            return Err("O6: a count of an Open SWE instance, or a late result, changed the state".to_owned());
        }
        self.check_history(world, writing, before, after)?;
        let manual =
            decided.operator_command().is_some() || decided.merged_from.as_ref().is_some_and(is_manual);
        if !manual {
            check_deadlines(before, after, decided.decided_at)?;
            self.check_merge(world, index, decided, before, after)?;
            check_reset(world, decided, before, after)?;
        }
        let Some(after) = after else { return Ok(()) };
        let leases = match &after.phase {
            Phase::HalfOpen { leases, .. } => leases.iter().map(|lease| lease.until).max(),
            _ => None,
        };
        let needed = after.retry_at().max(leases).unwrap_or(now);
        let ends = writing.lifetime.map(|lifetime| now + lifetime);
        if ends.is_some_and(|end| end < needed || after.is_forced() && after.retry_at().is_none()) {
            return Err("B8: the key expires inside its open period or its probe".to_owned());
        }
        Ok(())
    }

    /// B11: every change of state has an epoch of its own and one entry, and the entries are a chain.
    fn check_history(
        &self,
        world: &World,
        writing: &InternedWrite,
        before: Option<&Record>,
        after: Option<&Record>,
    ) -> Result<(), Violation> {
        // If the history is lost, its first entry starts from what the writer knows.
        let known = writing.entries.first().map_or(State::Closed, |entry| entry.from);
        let mut state = world.store.history.state().unwrap_or(known);
        let mut epoch = world.observed.epoch.max(world.observed.history_epoch);
        for Transition { from, to, epoch: new, .. } in &writing.entries {
            if *new <= epoch {
                return Err(format!("B11: epoch {new} of {from} -> {to} is not above {epoch}"));
            }
            if *from != state {
                return Err(format!("B11: the history ends in {state}, and continues with {from} -> {to}"));
            }
            (state, epoch) = (*to, *new);
        }
        let Some(after) = after else {
            return if state == State::Closed {
                Ok(())
            } else {
                Err("B11: a reset without an entry".to_owned())
            };
        };
        if after.stored_state() != state {
            return Err(format!("B11: {} is written, but the history ends in {state}", after.stored_state()));
        }
        if !writing.entries.is_empty() && after.epoch != epoch {
            return Err("B11: the newest entry is of another epoch than the circuit".to_owned());
        }
        // An external value that leaves the state as it was.
        let continues = writing.entries.is_empty() && after.epoch == world.observed.epoch;
        let same = before.is_some_and(|before| before.epoch == after.epoch || continues);
        if !same && after.epoch <= world.observed.epoch {
            return Err(format!("B11: epoch {} comes twice", after.epoch));
        }
        let is_recorded =
            same || !writing.entries.is_empty() || !is_native(&self.interner, world.store.value);
        if !is_recorded && before.is_some() {
            return Err("B11: a new epoch without an entry".to_owned());
        }
        Ok(())
    }

    /// F3: who has just reported enough failures in a row to trip, and nothing else since, admits no call, written or not.
    pub(super) fn check_own_failures(&self, world: &World, index: usize) -> Result<(), Violation> {
        let (node, now) = (&world.nodes[index], self.local_time(world, index));
        let record = &self.interner.mirror(node.mirror).record;
        // A failure that is reported late does not trip.
        let just_failed = |request: &PendingRequest| {
            matches!(request, PendingRequest::End { epoch, leased: false, end: CallEnd::Fails, at, .. }
                if *epoch == record.epoch && *at == now)
        };
        let row = &record.consecutive_failures;
        let counted = row.count - row.late_count + u32::try_from(node.requests.len()).unwrap_or(0);
        let nobody = self.bounds.callers == Callers::Nobody && !node.requests.is_empty();
        if nobody && node.requests.iter().all(just_failed) && counted >= self.bounds.policy.failure_threshold
        {
            return Err("F3: an instance admits a call after what it has seen".to_owned());
        }
        Ok(())
    }

    /// F4: the later deadline wins, and a forced open state stays.
    pub(super) fn check_merge(
        &self,
        world: &World,
        index: usize,
        decided: &DecisionResult,
        before: Option<&Record>,
        after: Option<&Record>,
    ) -> Result<(), Violation> {
        let mirror = self.interner.mirror(world.nodes[index].mirror);
        let Some(local) = &decided.merged_from else { return Ok(()) };
        let own = matches!(mirror.stored, StoredValue::Native(_)) && mirror.value != Value::Absent;
        let (Some(remote), Some(after), true) = (before, after, own) else { return Ok(()) };
        let open = |record: &Record| matches!(record.phase, Phase::Open(_) | Phase::HalfOpen { .. });
        let ends = decided.requests.iter().any(|ask| matches!(ask, PendingRequest::End { .. }));
        if open(local) && open(remote) && !ends && after.retry_at() < local.retry_at().max(remote.retry_at())
        {
            return Err("F4: both were open, and the earlier deadline won".to_owned());
        }
        let newer = local.epoch > remote.epoch && open(local) && !remote.is_forced();
        if newer && !ends && matches!(after.phase, Phase::Closed) {
            return Err("F4: a newer outage of a diverged record is lost".to_owned());
        }
        Ok(())
    }

    /// What must hold in a quiescent state.
    pub(super) fn check_quiescent(&mut self, world: &World) -> Result<(), Violation> {
        let stored = self.interner.parse_record(world.store.value).cloned();
        for (index, node) in world.nodes.iter().enumerate() {
            let mirror = self.interner.mirror(node.mirror);
            let name = &self.interner.instances[index];
            let agrees = match (&stored, &mirror.stored) {
                (Some(record), StoredValue::Native(_)) => mirror.record == *record && !mirror.diverged,
                (Some(_), _) => false,
                (None, _) if world.store.value.is_some() => mirror.record.phase == Phase::Closed,
                (None, _) => !mirror.is_loaded(),
            };
            if !agrees || !node.connected {
                return Err(format!("L4: {name} is quiescent, but does not agree with the store"));
            }
        }
        if self.bounds.all_failures_count && world.calls.is_empty() {
            let counted = stored.as_ref().map_or(0, |record| record.consecutive_failures.count);
            if counted != world.observed.failures {
                return Err(format!(
                    "B5: {} failures were reported, {counted} are counted",
                    world.observed.failures
                ));
            }
        }
        let closed = stored.as_ref().is_none_or(|record| record.phase == Phase::Closed);
        if world.observed.forced_until.is_some() && !stored.as_ref().is_some_and(Record::is_forced) {
            return Err("B10: an operator opened it, and it is not forced".to_owned());
        }
        if world.observed.lost_open_until.is_some() && closed {
            return Err("F5: an open circuit was lost, and no instance restored it".to_owned());
        }
        Ok(())
    }

    /// Keeps what later checks need.
    pub(super) fn record_observations(&self, world: &mut World, decided: &DecisionResult) {
        match decided.operator_command() {
            Some((OperatorCommand::Open(length), at)) => {
                let until = length.map(|length| at + Duration::from_millis(length));
                let over = until.is_some_and(|until| until <= self.time(world) + CLOCK_TOLERANCE);
                world.observed.forced_until = (!over).then_some(until);
            }
            Some((OperatorCommand::Close | OperatorCommand::Reset, _)) => world.observed.forced_until = None,
            None => {}
        }
        if decided
            .requests
            .iter()
            .any(|ask| matches!(ask, PendingRequest::End { .. } | PendingRequest::Operator(..)))
        {
            world.observed.lost_open_until = None;
        }
    }
}

/// It is a manual override, which may end or shorten anything.
fn is_manual(record: &Record) -> bool {
    record
        .reason
        .as_ref()
        .is_some_and(|reason| matches!(reason.cause, TransitionCause::Manual | TransitionCause::Reset))
}

/// B8, B10: only a manual override shortens a deadline or ends a forced open state.
fn check_deadlines(before: Option<&Record>, after: Option<&Record>, at: Timestamp) -> Result<(), Violation> {
    let Some(before) = before else { return Ok(()) };
    match &before.phase {
        Phase::ForcedOpen { until }
            if until.is_none_or(|until| at < until)
                && after.is_none_or(|after| after.phase != before.phase) =>
        {
            return Err("B10: a forced open state was ended".to_owned());
        }
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => {
            let Some(after) = after else { return Err("B8: an open circuit was removed".to_owned()) };
            let closes = matches!(after.phase, Phase::Closed);
            if !closes && after.retry_at().is_some_and(|retry_at| retry_at < outage.retry_at) {
                return Err("B8: a deadline was shortened".to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

/// F5: if the key is gone and the history still exists, it was reset: nothing comes back.
fn check_reset(
    world: &World,
    decided: &DecisionResult,
    before: Option<&Record>,
    after: Option<&Record>,
) -> Result<(), Violation> {
    let deleted = world.store.value.is_none() && world.store.history != HistoryTail::Absent;
    let began = decided.requests.contains(&PendingRequest::EnsureExists);
    match after {
        Some(after) if deleted && before.is_none() => {
            let fresh = matches!(after.phase, Phase::Closed) && after.consecutive_failures.count == 0;
            if began && fresh { Ok(()) } else { Err("F5: a deleted circuit came back".to_owned()) }
        }
        _ => Ok(()),
    }
}
