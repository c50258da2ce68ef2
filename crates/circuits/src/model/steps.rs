//! What each step does.

use std::{rc::Rc, time::Duration};

use breaker::{Admission, Phase, Record, Timestamp};
use bytes::Bytes;
use fleet::open_swe::OpenSwe;

use super::{
    bounds::{CallEnd, ExternalWrite, Mutation},
    interner::{
        DecisionId, InternedWrite, Interner, MirrorId, NOT_A_PROBE, PendingRequest, StoreContent, ValueId,
    },
    world::{Action, Call, Model, Node, Violation, World, to_u8},
};
use crate::{
    mirror::{Mirror, StoredValue},
    store::{CLOCK_TOLERANCE, HistoryTail, Value},
};

impl Model {
    /// Takes a step. An error is a rule that the step breaks; a step that cannot be taken changes nothing.
    pub(super) fn step(&mut self, before: &World, action: Action) -> Result<World, Violation> {
        let mut world = before.clone();
        match action {
            Action::Tick => self.tick(&mut world),
            Action::Call(node) => self.start_call(&mut world, usize::from(node))?,
            Action::End(place, end) => self.end_call(&mut world, place, end),
            Action::Write(node) => self.write(&mut world, usize::from(node))?,
            Action::TimeOutWrite(node) => self.time_out_write(&mut world, usize::from(node))?,
            Action::DeliverWrite => {
                if let Some((node, decision)) = world.in_flight_write.take() {
                    self.compare_and_set(&mut world, usize::from(node), decision)?;
                }
            }
            Action::Read(node) => self.read_store(&mut world, usize::from(node)),
            Action::ReadSlowly(node) => {
                world.nodes[usize::from(node)].pending_read = Some(self.visible_content(world.store));
                world.used_disturbances.slow_reads += 1;
            }
            Action::ApplyRead(node) => {
                let time = self.time(&world);
                let node = &mut world.nodes[usize::from(node)];
                if let Some(content) = node.pending_read.take() {
                    node.mirror = self.interner.apply_loaded(node.mirror, content, time);
                }
            }
            Action::Reconnect(node) => self.reconnect(&mut world, usize::from(node)),
            Action::Crash(node) => self.crash(&mut world, node),
            Action::Disconnect(node) => {
                world.nodes[usize::from(node)].connected = false;
                world.used_disturbances.disconnects += 1;
            }
            Action::ClockJump(node) => {
                world.nodes[usize::from(node)].clock_jumped = true;
                world.used_disturbances.clock_jumps += 1;
            }
            Action::External(write) => self.write_externally(&mut world, write),
            Action::Flush => self.flush(&mut world),
            Action::Operator(node, command) => {
                let at = self.local_time(&world, usize::from(node));
                world.nodes[usize::from(node)].requests.push(PendingRequest::Operator(command, at));
                world.used_disturbances.operator_commands += 1;
            }
        }
        self.check_state(&world)?;
        Ok(world)
    }

    fn tick(&self, world: &mut World) {
        world.moment += 1;
        let now = self.time(world);
        // The store would reject it by now: it was decided too long ago.
        world.in_flight_write = world.in_flight_write.filter(|(_, decision)| {
            !exceeds_clock_tolerance(now, self.interner.decision(*decision).decided_at)
        });
        if world.observed.lost_open_until.flatten().is_some_and(|until| until <= now) {
            world.observed.lost_open_until = None;
        }
        if world.observed.forced_until.flatten().is_some_and(|until| until <= now + CLOCK_TOLERANCE) {
            world.observed.forced_until = None;
        }
    }

    fn start_call(&mut self, world: &mut World, index: usize) -> Result<(), Violation> {
        let admission = self.admission(world, index);
        let mirror = self.interner.mirror(world.nodes[index].mirror);
        if !mirror.is_loaded() {
            world.nodes[index].requests.push(PendingRequest::EnsureExists);
            return Ok(());
        }
        let call = world.calls_started;
        match admission {
            Admission::Refused { .. } => return Ok(()),
            Admission::ProbeDue => world.nodes[index].requests.push(PendingRequest::Probe { call }),
            Admission::Admitted => {
                self.check_own_failures(world, index)?;
                let epoch = mirror.record.epoch;
                let node = to_u8(index);
                world.calls.push(Call {
                    call: NOT_A_PROBE,
                    node,
                    epoch,
                    lease: None,
                    continuation_epoch: None,
                });
                world.calls.sort_unstable();
            }
        }
        world.calls_started += 1;
        Ok(())
    }

