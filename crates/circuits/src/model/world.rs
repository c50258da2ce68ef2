//! The fleet as one state, and the steps that lead from one state to the next.

use std::collections::HashSet;

use crate::store::History;
use breaker::{Admission, Phase, Timestamp, admit};

use super::{
    bounds::{Bounds, Disturbances, End, INSTANCES, Mutation, Start, Stranger, Word},
    minds::{Ask, Decision, Mind, Minds, Text, Told},
};

/// The store's time in the beginning.
const BEGINNING: u64 = 1_800_000_000_000;

/// An instance's clock that was set anew is so far ahead, until it hears the store.
const JUMP: i64 = 3_600_000;

/// After the last moment, time goes on in steps of so many ms.
const STEP: u64 = 600;

/// After an epoch that no history tells of, a circuit's first or one that was lost with its history, so many ms pass: an
/// epoch is not below the time, but who has not heard of the last one cannot be above it within the same millisecond.
const APART: u64 = 10;

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) moment: u8,
    pub(super) store: Told,
    pub(super) nodes: [Node; INSTANCES],
    /// Calls under way, in order.
    pub(super) calls: Vec<Call>,
    /// A write that its instance has given up, on its way to the store.
    pub(super) late: Option<(u8, Decision)>,
    /// Calls tried so far; a probe's lease is named after it.
    pub(super) tried: u8,
    pub(super) spent: Disturbances,
    pub(super) seen: Seen,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) mind: Mind,
    /// The store can be reached, as far as it knows.
    pub(super) up: bool,
    /// Its clock was set anew, and it has not heard the store since.
    pub(super) jumped: bool,
    /// Requests that wait to be written.
    pub(super) asks: Vec<Ask>,
    /// What it has read and not taken up yet.
    pub(super) reading: Option<Told>,
}

/// Ordinary calls need no number: those of one instance and epoch are alike.
pub(super) const ORDINARY: u8 = u8::MAX;

/// A call that the circuit let through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Call {
    /// Of a probe: its lease's id.
    pub(super) call: u8,
    pub(super) node: u8,
    pub(super) epoch: u64,
    /// Of a probe: when its lease ends, by its holder's clock.
    pub(super) lease: Option<Timestamp>,
    /// Of a stream that has said something: the epoch it goes on in, 0 until that is known.
    pub(super) spoke: Option<u64>,
}

/// What an onlooker remembers, to tell what must not be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    /// The highest epoch that a circuit ever stood in.
    pub(super) epoch: u64,
    /// What stood there before the fleet last changed the state.
    pub(super) earlier: Option<Text>,
    /// How often a circuit began in an epoch that no history tells of.
    pub(super) untold: u8,
    /// The highest epoch that the history ever told of.
    pub(super) told: u64,
    /// Failures that were told, where all must be counted (B5).
    pub(super) failures: u32,
    /// A person opened it until then (or for good), and nobody has taken it back (B10).
    pub(super) forced: Option<Option<Timestamp>>,
    /// An open circuit was lost with the store, until then (or forced for good), and instances know of it (F5).
    pub(super) lost: Option<Option<Timestamp>>,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Call(u8),
    /// The call in this place of those under way.
    End(u8, End),
    /// What waits is planned, and written with one compare-and-set.
    Write(u8),
    /// The word of a change arrives, at last: what stands in the store is read and taken up.
    Read(u8),
    /// It is read, but taken up late.
    Listen(u8),
    Hear(u8),
    /// The store is at hand again: everything is read.
    Return(u8),
    /// A write that was given up arrives.
    Arrive,
    Tick,
    Crash(u8),
    Cut(u8),
    Silence(u8),
    Jump(u8),
    Strange(Stranger),
    Flush,
    Say(u8, Word),
}

/// A rule that does not hold, in words.
pub(super) type Broken = String;

pub(super) struct Model {
    pub(super) bounds: Bounds,
    pub(super) minds: Minds,
    /// States at rest from which the recovery was already seen, by their hashes.
    pub(super) recovered: HashSet<u64>,
}

