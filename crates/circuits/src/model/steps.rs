//! What each step does.

use std::rc::Rc;

use breaker::{Admission, Phase, Record, Timestamp, admit};
use bytes::Bytes;

use super::{
    bounds::{End, Mutation, Stranger},
    minds::{Ask, Decision, Mind, Minds, Text, Told, Writing},
    world::{Action, Broken, Call, Model, Node, ORDINARY, World, small},
};
use crate::{
    mirror::{Mirror, Stored},
    store::{CLOCK_TOLERANCE, History, Value},
};

impl Model {
    /// Takes a step. An error is a rule that the step breaks; a step that cannot be taken changes nothing.
    pub(super) fn step(&mut self, before: &World, action: Action) -> Result<World, Broken> {
        let mut world = before.clone();
        match action {
            Action::Tick => self.tick(&mut world),
            Action::Call(node) => self.call(&mut world, usize::from(node)),
            Action::End(place, end) => self.end(&mut world, place, end),
            Action::Write(node) => self.write(&mut world, usize::from(node))?,
            Action::Silence(node) => self.silence(&mut world, usize::from(node))?,
            Action::Arrive => {
                if let Some((node, decision)) = world.late.take() {
                    self.compare_and_set(&mut world, usize::from(node), decision)?;
                }
            }
            Action::Read(node) => self.read(&mut world, usize::from(node)),
            Action::Listen(node) => {
                world.nodes[usize::from(node)].reading = Some(self.hidden(world.store));
                world.spent.slow_reads += 1;
            }
            Action::Hear(node) => {
                let node = &mut world.nodes[usize::from(node)];
                if let Some(told) = node.reading.take() {
                    node.mind = self.minds.take_up(node.mind, told);
                }
            }
            Action::Return(node) => self.come_back(&mut world, usize::from(node)),
            Action::Crash(node) => self.crash(&mut world, node),
            Action::Cut(node) => {
                world.nodes[usize::from(node)].up = false;
                world.spent.cuts += 1;
            }
            Action::Jump(node) => {
                world.nodes[usize::from(node)].jumped = true;
                world.spent.jumps += 1;
            }
            Action::Strange(stranger) => self.strange(&mut world, stranger),
            Action::Flush => self.flush(&mut world),
            Action::Say(node, word) => {
                let at = self.clock(&world, usize::from(node));
                world.nodes[usize::from(node)].asks.push(Ask::Word(word, at));
                world.spent.words += 1;
            }
        }
        self.check_state(&world)?;
        Ok(world)
    }

    fn tick(&self, world: &mut World) {
        world.moment += 1;
        let now = self.time(world);
        // The store would refuse it by now: it was decided too long ago.
        world.late = world.late.filter(|(_, decision)| !is_away(now, self.minds.decided(*decision).at));
        if world.seen.lost.flatten().is_some_and(|until| until <= now) {
            world.seen.lost = None;
        }
        if world.seen.forced.flatten().is_some_and(|until| until <= now + CLOCK_TOLERANCE) {
            world.seen.forced = None;
        }
    }

    fn call(&self, world: &mut World, index: usize) {
        let now = self.clock(world, index);
        let mirror = self.minds.mirror(world.nodes[index].mind);
        if !mirror.is_known() {
            world.nodes[index].asks.push(Ask::Introduce);
            return;
        }
        let call = world.tried;
        match admit(&mirror.record, &self.minds.policy, &self.minds.instances[index], now) {
            Admission::Refused { .. } => return,
            Admission::ProbeDue => world.nodes[index].asks.push(Ask::Probe { call }),
            Admission::Admitted => {
                let epoch = mirror.record.epoch;
                let node = small(index);
                world.calls.push(Call { call: ORDINARY, node, epoch, lease: None, spoke: None });
                world.calls.sort_unstable();
            }
        }
        world.tried += 1;
    }

    /// Tells the circuit how a call ended.
    fn end(&self, world: &mut World, place: u8, end: End) {
        let place = usize::from(place).min(world.calls.len() - 1);
        let ended = world.calls[place].clone();
        let told = self.is_told(world, &ended, end);
        if end == End::SaysFirst {
            world.calls[place].spoke = Some(0);
        } else {
            world.calls.remove(place);
        }
        if !told {
            return;
        }
        if self.bounds.counts && end == End::Fails {
            world.seen.failures += 1;
        }
        let Call { call, node, epoch, lease, spoke } = ended;
        let index = usize::from(node);
        let at = self.clock(world, index);
        let (leased, onward) = (lease.is_some(), spoke.unwrap_or(0));
        world.nodes[index].asks.push(Ask::End { call, epoch, leased, onward, end, at });
    }

