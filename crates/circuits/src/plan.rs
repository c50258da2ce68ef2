//! What is to be written for the requests that wait: the fold of events over a record, and what each one gets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{
    Cause, Context, Effect, Event, InstanceId, Lease, Phase, Reason, Record, Stamp, State, Timestamp,
    Transition, apply, encode, next_epoch,
};
use bytes::Bytes;

use crate::{
    mirror::{Mirror, Stored},
    store::Write,
};

/// Something that an instance wants of a circuit.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// It happened; the stamp may have moved on since (see [`Onward`]).
    Event(Event, Option<Onward>),
    /// A person opens it, for so long: until when is said by the store's time, which may not have been heard yet.
    Open { length: Option<Duration>, why: Option<String> },
    /// A caller asks for a probe's place, under this lease id, for so long; `None`: as the policy has it.
    Probe { id: String, lease: Option<Duration> },
    /// The circuit is to be there (F2).
    Introduce,
    /// The provider says there is no such model.
    Forget,
    /// A person wants it forgotten.
    Reset(Option<String>),
    /// What was learnt apart, adopted or restored is to be written.
    Settle,
}

/// The epoch that a streaming probe's permit goes on in once it has its verdict (B4); 0 until then.
pub(crate) type Onward = Arc<AtomicU64>;

/// What one request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What came of the event.
    Effect(Effect),
    /// There is no such circuit.
    NoCircuit,
}

/// What the store shall hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// What it holds.
    Same,
    /// This record.
    Record(Box<Record>),
    /// Nothing; the last epoch was this.
    Nothing(u64),
}

/// The whole of a decision.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) next: Next,
    pub(crate) transitions: Vec<Transition>,
    /// One a request, in their order.
    pub(crate) answers: Vec<Answer>,
    /// Streaming probes that have their verdict, and the epoch they go on in.
    pub(crate) onward: Vec<(Onward, u64)>,
}

impl Plan {
    /// What to write for it, if anything.
    pub(crate) fn write(&self, mirror: &Mirror, now: Timestamp) -> Option<Write> {
        let (next, lifetime) = match &self.next {
            Next::Same => return None,
            Next::Record(record) => (Some(Bytes::from(encode(record, &mirror.extras))), record.lifetime(now)),
            Next::Nothing(_) => (None, None),
        };
        let (expected, history) = (mirror.value.clone(), mirror.history);
        Some(Write { expected, history, next, lifetime, entries: self.transitions.clone(), decided_at: now })
    }
}

/// Decides. With `online` the store can be written, and what is apart from it is brought together.
pub(crate) fn plan(mirror: &Mirror, requests: &[Request], context: Context<'_>, online: bool) -> Plan {
    let base = if online { mirror.base(context) } else { mirror.local_base() };
    let mut fold = Fold {
        online,
        mirror,
        context,
        record: None,
        removed: None,
        transitions: Vec::new(),
        onward: Vec::new(),
    };
    if let Some((record, transition)) = base {
        fold.record = Some(record);
        fold.transitions.extend(transition);
    }
    let answers = requests.iter().map(|request| fold.request(request)).collect();
    let garbage = online && matches!(mirror.stored, Stored::Garbage) && !mirror.apart;
    let next = match (fold.record.take(), fold.removed) {
        (Some(record), _) if matches!(&mirror.stored, Stored::Ours(stored) if *stored == record) => {
            Next::Same
        }
        (Some(record), _) if garbage && record == mirror.record => Next::Same,
        (Some(record), _) if garbage => Next::Record(Box::new(fold.overwrite_garbage(record))),
        (Some(record), _) => Next::Record(Box::new(record)),
        (None, Some(epoch)) => Next::Nothing(epoch),
        (None, None) => Next::Same,
    };
    Plan { next, transitions: fold.transitions, answers, onward: fold.onward }
}

struct Fold<'a> {
    online: bool,
    mirror: &'a Mirror,
    context: Context<'a>,
    record: Option<Record>,
    removed: Option<u64>,
    transitions: Vec<Transition>,
    onward: Vec<(Onward, u64)>,
}