impl Action {
    /// A step that comes by itself, sooner or later.
    pub(super) fn comes_by_itself(self) -> bool {
        matches!(self, Self::Write(_) | Self::Read(_) | Self::Hear(_) | Self::Return(_) | Self::Arrive)
    }
}

impl Model {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { minds: Minds::new(&bounds), bounds, recovered: HashSet::new() }
    }

    pub(super) fn start(&mut self) -> World {
        let node =
            Node { mind: self.minds.ignorant(), up: true, jumped: false, asks: Vec::new(), reading: None };
        let mut world = World {
            moment: 0,
            store: Told { value: None, history: History::Absent },
            nodes: [0; INSTANCES].map(|_| node.clone()),
            calls: Vec::new(),
            late: None,
            tried: 0,
            spent: Disturbances::default(),
            seen: Seen::default(),
        };
        for action in story(self.bounds.start) {
            world = self.step(&world, action).unwrap();
        }
        world.tried = 0;
        let Seen { epoch, told, untold, earlier, .. } = world.seen;
        world.seen = Seen { epoch, told, untold, earlier, ..Seen::default() };
        world
    }

    pub(super) fn time(&self, world: &World) -> Timestamp {
        let moments = self.bounds.moments;
        let index = usize::from(world.moment);
        let since = moments
            .get(index)
            .copied()
            .unwrap_or_else(|| moments[moments.len() - 1] + STEP * (index - moments.len() + 1) as u64);
        let apart = APART * u64::from(world.spent.flushes + world.seen.untold);
        Timestamp::from_millis(BEGINNING + since + apart)
    }

    pub(super) fn clock(&self, world: &World, node: usize) -> Timestamp {
        let off = self.bounds.clocks[node] + if world.nodes[node].jumped { JUMP } else { 0 };
        Timestamp::from_millis(self.time(world).as_millis().saturating_add_signed(off))
    }

    /// Everything that may happen next.
    pub(super) fn actions(&mut self, world: &World) -> Vec<Action> {
        let mut actions = self.own_steps(world);
        if usize::from(world.moment) + 1 < self.bounds.moments.len() {
            actions.push(Action::Tick);
        }
        for (place, call) in world.calls.iter().enumerate() {
            let again = place > 0 && world.calls[place - 1] == *call;
            let ends = self.bounds.ends.iter().filter(|end| !again && self.may_end(world, call, **end));
            actions.extend(ends.map(|end| Action::End(small(place), *end)));
        }
        for node in (0..INSTANCES).map(small) {
            if self.may_call(world, node) {
                actions.push(Action::Call(node));
            }
        }
        self.disturbances(world, &mut actions);
        actions
    }

    /// Whether a call would bring anything but a refusal.
    pub(super) fn may_call(&mut self, world: &World, node: u8) -> bool {
        let index = usize::from(node);
        let asks = &world.nodes[index].asks;
        let mirror = self.minds.mirror(world.nodes[index].mind);
        if !mirror.is_known() {
            return !asks.contains(&Ask::Introduce);
        }
        let now = self.clock(world, index);
        let admission = admit(&mirror.record, &self.minds.policy, &self.minds.instances[index], now);
        world.tried < self.bounds.calls && !matches!(admission, Admission::Refused { .. })
    }

    /// Whether a call's end would be told to the circuit. One that is not is the same as none.
    fn may_end(&self, world: &World, call: &Call, end: End) -> bool {
        match end {
            End::Leaves | End::SaysFirst => call.lease.is_some() && call.spoke.is_none(),
            _ => self.bounds.counts || self.is_told(world, call, end),
        }
    }

    /// As `Permit` has it: what would change nothing is not told (B6).
    pub(super) fn is_told(&self, world: &World, call: &Call, end: End) -> bool {
        let index = usize::from(call.node);
        let node = &world.nodes[index];
        let record = &self.minds.mirror(node.mind).record;
        let late = call.lease.is_none() && record.epoch != call.epoch;
        let no_news = call.lease.is_none()
            && end == End::Succeeds
            && matches!(record.phase, Phase::Closed)
            && !record.success_is_news(&self.minds.instances[index]);
        !node.asks.is_empty() || !(late || no_news)
    }

    /// The steps that come by themselves.
    pub(super) fn own_steps(&mut self, world: &World) -> Vec<Action> {
        let mut steps = Vec::new();
        for index in 0..INSTANCES {
            let node = &world.nodes[index];
            let number = small(index);
            let mirror = self.minds.mirror(node.mind);
            if !node.asks.is_empty() || (node.up && mirror.owes_a_write()) {
                steps.push(Action::Write(number));
            }
            if node.reading.is_some() {
                steps.push(Action::Hear(number));
            }
            let reads = self.bounds.mutation != Some(Mutation::NoReading);
            if !node.up && self.bounds.mutation != Some(Mutation::NoReturn) {
                steps.push(Action::Return(number));
            } else if node.up && reads && self.takes_up(world, index) != node.mind {
                steps.push(Action::Read(number));
            }
        }
        if world.late.is_some() {
            steps.push(Action::Arrive);
        }
        steps
    }

    fn disturbances(&self, world: &World, actions: &mut Vec<Action>) {
        let (most, spent) = (self.bounds.most, world.spent);
        for (index, node) in world.nodes.iter().enumerate() {
            let number = small(index);
            if spent.crashes < most.crashes {
                actions.push(Action::Crash(number));
            }
            if spent.cuts < most.cuts && node.up {
                actions.push(Action::Cut(number));
            }
            if spent.silences < most.silences && node.up && world.late.is_none() {
                actions.push(Action::Silence(number));
            }
            if spent.slow_reads < most.slow_reads && node.up && node.reading.is_none() {
                actions.push(Action::Listen(number));
            }
            if spent.jumps < most.jumps && !node.jumped {
                actions.push(Action::Jump(number));
            }
            if spent.words < most.words {
                actions.extend(self.bounds.words.iter().map(|word| Action::Say(number, *word)));
            }
        }
        if spent.strangers < most.strangers {
            let possible =
                |stranger: &Stranger| *stranger != Stranger::BringsBack || world.seen.earlier.is_some();
            let strangers = self.bounds.strangers.iter().copied().filter(possible);
            actions.extend(strangers.map(Action::Strange));
        }
        if spent.flushes < most.flushes && world.store.history != History::Absent {
            actions.push(Action::Flush);
        }
    }

    /// What an instance's mirror becomes when it reads the store now.
    pub(super) fn takes_up(&mut self, world: &World, index: usize) -> Mind {
        let told = self.hidden(world.store);
        self.minds.take_up(world.nodes[index].mind, told)
    }

    pub(super) fn hidden(&self, told: Told) -> Told {
        match self.bounds.mutation {
            Some(Mutation::NoHistory) if told.value.is_none() => Told { history: History::Absent, ..told },
            _ => told,
        }
    }
}

/// How it came to what is there in the beginning.
fn story(start: Start) -> Vec<Action> {
    let begin = [Action::Call(0), Action::Write(0), Action::Write(0), Action::Read(1), Action::Read(2)];
    let late = [Action::Call(0), Action::Call(1)];
    let trip = [
        Action::Call(2),
        Action::Call(2),
        // The calls of the last instance come last.
        Action::End(u8::MAX, End::Fails),
        Action::End(u8::MAX, End::Fails),
        Action::Write(2),
        Action::Read(0),
        Action::Read(1),
    ];
    match start {
        Start::Nothing => Vec::new(),
        Start::Closed => begin.to_vec(),
        Start::Open => [begin.as_slice(), &trip].concat(),
        Start::Late => [begin.as_slice(), &late, &trip].concat(),
    }
}

pub(super) fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

/// Whether a text is of the fleet's own making; for the rules.
pub(super) fn is_own(minds: &Minds, text: Option<Text>) -> bool {
    text.is_some_and(|text| minds.is_ours(text))
}
