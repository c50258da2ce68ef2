//! What instances know and decide, with the real code; each different question is put to it once.
//!
//! A state of the model holds numbers instead of mirrors and texts, so that it is small, and comparing two states
//! does not mean comparing JSON. Nothing is left out by that: equal numbers are equal contents.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use breaker::{
    Context, Document, Effect, Event, Failure, InstanceId, Outcome, Phase, Policy, Record, Stamp, Timestamp,
    Transition,
};
use bytes::Bytes;

use super::bounds::{Bounds, End, INSTANCES, Mutation, Word};
use crate::{
    mirror::{Mirror, Stored},
    plan::{Answer, Next, Onward, Plan, Request, plan},
    store::{History, Loaded, Value, Write},
};

/// The number of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mind(u32);

/// The number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Text(u32);

/// The number of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Decision(u32);

/// What the store tells of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Told {
    pub(super) value: Option<Text>,
    pub(super) history: History,
}

/// A request that waits, and what it truly was admitted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    Introduce,
    Probe { call: u8 },
    End { call: u8, epoch: u64, leased: bool, onward: u64, end: End, at: Timestamp },
    Word(Word, Timestamp),
}

/// What an instance decides to do about the requests that wait.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) writes: Option<Writing>,
    pub(super) answers: Vec<Answer>,
    /// Streaming probes that have their verdict: the call, and the epoch it goes on in.
    pub(super) onward: Vec<(u8, u64)>,
    pub(super) asks: Vec<Ask>,
    pub(super) at: Timestamp,
    /// The mirror once the store has done it, once it turned out that nothing is to be done, or once it could not be
    /// told.
    pub(super) done: Mind,
    pub(super) in_step: Mind,
    pub(super) apart: Mind,
    /// It was decided with what was learnt while the store was away.
    pub(super) merged: Option<Record>,
    /// A rule that the decision itself breaks.
    pub(super) broken: Option<String>,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) expected: Option<Text>,
    pub(super) history: History,
    pub(super) lacks_the_history: bool,
    pub(super) next: Option<Text>,
    pub(super) lifetime: Option<Duration>,
    pub(super) entries: Vec<Transition>,
}

type Question = (Mind, u8, Timestamp, bool, Vec<Ask>);

pub(super) struct Minds {
    pub(super) policy: Policy,
    pub(super) instances: [InstanceId; INSTANCES],
    mutation: Option<Mutation>,
    mirrors: Vec<Rc<Mirror>>,
    mirror_numbers: HashMap<String, Mind>,
    texts: Vec<(Bytes, Document)>,
    text_numbers: HashMap<Bytes, Text>,
    taken_up: HashMap<(Mind, Told), Mind>,
    decisions: Vec<Rc<Decided>>,
    decision_numbers: HashMap<Question, Decision>,
}