    /// Reports to the circuit how a call ended.
    fn end_call(&self, world: &mut World, place: u8, end: CallEnd) {
        let place = usize::from(place).min(world.calls.len() - 1);
        let ended = world.calls[place].clone();
        let is_reported = self.is_reported(world, &ended, end);
        if end == CallEnd::FirstToken {
            world.calls[place].continuation_epoch = Some(0);
        } else {
            world.calls.remove(place);
        }
        if !is_reported {
            return;
        }
        if self.bounds.all_failures_count && end == CallEnd::Fails {
            world.observed.failures += 1;
        }
        let Call { call, node, epoch, lease, continuation_epoch } = ended;
        let index = usize::from(node);
        let at = self.local_time(world, index);
        let (leased, onward) = (lease.is_some(), continuation_epoch.unwrap_or(0));
        world.nodes[index].requests.push(PendingRequest::End {
            call,
            epoch,
            leased,
            continuation_epoch: onward,
            end,
            at,
        });
    }

    fn write(&mut self, world: &mut World, index: usize) -> Result<(), Violation> {
        let node = &world.nodes[index];
        let mirror = &Rc::clone(self.interner.mirror(node.mirror));
        if node.connected && mirror.stored == StoredValue::NotLoaded {
            self.read_store(world, index);
            return Ok(());
        }
        let online = node.connected && mirror.stored != StoredValue::WrongType;
        let now = self.local_time(world, index);
        let decision = self.interner.plan_requests(node.mirror, index, now, online, &node.requests);
        let decided = self.interner.decision(decision);
        if decided.write.is_none() {
            if online && mirror_matches(&self.interner, mirror, world.store.value) {
                let stored = self.interner.parse_record(world.store.value);
                self.check_merge(world, index, &decided, stored, stored)?;
            }
            let mirror_id = if online { decided.mirror_if_unchanged } else { decided.mirror_if_diverged };
            return self.finish_requests(world, index, decision, mirror_id);
        }
        if decided.write.as_ref().is_some_and(|writing| writing.history_not_loaded) {
            self.read_store(world, index);
            return Ok(());
        }
        let swapped = self.compare_and_set(world, index, decision)?;
        world.nodes[index].clock_jumped = false;
        match swapped {
            SwapResult::Done => self.finish_requests(world, index, decision, decided.mirror_if_done),
            SwapResult::Changed => {
                self.read_store(world, index);
                Ok(())
            }
            SwapResult::ClockSkew => Ok(()),
        }
    }

    /// A write times out: it may arrive later, or never.
    fn time_out_write(&mut self, world: &mut World, index: usize) -> Result<(), Violation> {
        let node = &world.nodes[index];
        if self.interner.mirror(node.mirror).stored == StoredValue::NotLoaded {
            return Ok(());
        }
        let is_dirty = self.interner.mirror(node.mirror).is_dirty();
        if node.requests.is_empty() && !is_dirty {
            return Ok(());
        }
        let now = self.local_time(world, index);
        let decision = self.interner.plan_requests(node.mirror, index, now, true, &node.requests);
        let decided = self.interner.decision(decision);
        if decided.write.as_ref().is_none_or(|writing| writing.history_not_loaded) {
            return Ok(());
        }
        world.used_disturbances.write_timeouts += 1;
        world.in_flight_write = Some((to_u8(index), decision));
        // As in the writer: a mere reconciliation stays as it was.
        let mirror_id = if node.requests.is_empty() { node.mirror } else { decided.mirror_if_diverged };
        world.nodes[index].connected = false;
        self.finish_requests(world, index, decision, mirror_id)
    }

