//! The fleet as one state, and the steps that lead from one state to the next.

use std::collections::HashSet;

use crate::store::HistoryTail;
use breaker::{Admission, Phase, Timestamp, admit_provisionally};

use super::{
    bounds::{Bounds, CallEnd, Disturbances, ExternalWrite, INSTANCES, Mutation, OperatorCommand},
    interner::{DecisionId, Interner, MirrorId, PendingRequest, StoreContent, ValueId},
};

/// The store's time at the start.
const START_TIME: u64 = 1_800_000_000_000;

/// How far a clock that has jumped is ahead, until it is synchronized with the store.
const CLOCK_JUMP_MS: i64 = 3_600_000;

/// After the last moment, time advances in steps of this many ms.
const TICK_MS: u64 = 600;

/// After an epoch without a history entry (a circuit's first, or one that was lost with its history) this many ms pass. An
/// epoch is never below the time, but an instance that does not know the last one cannot exceed it in the same millisecond.
const EPOCH_GAP_MS: u64 = 10;

/// The state of the whole fleet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) moment: u8,
    pub(super) store: StoreContent,
    pub(super) nodes: [Node; INSTANCES],
    /// Calls in flight, in order.
    pub(super) calls: Vec<Call>,
    /// A write that has timed out, on its way to the store.
    pub(super) in_flight_write: Option<(u8, DecisionId)>,
    /// Calls started so far; a probe's lease is named after it.
    pub(super) calls_started: u8,
    pub(super) used_disturbances: Disturbances,
    pub(super) observed: Observed,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) mirror: MirrorId,
    /// The store can be reached, as far as it knows.
    pub(super) connected: bool,
    /// Its clock has jumped, and was not synchronized since.
    pub(super) clock_jumped: bool,
    /// Queued requests.
    pub(super) requests: Vec<PendingRequest>,
    /// What it has read and not applied yet.
    pub(super) pending_read: Option<StoreContent>,
}

/// An admitted call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Call {
    /// Of a probe: its lease's id.
    pub(super) call: u8,
    pub(super) node: u8,
    pub(super) epoch: u64,
    /// Of a probe: when its lease ends, by its holder's clock.
    pub(super) lease: Option<Timestamp>,
    /// Of a stream that has started: the epoch it continues in, 0 until that is known.
    pub(super) continuation_epoch: Option<u64>,
}

/// What an observer remembers, to detect violations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Observed {
    /// The highest epoch that was ever stored.
    pub(super) epoch: u64,
    /// The value before the fleet last changed the state.
    pub(super) previous_value: Option<ValueId>,
    /// The fleet's value that an Open SWE instance has rewritten, what it wrote, and whether that changes the state.
    pub(super) rewritten: Option<(ValueId, ValueId, bool)>,
    /// How often a circuit began in an epoch without a history entry.
    pub(super) epochs_without_history: u8,
    /// The highest epoch that the history ever had.
    pub(super) history_epoch: u64,
    /// Failures that were reported, where all must be counted (B5).
    pub(super) failures: u32,
    /// An operator opened it until then (or without an end), and did not close it since (B10).
    pub(super) forced_until: Option<Option<Timestamp>>,
    /// An open circuit was lost with the store, until then (or forced without an end), and instances know of it (F5).
    pub(super) lost_open_until: Option<Option<Timestamp>>,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Call(u8),
    /// The call at this index of those in flight.
    End(u8, CallEnd),
    /// The queued requests are planned, and written with one compare-and-set.
    Write(u8),
    /// A change notification arrives: the store is read, and the value applied.
    Read(u8),
    /// It is read, but applied late.
    ReadSlowly(u8),
    ApplyRead(u8),
    /// The store is reachable again: everything is read.
    Reconnect(u8),
    /// A write that has timed out arrives.
    DeliverWrite,
    Tick,
    Crash(u8),
    Disconnect(u8),
    TimeOutWrite(u8),
    ClockJump(u8),
    External(ExternalWrite),
    Flush,
    Operator(u8, OperatorCommand),
}