impl Minds {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            policy: bounds.policy.clone(),
            instances: ["a", "b", "c"].map(InstanceId::new),
            mutation: bounds.mutation,
            mirrors: Vec::new(),
            mirror_numbers: HashMap::new(),
            texts: Vec::new(),
            text_numbers: HashMap::new(),
            taken_up: HashMap::new(),
            decisions: Vec::new(),
            decision_numbers: HashMap::new(),
        }
    }

    pub(super) fn ignorant(&mut self) -> Mind {
        self.number(Mirror::unknown())
    }

    pub(super) fn mirror(&self, mind: Mind) -> &Rc<Mirror> {
        &self.mirrors[mind.0 as usize]
    }

    pub(super) fn decided(&self, decision: Decision) -> Rc<Decided> {
        Rc::clone(&self.decisions[decision.0 as usize])
    }

    pub(super) fn text(&mut self, bytes: &Bytes) -> Text {
        if let Some(text) = self.text_numbers.get(bytes) {
            return *text;
        }
        let text = Text(u32::try_from(self.texts.len()).unwrap());
        self.texts.push((bytes.clone(), Document::parse(bytes, &self.policy)));
        self.text_numbers.insert(bytes.clone(), text);
        text
    }

    pub(super) fn bytes(&self, text: Text) -> &Bytes {
        &self.texts[text.0 as usize].0
    }

    /// What a text means to whoever reads it; `None`: nothing.
    pub(super) fn record(&self, text: Option<Text>) -> Option<&Record> {
        match &self.texts[text?.0 as usize].1 {
            Document::Ours(record, _) | Document::Foreign(record, _) => Some(record),
            Document::Garbage => None,
        }
    }

    pub(super) fn is_ours(&self, text: Text) -> bool {
        matches!(self.texts[text.0 as usize].1, Document::Ours(..))
    }

    /// The real [`Mirror::take_up`].
    pub(super) fn take_up(&mut self, mind: Mind, told: Told) -> Mind {
        if let Some(after) = self.taken_up.get(&(mind, told)) {
            return *after;
        }
        let value = told.value.map_or(Value::Absent, |text| Value::Text(self.bytes(text).clone()));
        let mut mirror = Mirror::clone(self.mirror(mind));
        let mut history = told.history;
        if let (Some(Mutation::NoBringingBack), History::Ends { epoch, .. }) = (self.mutation, &mut history) {
            *epoch = 0;
        }
        mirror.take_up(&Loaded { value, history, time: Timestamp::NEVER }, &self.policy);
        if self.mutation == Some(Mutation::NoBringingBack) {
            mirror.history = told.history;
        }
        let after = self.number(mirror);
        self.taken_up.insert((mind, told), after);
        after
    }

    /// The real [`plan`], and what becomes of the mirror by it.
    pub(super) fn decide(
        &mut self,
        mind: Mind,
        instance: usize,
        now: Timestamp,
        online: bool,
        asks: &[Ask],
    ) -> Decision {
        let question = (mind, u8::try_from(instance).unwrap(), now, online, asks.to_vec());
        if let Some(decision) = self.decision_numbers.get(&question) {
            return *decision;
        }
        let decided = self.decide_anew(mind, instance, now, online, asks);
        let decision = Decision(u32::try_from(self.decisions.len()).unwrap());
        self.decisions.push(Rc::new(decided));
        self.decision_numbers.insert(question, decision);
        decision
    }

    fn decide_anew(
        &mut self,
        mind: Mind,
        instance: usize,
        now: Timestamp,
        online: bool,
        asks: &[Ask],
    ) -> Decided {
        let name = self.instances[instance].clone();
        let policy = self.policy.clone();
        let context = Context { instance: &name, policy: &policy, now };
        let mut mirror = Mirror::clone(self.mirror(mind));
        let merged = (online && mirror.apart).then(|| mirror.record.clone());
        if self.mutation == Some(Mutation::NoMerge) && online && mirror.apart {
            mirror.apart = false;
        }
        let streams = streams(asks);
        let requests: Vec<Request> = if asks.is_empty() {
            vec![Request::Settle]
        } else {
            asks.iter().map(|ask| self.request(*ask, &mirror, &streams)).collect()
        };
        let planned = plan(&mirror, &requests, context, online);
        let broken = asks.iter().enumerate().find_map(|(i, ask)| {
            let [before, after] = [i, i + 1].map(|end| {
                let part = plan(&mirror, &requests[..end], context, online);
                record_of(&part, &mirror, context, online)
            });
            late_outcome_counts(*ask, &asks[..i], before.as_ref(), after.as_ref())
        });
        let [mut done, mut in_step, mut apart] = [(); 3].map(|()| mirror.clone());
        in_step.in_step();
        apart.go_apart(&planned);
        let write = planned.write(&mirror, now).filter(|_| online);
        let writes = write.map(|write| self.writing(write, &planned, &mut done));
        let onward = planned.onward.iter().filter_map(|(onward, epoch)| {
            let call = streams.iter().find(|(_, other)| Arc::ptr_eq(other, onward))?.0;
            Some((*call, *epoch))
        });
        Decided {
            writes,
            onward: onward.collect(),
            answers: planned.answers.clone(),
            asks: asks.to_vec(),
            at: now,
            done: self.number(done),
            in_step: self.number(in_step),
            apart: self.number(apart),
            merged,
            broken,
        }
    }

    /// What a write puts into the store, and what its instance's mirror is once it is done.
    fn writing(&mut self, mut write: Write, planned: &Plan, mirror: &mut Mirror) -> Writing {
        self.mutate(&mut write.next, mirror);
        mirror.written(planned, &write);
        if let (Some(Mutation::EpochStands), Some(text)) = (self.mutation, &write.next)
            && let Document::Ours(record, _) = Document::parse(text, &self.policy)
        {
            (mirror.record, mirror.last) = (record.clone(), record.clone());
            mirror.stored = Stored::Ours(record);
        }
        if self.mutation == Some(Mutation::NoEntry) {
            write.entries.clear();
        }
        let expected = match &write.expected {
            Value::Text(bytes) => Some(self.text(bytes)),
            _ => None,
        };
        let next = write.next.as_ref().map(|bytes| self.text(bytes));
        let (history, lacks_the_history) = (write.history, write.lacks_the_history());
        Writing {
            expected,
            history,
            lacks_the_history,
            next,
            lifetime: write.lifetime,
            entries: write.entries,
        }
    }

    /// Built-in fault: the next record keeps the epoch of the one before.
    fn mutate(&self, next: &mut Option<Bytes>, mirror: &Mirror) {
        if let (Some(Mutation::EpochStands), Some(text), Stored::Ours(before)) =
            (self.mutation, &next, &mirror.stored)
            && let Document::Ours(record, extras) = Document::parse(text, &self.policy)
        {
            let record = Record { epoch: before.epoch, ..record };
            *next = Some(Bytes::from(breaker::encode(&record, &extras)));
        }
    }

    fn request(&self, ask: Ask, mirror: &Mirror, streams: &HashMap<u8, Onward>) -> Request {
        match ask {
            Ask::Introduce => Request::Introduce,
            Ask::Probe { call } => Request::Probe { id: call.to_string(), lease: None },
            Ask::Word(Word::Open(length), at) => {
                let until = length.map(|length| at + Duration::from_millis(length));
                Request::Event(Event::Open { until, why: None }, None)
            }
            Ask::Word(Word::Close, _) => Request::Event(Event::Close { why: None }, None),
            Ask::Word(Word::Reset, _) => Request::Reset(None),
            Ask::End { call, epoch, leased, end, at, .. } => {
                let stamp = self.forged(Stamp { epoch, lease: leased.then(|| call.to_string()) }, mirror);
                let onward = streams.get(&call).filter(|_| leased).map(Arc::clone);
                let failure = Failure::status(529);
                let outcome = match end {
                    End::Leaves => return Request::Event(Event::Left { stamp }, onward),
                    End::SaysFirst => return Request::Event(Event::FirstContent { stamp }, onward),
                    End::Succeeds => Outcome::Succeeded,
                    End::Fails => Outcome::Failed(failure),
                    End::Rests(wait) => Outcome::Rest { failure, wait: Some(Duration::from_millis(wait)) },
                };
                Request::Event(Event::Ended { stamp, outcome, at }, onward)
            }
        }
    }

    /// Built-in fault: a stamp that passes the check which is to be gone.
    fn forged(&self, stamp: Stamp, mirror: &Mirror) -> Stamp {
        match (self.mutation, &mirror.record.phase, &stamp.lease) {
            (Some(Mutation::NoEpochCheck), ..) => Stamp { epoch: mirror.record.epoch, ..stamp },
            (Some(Mutation::NoLeaseCheck), Phase::HalfOpen { leases, .. }, Some(_)) => {
                Stamp { lease: leases.first().map(|lease| lease.id.clone()).or(stamp.lease), ..stamp }
            }
            _ => stamp,
        }
    }

    fn number(&mut self, mirror: Mirror) -> Mind {
        let text = format!("{mirror:?}");
        if let Some(mind) = self.mirror_numbers.get(&text) {
            return *mind;
        }
        let mind = Mind(u32::try_from(self.mirrors.len()).unwrap());
        self.mirrors.push(Rc::new(mirror));
        self.mirror_numbers.insert(text, mind);
        mind
    }
}