    /// The requests get their results.
    fn finish_requests(
        &mut self,
        world: &mut World,
        index: usize,
        decision: DecisionId,
        mirror_id: MirrorId,
    ) -> Result<(), Violation> {
        let decided = self.interner.decision(decision);
        if let Some(broken) = &decided.violation {
            return Err(broken.clone());
        }
        for (call, epoch) in decided.granted_probes() {
            let lease = Some(decided.decided_at + self.interner.policy.probe_lease);
            world.calls.push(Call { call, node: to_u8(index), epoch, lease, continuation_epoch: None });
            world.calls.sort_unstable();
        }
        for (call, epoch) in &decided.continuation_epochs {
            if let Some(call) = world.calls.iter_mut().find(|other| other.call == *call) {
                call.continuation_epoch = Some(*epoch);
            }
        }
        world.nodes[index].requests.clear();
        world.nodes[index].mirror = mirror_id;
        self.record_observations(world, &decided);
        Ok(())
    }

    fn compare_and_set(
        &mut self,
        world: &mut World,
        index: usize,
        decision: DecisionId,
    ) -> Result<SwapResult, Violation> {
        let decided = self.interner.decision(decision);
        let Some(writing) = &decided.write else { return Ok(SwapResult::Changed) };
        let mutation = self.bounds.mutation;
        if self.has_conflict(world, writing) && mutation != Some(Mutation::NoCompare) {
            return Ok(SwapResult::Changed);
        }
        let now = self.time(world);
        if exceeds_clock_tolerance(now, decided.decided_at) && mutation != Some(Mutation::NoClockCheck) {
            return Ok(SwapResult::ClockSkew);
        }
        self.check_write(world, index, &decided, now)?;
        let stood = self.interner.parse_record(writing.next).map_or(0, |record| record.epoch);
        if self.bounds.external_writes.contains(&ExternalWrite::RestoreOldValue)
            && !writing.entries.is_empty()
        {
            world.observed.previous_value = world.store.value.filter(|text| self.interner.is_native(*text));
        }
        world.observed.epochs_without_history +=
            u8::from(stood > world.observed.epoch && writing.entries.is_empty());
        world.observed.epoch = world.observed.epoch.max(stood);
        world.observed.history_epoch =
            writing.entries.iter().map(|entry| entry.epoch).fold(world.observed.history_epoch, u64::max);
        world.store.value = writing.next;
        world.observed.rewritten = None;
        if let Some(last) = writing.entries.last() {
            world.store.history = HistoryTail::from_last(Some(last));
        }
        Ok(SwapResult::Done)
    }

    fn has_conflict(&self, world: &World, writing: &InternedWrite) -> bool {
        let other_history = writing.history != self.visible_content(world.store).history;
        writing.expected != world.store.value
            || (other_history && self.bounds.mutation != Some(Mutation::NoHistoryCompare))
    }

    fn read_store(&mut self, world: &mut World, index: usize) {
        let mirror_id = self.mirror_after_read(world, index);
        world.nodes[index].mirror = mirror_id;
        world.nodes[index].clock_jumped = false;
    }

    /// As the reader reconciles: the history is read only where it matters.
    fn reconnect(&mut self, world: &mut World, index: usize) {
        let value =
            world.store.value.map_or(Value::Absent, |text| Value::Text(self.interner.bytes(text).clone()));
        let time = self.time(world);
        let node = &mut world.nodes[index];
        let mirror = self.interner.mirror(node.mirror);
        let changed = mirror.stored == StoredValue::NotLoaded || mirror.value != value || mirror.is_dirty();
        if changed {
            let mut content = world.store;
            if !mirror.needs_history(&value, &self.interner.policy) {
                content.history = HistoryTail::NotLoaded;
            }
            node.mirror = self.interner.apply_loaded(node.mirror, content, time);
        }
        node.connected = true;
        node.clock_jumped = false;
    }