    fn write(&mut self, world: &mut World, index: usize) -> Result<(), Broken> {
        let node = &world.nodes[index];
        let mirror = &Rc::clone(self.minds.mirror(node.mind));
        if node.up && mirror.stored == Stored::Unknown {
            self.read(world, index);
            return Ok(());
        }
        let online = node.up && mirror.stored != Stored::OtherType;
        let now = self.clock(world, index);
        let decision = self.minds.decide(node.mind, index, now, online, &node.asks);
        let decided = self.minds.decided(decision);
        if decided.writes.is_none() {
            if online && mirror_holds(&self.minds, mirror, world.store.value) {
                let stands = self.minds.record(world.store.value);
                self.check_merge(world, index, &decided, stands, stands)?;
            }
            let mind = if online { decided.in_step } else { decided.apart };
            return self.settle(world, index, decision, mind);
        }
        if decided.writes.as_ref().is_some_and(|writing| writing.lacks_the_history) {
            self.read(world, index);
            return Ok(());
        }
        let swapped = self.compare_and_set(world, index, decision)?;
        world.nodes[index].jumped = false;
        match swapped {
            Swapped::Done => self.settle(world, index, decision, decided.done),
            Swapped::Changed => {
                self.read(world, index);
                Ok(())
            }
            Swapped::ClockAway => Ok(()),
        }
    }

    /// A write is given up: it may arrive later, or never.
    fn silence(&mut self, world: &mut World, index: usize) -> Result<(), Broken> {
        let node = &world.nodes[index];
        if self.minds.mirror(node.mind).stored == Stored::Unknown {
            return Ok(());
        }
        let owes = self.minds.mirror(node.mind).owes_a_write();
        if node.asks.is_empty() && !owes {
            return Ok(());
        }
        let now = self.clock(world, index);
        let decision = self.minds.decide(node.mind, index, now, true, &node.asks);
        let decided = self.minds.decided(decision);
        if decided.writes.as_ref().is_none_or(|writing| writing.lacks_the_history) {
            return Ok(());
        }
        world.spent.silences += 1;
        world.late = Some((small(index), decision));
        // As the writer has it: what was only to be told stays as it was.
        let mind = if node.asks.is_empty() { node.mind } else { decided.apart };
        world.nodes[index].up = false;
        self.settle(world, index, decision, mind)
    }

    /// The requests have their answers.
    fn settle(
        &mut self,
        world: &mut World,
        index: usize,
        decision: Decision,
        mind: Mind,
    ) -> Result<(), Broken> {
        let decided = self.minds.decided(decision);
        if let Some(broken) = &decided.broken {
            return Err(broken.clone());
        }
        for (call, epoch) in decided.granted() {
            let lease = Some(decided.at + self.minds.policy.probe_lease);
            world.calls.push(Call { call, node: small(index), epoch, lease, spoke: None });
            world.calls.sort_unstable();
        }
        for (call, epoch) in &decided.onward {
            if let Some(call) = world.calls.iter_mut().find(|other| other.call == *call) {
                call.spoke = Some(*epoch);
            }
        }
        world.nodes[index].asks.clear();
        world.nodes[index].mind = mind;
        self.remember(world, &decided);
        Ok(())
    }

    fn compare_and_set(
        &mut self,
        world: &mut World,
        index: usize,
        decision: Decision,
    ) -> Result<Swapped, Broken> {
        let decided = self.minds.decided(decision);
        let Some(writing) = &decided.writes else { return Ok(Swapped::Changed) };
        let mutation = self.bounds.mutation;
        if self.is_overtaken(world, writing) && mutation != Some(Mutation::NoCompare) {
            return Ok(Swapped::Changed);
        }
        let now = self.time(world);
        if is_away(now, decided.at) && mutation != Some(Mutation::NoClockCheck) {
            return Ok(Swapped::ClockAway);
        }
        self.check_write(world, index, &decided, now)?;
        let stood = self.minds.record(writing.next).map_or(0, |record| record.epoch);
        if self.bounds.strangers.contains(&Stranger::BringsBack) && !writing.entries.is_empty() {
            world.seen.earlier = world.store.value.filter(|text| self.minds.is_ours(*text));
        }
        world.seen.untold += u8::from(stood > world.seen.epoch && writing.entries.is_empty());
        world.seen.epoch = world.seen.epoch.max(stood);
        world.seen.told = writing.entries.iter().map(|entry| entry.epoch).fold(world.seen.told, u64::max);
        world.store.value = writing.next;
        if let Some(last) = writing.entries.last() {
            world.store.history = History::ending(Some(last));
        }
        Ok(Swapped::Done)
    }