/// What probes share with their permits: the epoch that they go on in.
fn streams(asks: &[Ask]) -> HashMap<u8, Onward> {
    let probes = asks.iter().filter_map(|ask| match ask {
        Ask::End { call, onward, leased: true, .. } => Some((*call, Arc::new(AtomicU64::new(*onward)))),
        _ => None,
    });
    probes.collect()
}

/// The record that a plan leaves.
fn record_of(plan: &Plan, mirror: &Mirror, context: Context<'_>, online: bool) -> Option<Record> {
    match &plan.next {
        Next::Record(record) => Some(Record::clone(record)),
        Next::Nothing(_) => None,
        Next::Same => {
            let base = if online { mirror.base(context) } else { mirror.local_base() };
            base.map(|(record, _)| record)
        }
    }
}

/// B4: an outcome counts only with the epoch, and for a probe the lease, that it was admitted with.
fn late_outcome_counts(
    ask: Ask,
    earlier: &[Ask],
    before: Option<&Record>,
    after: Option<&Record>,
) -> Option<String> {
    let Ask::End { call, epoch, leased, onward, .. } = ask else { return None };
    let has_verdict = |ask: &Ask| matches!(ask, Ask::End { call: other, .. } if *other == call);
    if leased && earlier.iter().any(has_verdict) {
        return None;
    }
    let (epoch, leased) = if onward == 0 { (epoch, leased) } else { (onward, false) };
    let counts = before.is_some_and(|record| {
        let lease = match &record.phase {
            Phase::Closed => !leased,
            Phase::HalfOpen { leases, .. } => {
                leased && leases.iter().any(|lease| lease.id == call.to_string())
            }
            Phase::Open(_) | Phase::Forced { .. } => false,
        };
        record.epoch == epoch && lease
    });
    (!counts && before != after)
        .then(|| format!("B4: the late outcome of {} changed the circuit", tell_call(call)))
}

/// A call in words.
pub(super) fn tell_call(call: u8) -> String {
    if call == super::world::ORDINARY { "an ordinary call".to_owned() } else { format!("probe {call}") }
}

impl Decided {
    /// Whether a probe's lease was granted, in which epoch.
    pub(super) fn granted(&self) -> impl Iterator<Item = (u8, u64)> {
        self.asks.iter().zip(&self.answers).filter_map(|(ask, answer)| match (ask, answer) {
            (Ask::Probe { call }, Answer::Effect(Effect::Granted { epoch })) => Some((*call, *epoch)),
            _ => None,
        })
    }

    /// Whether a person has a hand in it.
    pub(super) fn word(&self) -> Option<(Word, Timestamp)> {
        self.asks.iter().rev().find_map(|ask| match ask {
            Ask::Word(word, at) => Some((*word, *at)),
            _ => None,
        })
    }
}