    fn crash(&mut self, world: &mut World, number: u8) {
        let index = usize::from(number);
        if self.interner.mirror(world.nodes[index].mirror).diverged {
            world.observed.forced_until = None;
        }
        world.nodes[index] = Node {
            mirror: self.interner.unloaded_mirror(),
            connected: true,
            clock_jumped: world.nodes[index].clock_jumped,
            requests: Vec::new(),
            pending_read: None,
        };
        world.calls.retain(|call| call.node != number);
        world.observed.lost_open_until = None;
        world.used_disturbances.crashes += 1;
    }

    fn write_externally(&mut self, world: &mut World, write: ExternalWrite) {
        let now = self.time(world).as_millis();
        if write == ExternalWrite::RestoreOldValue {
            world.store.value = world.observed.previous_value;
        }
        let text = match write {
            ExternalWrite::RestoreOldValue => return Self::after_external_write(world),
            ExternalWrite::OpenSweSuccess | ExternalWrite::OpenSweFailure => {
                return self.rewrite_by_open_swe(world, write);
            }
            ExternalWrite::SetOpen => {
                format!(r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now},"openedAt":{now}}}"#)
            }
            ExternalWrite::SetForcedOpen => r#"{"state":"OPEN"}"#.to_owned(),
            ExternalWrite::SetClosed => r#"{"state":"CLOSED"}"#.to_owned(),
            ExternalWrite::Delete => String::new(),
            ExternalWrite::SetInvalid => "nonsense".to_owned(),
        };
        world.store.value = (write != ExternalWrite::Delete)
            .then(|| self.interner.intern_value(&Bytes::from(text.into_bytes())));
        Self::after_external_write(world);
    }

    fn rewrite_by_open_swe(&mut self, world: &mut World, write: ExternalWrite) {
        world.used_disturbances.external_writes += 1;
        let Some(before) = world.store.value else { return };
        let mut circuit = OpenSwe::read(Some(self.interner.bytes(before)));
        let was_open = circuit.is_open();
        if write == ExternalWrite::OpenSweSuccess {
            circuit.record_success();
        } else {
            circuit.record_failure(self.time(world));
        }
        let now = self.time(world);
        // Its own open period, or the operator's, has ended, so that it may call and close.
        let open_swe_period = Duration::from_secs(180);
        let has_ended = self.interner.parse_record(Some(before)).is_some_and(|record| match &record.phase {
            Phase::ForcedOpen { until } => until.is_some_and(|until| until <= now),
            _ => record.outage().is_some_and(|outage| outage.opened_at + open_swe_period <= now),
        });
        let changes_state = has_ended || circuit.is_open() && !was_open;
        let text = self.interner.intern_value(&Bytes::from(circuit.into_text().into_bytes()));
        if !self.interner.is_native(text) {
            world.store.value = Some(text);
            world.observed.rewritten = Some((before, text, changes_state));
        }
    }

    fn after_external_write(world: &mut World) {
        world.observed.forced_until = None;
        world.observed.lost_open_until = None;
        world.used_disturbances.external_writes += 1;
    }

    fn flush(&mut self, world: &mut World) {
        let known =
            |mirror_id: MirrorId, found: &Record| self.interner.mirror(mirror_id).last_record == *found;
        world.observed.lost_open_until = self.interner.parse_record(world.store.value).and_then(|found| {
            let open = !matches!(found.phase, Phase::Closed);
            let someone = world.nodes.iter().any(|node| known(node.mirror, found));
            (open && someone).then(|| found.retry_at())
        });
        world.observed.forced_until = None;
        world.store = StoreContent { value: None, history: HistoryTail::Absent };
        world.used_disturbances.flushes += 1;
    }
}

/// The result of a compare-and-set.
pub(super) enum SwapResult {
    Done,
    Changed,
    ClockSkew,
}

fn exceeds_clock_tolerance(now: Timestamp, decided_at: Timestamp) -> bool {
    now.since(decided_at).max(decided_at.since(now)) > CLOCK_TOLERANCE
}

/// Whether an instance knows the value in the store.
fn mirror_matches(interner: &Interner, mirror: &Mirror, stored: Option<ValueId>) -> bool {
    match (&mirror.value, stored) {
        (Value::Text(text), Some(stored)) => text == interner.bytes(stored),
        (Value::Absent, None) => true,
        _ => false,
    }
}