    fn is_overtaken(&self, world: &World, writing: &Writing) -> bool {
        let other_history = writing.history != self.hidden(world.store).history;
        writing.expected != world.store.value
            || (other_history && self.bounds.mutation != Some(Mutation::NoHistoryCompare))
    }

    fn read(&mut self, world: &mut World, index: usize) {
        let mind = self.takes_up(world, index);
        world.nodes[index].mind = mind;
        world.nodes[index].jumped = false;
    }

    /// As the reader comes together with the store: the history is only asked for where it matters.
    fn come_back(&mut self, world: &mut World, index: usize) {
        let value =
            world.store.value.map_or(Value::Absent, |text| Value::Text(self.minds.bytes(text).clone()));
        let node = &mut world.nodes[index];
        let mirror = self.minds.mirror(node.mind);
        let changed = mirror.stored == Stored::Unknown || mirror.value != value || mirror.owes_a_write();
        if changed {
            let mut told = world.store;
            if !mirror.depends_on_history(&value, &self.minds.policy) {
                told.history = History::Unread;
            }
            node.mind = self.minds.take_up(node.mind, told);
        }
        node.up = true;
        node.jumped = false;
    }

    fn crash(&mut self, world: &mut World, number: u8) {
        let index = usize::from(number);
        if self.minds.mirror(world.nodes[index].mind).apart {
            world.seen.forced = None;
        }
        world.nodes[index] = Node {
            mind: self.minds.ignorant(),
            up: true,
            jumped: world.nodes[index].jumped,
            asks: Vec::new(),
            reading: None,
        };
        world.calls.retain(|call| call.node != number);
        world.seen.lost = None;
        world.spent.crashes += 1;
    }

    fn strange(&mut self, world: &mut World, stranger: Stranger) {
        let now = self.time(world).as_millis();
        if stranger == Stranger::BringsBack {
            world.store.value = world.seen.earlier;
        }
        let text = match stranger {
            Stranger::BringsBack => return Self::has_acted(world),
            Stranger::Opens => {
                format!(r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now},"openedAt":{now}}}"#)
            }
            Stranger::Forces => r#"{"state":"OPEN"}"#.to_owned(),
            Stranger::Closes => r#"{"state":"CLOSED"}"#.to_owned(),
            Stranger::Deletes => String::new(),
            Stranger::Scribbles => "nonsense".to_owned(),
        };
        world.store.value =
            (stranger != Stranger::Deletes).then(|| self.minds.text(&Bytes::from(text.into_bytes())));
        Self::has_acted(world);
    }

    fn has_acted(world: &mut World) {
        world.seen.forced = None;
        world.seen.lost = None;
        world.spent.strangers += 1;
    }

    fn flush(&mut self, world: &mut World) {
        let known = |mind: Mind, found: &Record| self.minds.mirror(mind).last == *found;
        world.seen.lost = self.minds.record(world.store.value).and_then(|found| {
            let open = !matches!(found.phase, Phase::Closed);
            let someone = world.nodes.iter().any(|node| known(node.mind, found));
            (open && someone).then(|| found.retry_at())
        });
        world.seen.forced = None;
        world.store = Told { value: None, history: History::Absent };
        world.spent.flushes += 1;
    }
}

/// What came of a compare-and-set.
pub(super) enum Swapped {
    Done,
    Changed,
    ClockAway,
}

fn is_away(now: Timestamp, decided_at: Timestamp) -> bool {
    now.since(decided_at).max(decided_at.since(now)) > CLOCK_TOLERANCE
}

/// Whether an instance knows what stands in the store.
fn mirror_holds(minds: &Minds, mirror: &Mirror, stored: Option<Text>) -> bool {
    match (&mirror.value, stored) {
        (Value::Text(text), Some(stored)) => text == minds.bytes(stored),
        (Value::Absent, None) => true,
        _ => false,
    }
}