/// A rule that does not hold, as text.
pub(super) type Violation = String;

pub(super) struct Model {
    pub(super) bounds: Bounds,
    pub(super) interner: Interner,
    /// Quiescent states whose recovery is verified, by their hashes.
    pub(super) verified_recoveries: HashSet<u64>,
}

impl Action {
    /// A step that comes by itself, sooner or later.
    pub(super) fn is_automatic(self) -> bool {
        matches!(
            self,
            Self::Write(_) | Self::Read(_) | Self::ApplyRead(_) | Self::Reconnect(_) | Self::DeliverWrite
        )
    }
}

impl Model {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { interner: Interner::new(&bounds), bounds, verified_recoveries: HashSet::new() }
    }

    pub(super) fn time(&self, world: &World) -> Timestamp {
        let moments = self.bounds.moments;
        let index = usize::from(world.moment);
        let since = moments
            .get(index)
            .copied()
            .unwrap_or_else(|| moments[moments.len() - 1] + TICK_MS * (index - moments.len() + 1) as u64);
        let epoch_gaps =
            EPOCH_GAP_MS * u64::from(world.used_disturbances.flushes + world.observed.epochs_without_history);
        Timestamp::from_millis(START_TIME + since + epoch_gaps)
    }

    pub(super) fn local_time(&self, world: &World, node: usize) -> Timestamp {
        let off = self.bounds.clocks[node] + if world.nodes[node].clock_jumped { CLOCK_JUMP_MS } else { 0 };
        Timestamp::from_millis(self.time(world).as_millis().saturating_add_signed(off))
    }

    /// Everything that may happen next.
    pub(super) fn actions(&mut self, world: &World) -> Vec<Action> {
        let mut actions = self.automatic_steps(world);
        if usize::from(world.moment) + 1 < self.bounds.moments.len() {
            actions.push(Action::Tick);
        }
        for (place, call) in world.calls.iter().enumerate() {
            let again = place > 0 && world.calls[place - 1] == *call;
            let ends = self
                .bounds
                .call_ends
                .iter()
                .filter(|end| !again && self.bounds.may_end(call.node, **end))
                .filter(|end| self.end_changes_state(world, call, **end));
            actions.extend(ends.map(|end| Action::End(to_u8(place), *end)));
        }
        for node in (0..INSTANCES).map(to_u8) {
            if self.may_call(world, node) {
                actions.push(Action::Call(node));
            }
        }
        self.disturbances(world, &mut actions);
        actions
    }

    /// Whether a call would get anything but a refusal.
    pub(super) fn may_call(&mut self, world: &World, node: u8) -> bool {
        let index = usize::from(node);
        let requests = &world.nodes[index].requests;
        let mirror = self.interner.mirror(world.nodes[index].mirror);
        if !mirror.is_loaded() {
            return !requests.contains(&PendingRequest::EnsureExists);
        }
        world.calls_started < self.bounds.calls
            && !matches!(self.admission(world, index), Admission::Refused { .. })
    }

    /// What a call of this instance would get.
    pub(super) fn admission(&mut self, world: &World, index: usize) -> Admission {
        let (node, now) = (&world.nodes[index], self.local_time(world, index));
        let expected = self.interner.expected(node.mirror, index, now, &node.requests);
        let (admission, _) = admit_provisionally(
            &self.interner.mirror(node.mirror).record,
            expected.as_ref(),
            &self.interner.policy,
            &self.interner.instances[index],
            &self.interner.requester_of(index),
            now,
        );
        admission
    }

    /// Whether a call's end would be reported to the circuit. An unreported end is the same as none.
    fn end_changes_state(&self, world: &World, call: &Call, end: CallEnd) -> bool {
        match end {
            CallEnd::Disconnects | CallEnd::FirstToken => {
                call.lease.is_some() && call.continuation_epoch.is_none()
            }
            _ => self.bounds.all_failures_count || self.is_reported(world, call, end),
        }
    }

    /// As in `Permit`: what would change nothing is not reported (B6).
    pub(super) fn is_reported(&self, world: &World, call: &Call, end: CallEnd) -> bool {
        let index = usize::from(call.node);
        let node = &world.nodes[index];
        let record = &self.interner.mirror(node.mirror).record;
        let is_stale = call.lease.is_none() && record.epoch != call.epoch;
        let changes_nothing = call.lease.is_none()
            && end == CallEnd::Succeeds
            && matches!(record.phase, Phase::Closed)
            && !record.success_changes_state(&self.interner.instances[index], self.time(world));
        !node.requests.is_empty() || !(is_stale || changes_nothing)
    }

    /// The automatic steps.
    pub(super) fn automatic_steps(&mut self, world: &World) -> Vec<Action> {
        let mut steps = Vec::new();
        for index in 0..INSTANCES {
            let node = &world.nodes[index];
            let number = to_u8(index);
            let mirror = self.interner.mirror(node.mirror);
            if !node.requests.is_empty() || (node.connected && mirror.is_dirty()) {
                steps.push(Action::Write(number));
            }
            if node.pending_read.is_some() {
                steps.push(Action::ApplyRead(number));
            }
            let reads = self.bounds.mutation != Some(Mutation::NoRead);
            if !node.connected && self.bounds.mutation != Some(Mutation::NoReconnect) {
                steps.push(Action::Reconnect(number));
            } else if node.connected && reads && self.mirror_after_read(world, index) != node.mirror {
                steps.push(Action::Read(number));
            }
        }
        if world.in_flight_write.is_some() {
            steps.push(Action::DeliverWrite);
        }
        steps
    }

    fn disturbances(&self, world: &World, actions: &mut Vec<Action>) {
        let (max, used) = (self.bounds.max_disturbances, world.used_disturbances);
        for (index, node) in world.nodes.iter().enumerate() {
            let number = to_u8(index);
            if used.crashes < max.crashes {
                actions.push(Action::Crash(number));
            }
            if used.disconnects < max.disconnects && node.connected {
                actions.push(Action::Disconnect(number));
            }
            if used.write_timeouts < max.write_timeouts && node.connected && world.in_flight_write.is_none() {
                actions.push(Action::TimeOutWrite(number));
            }
            if used.slow_reads < max.slow_reads && node.connected && node.pending_read.is_none() {
                actions.push(Action::ReadSlowly(number));
            }
            if used.clock_jumps < max.clock_jumps && !node.clock_jumped {
                actions.push(Action::ClockJump(number));
            }
            if used.operator_commands < max.operator_commands {
                actions.extend(
                    self.bounds.operator_commands.iter().map(|command| Action::Operator(number, *command)),
                );
            }
        }
        if used.external_writes < max.external_writes {
            let possible = |write: &ExternalWrite| match write {
                ExternalWrite::RestoreOldValue => world.observed.previous_value.is_some(),
                ExternalWrite::OpenSweSuccess | ExternalWrite::OpenSweFailure => {
                    is_native(&self.interner, world.store.value)
                }
                _ => true,
            };
            let writes = self.bounds.external_writes.iter().copied().filter(possible);
            actions.extend(writes.map(Action::External));
        }
        if used.flushes < max.flushes && world.store.history != HistoryTail::Absent {
            actions.push(Action::Flush);
        }
    }

    /// What an instance's mirror becomes when it reads the store now.
    pub(super) fn mirror_after_read(&mut self, world: &World, index: usize) -> MirrorId {
        let content = self.visible_content(world.store);
        self.interner.apply_loaded(world.nodes[index].mirror, content, self.time(world))
    }

    pub(super) fn visible_content(&self, content: StoreContent) -> StoreContent {
        match self.bounds.mutation {
            Some(Mutation::NoHistory) if content.value.is_none() => {
                StoreContent { history: HistoryTail::Absent, ..content }
            }
            _ => content,
        }
    }
}

pub(super) fn to_u8(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

/// Whether a text was written by the fleet.
pub(super) fn is_native(interner: &Interner, text: Option<ValueId>) -> bool {
    text.is_some_and(|text| interner.is_native(text))
}