impl Fold<'_> {
    fn request(&mut self, request: &Request) -> Answer {
        match request {
            Request::Event(event, onward) => self.event(event, onward.as_ref()),
            Request::Open { length, why } => {
                let until = length.map(|length| self.context.now + length);
                self.event(&Event::Open { until, why: why.clone() }, None)
            }
            Request::Probe { id, lease } => {
                let Context { instance, policy, now } = self.context;
                let until = now + lease.unwrap_or(policy.probe_lease);
                let lease = Lease { id: id.clone(), instance: instance.clone(), until };
                self.event(&Event::Probe { lease }, None)
            }
            Request::Introduce => {
                self.begin();
                Answer::Effect(Effect::Counted)
            }
            Request::Forget => self.forget(),
            Request::Reset(why) => self.reset(why.clone()),
            Request::Settle => Answer::Effect(Effect::Counted),
        }
    }

    fn event(&mut self, event: &Event, onward: Option<&Onward>) -> Answer {
        if matches!(event, Event::Open { .. }) {
            self.begin();
        }
        let Some(record) = &self.record else { return Answer::NoCircuit };
        let event = self.moved_on(event, onward);
        let step = apply(record, &event, self.context);
        if let (Effect::Onward { epoch }, Some(onward)) = (step.effect, onward) {
            self.onward.push((Arc::clone(onward), epoch));
        }
        self.transitions.extend(step.transition);
        self.record = Some(step.record);
        Answer::Effect(step.effect)
    }

    /// The event with the stamp that its permit has by now.
    fn moved_on(&self, event: &Event, onward: Option<&Onward>) -> Event {
        let Some(onward) = onward else { return event.clone() };
        let in_this_plan =
            self.onward.iter().find(|(other, _)| Arc::ptr_eq(other, onward)).map(|(_, epoch)| *epoch);
        let epoch = in_this_plan.unwrap_or_else(|| onward.load(Ordering::Acquire));
        match event {
            Event::Ended { outcome, at, .. } if epoch != 0 => {
                Event::Ended { stamp: Stamp { epoch, lease: None }, outcome: outcome.clone(), at: *at }
            }
            _ => event.clone(),
        }
    }

    /// Begins the circuit, if there is none. A history that does not end closed was cut short by a DEL, which it is
    /// told of now (B11).
    fn begin(&mut self) {
        if self.record.is_some() {
            return;
        }
        let Context { instance, now, .. } = self.context;
        let last = self.mirror.last_epoch().max(self.removed.unwrap_or(0));
        if !self.online {
            // Begun without knowing what the others know: it must not seem newer than that when the store is back.
            self.record = Some(Record::closed(last));
            return;
        }
        let record = Record::fresh(last, instance, now);
        let end = self.transitions.last().map(|entry| entry.to).or(self.mirror.history.state());
        if let Some(state) = end.filter(|state| *state != State::Closed) {
            self.transitions.push(reset_entry(state, record.epoch, None, instance, now));
        }
        self.record = Some(record);
    }

    /// A text that was no circuit counted as closed in no epoch of the store's. Now that it goes, it has one, and the
    /// history is told that the circuit was closed by somebody else (B11).
    fn overwrite_garbage(&mut self, mut record: Record) -> Record {
        let Context { instance, now, .. } = self.context;
        let mut epoch = next_epoch(self.mirror.last_epoch(), now);
        let told =
            self.mirror.history.state().filter(|state| *state != State::Closed).map(|from| Transition {
                from,
                to: State::Closed,
                epoch,
                reason: Reason::of(Cause::Foreign),
                instance: instance.clone(),
                at: now,
            });
        for transition in &mut self.transitions {
            epoch = transition.epoch.max(epoch.saturating_add(1));
            transition.epoch = epoch;
        }
        self.transitions.splice(..0, told);
        record.epoch = epoch;
        record
    }

    fn forget(&mut self) -> Answer {
        match &self.record {
            Some(record) if matches!(record.phase, Phase::Closed) && record.row.failures == 0 => {
                self.removed = Some(record.epoch);
                self.record = None;
                Answer::Effect(Effect::Counted)
            }
            Some(_) => Answer::Effect(Effect::Void),
            None => Answer::NoCircuit,
        }
    }

    fn reset(&mut self, why: Option<String>) -> Answer {
        let Some(record) = self.record.take() else { return Answer::NoCircuit };
        let Context { instance, now, .. } = self.context;
        let epoch = next_epoch(record.epoch, now);
        self.transitions.push(reset_entry(record.written_state(), epoch, why, instance, now));
        self.removed = Some(epoch);
        Answer::Effect(Effect::Counted)
    }
}

fn reset_entry(
    from: State,
    epoch: u64,
    why: Option<String>,
    instance: &InstanceId,
    at: Timestamp,
) -> Transition {
    let reason = Reason { why, ..Reason::of(Cause::Reset) };
    Transition { from, to: State::Closed, epoch, reason, instance: instance.clone(), at }
}
