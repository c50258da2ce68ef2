//! The bare core: one value, one clock, and the breaker's pure functions.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use breaker::{
    Admission, Context, Document, Effect, Event, Extras, InstanceId, Lease, Mode, ModelKey, Policy, Record,
    Stamp, Step, Timestamp, Transition, admit, adopt, apply, bucket_start, encode,
};
use bytes::Bytes;
use circuits::Report;

use crate::{
    event::{Ending, Operation},
    world::{CallId, Leave, Look, Stranger, View, World},
};

const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The bare core.
pub(crate) struct CoreWorld {
    key: ModelKey,
    policy: Policy,
    now: Timestamp,
    held: Option<Held>,
    history: Vec<Transition>,
    /// The record as it was last written.
    last: Record,
    /// The instances, and the successes that each has not written yet.
    instances: BTreeMap<String, Vec<Event>>,
    permits: HashMap<CallId, Stamp>,
    leases: usize,
    written: usize,
}

struct Held {
    text: Bytes,
    until: Option<Timestamp>,
}

impl CoreWorld {
    pub(crate) fn new(key: &ModelKey, policy: &Policy) -> Self {
        Self {
            key: key.clone(),
            policy: policy.clone(),
            now: BEGINNING,
            held: None,
            history: Vec::new(),
            last: Record::closed(0),
            instances: BTreeMap::new(),
            permits: HashMap::new(),
            leases: 0,
            written: 0,
        }
    }

    fn context<'a>(&'a self, instance: &'a InstanceId) -> Context<'a> {
        Context { instance, policy: &self.policy, now: self.now }
    }

    /// What stands there; a foreign value is taken over by who sees it first.
    fn current(&mut self, instance: &InstanceId) -> Option<(Record, Extras)> {
        let text = self.held.as_ref()?.text.clone();
        match Document::parse(&text, &self.policy) {
            Document::Ours(record, extras) => Some((record, extras)),
            Document::Garbage => Some((self.instead_of_garbage(), Extras::default())),
            Document::Foreign(foreign, extras) => {
                let (record, transition) = adopt(&foreign, Some(&self.last), self.context(instance));
                self.write(record.clone(), &extras, Some(transition));
                Some((record, extras))
            }
        }
    }

    /// A text that is no circuit counts as closed, in an epoch of its own.
    fn instead_of_garbage(&self) -> Record {
        Record::closed(self.last.epoch + 1)
    }

    fn write(&mut self, record: Record, extras: &Extras, transition: Option<Transition>) {
        let until = record.lifetime(self.now).map(|lifetime| self.now + lifetime);
        self.held = Some(Held { text: Bytes::from(encode(&record, extras)), until });
        self.last = record;
        self.history.extend(transition);
        self.written += 1;
    }

    fn apply(&mut self, who: &str, event: &Event) -> Effect {
        let instance = InstanceId::new(who);
        let Some((before, extras)) = self.current(&instance) else { return Effect::Void };
        let mut transitions = Vec::new();
        let mut record = before.clone();
        let mut effect = Effect::Void;
        let untold = self.instances.get_mut(who).map(std::mem::take).unwrap_or_default();
        for event in untold.iter().chain([event]) {
            let step: Step = apply(&record, event, self.context(&instance));
            transitions.extend(step.transition);
            (record, effect) = (step.record, step.effect);
        }
        if record != before {
            self.write(record, &extras, None);
            self.history.extend(transitions);
        }
        effect
    }

    fn admit_one(&mut self, call: &CallId) -> Result<Leave, String> {
        let instance = InstanceId::new(&call.who);
        let record = match self.current(&instance) {
            Some((record, _)) => record,
            None if self.policy.mode == Mode::Off => Record::closed(0),
            None => {
                let fresh = Record::fresh(self.last.epoch, &instance, self.now);
                self.write(fresh.clone(), &Extras::default(), None);
                fresh
            }
        };
        let stamp = match admit(&record, &self.policy, &instance, self.now) {
            Admission::Admitted => Stamp { epoch: record.epoch, lease: None },
            Admission::Refused { retry_at, .. } => {
                return Ok(Leave::Refused(retry_at.map(|at| at.since(self.now))));
            }
            Admission::ProbeDue => {
                self.leases += 1;
                let id = format!("lease-{}", self.leases);
                let until = self.now + self.policy.probe_lease;
                let lease = Lease { id: id.clone(), instance, until };
                match self.apply(&call.who, &Event::Probe { lease }) {
                    Effect::Granted { epoch } => Stamp { epoch, lease: Some(id) },
                    _ => return Err("a probe was due, but its lease was denied".to_owned()),
                }
            }
        };
        let leave = if stamp.lease.is_some() { Leave::Probe } else { Leave::Admitted };
        self.permits.insert(call.clone(), stamp);
        Ok(leave)
    }

    /// Steady success is not written, but rides along with the next write.
    fn succeeds_untold(&mut self, call: &CallId, stamp: &Stamp) -> bool {
        let instance = InstanceId::new(&call.who);
        let Some((record, _)) = self.current(&instance) else { return true };
        let closed = matches!(record.phase, breaker::Phase::Closed);
        if stamp.epoch != record.epoch || !closed || record.success_is_news(&instance) {
            return false;
        }
        let at = bucket_start(&self.policy, self.now);
        let untold = Event::Successes { epoch: stamp.epoch, at, calls: 1 };
        self.instances.entry(call.who.clone()).or_default().push(untold);
        true
    }

    fn stamp(&self, call: &CallId) -> Result<Stamp, String> {
        self.permits.get(call).cloned().ok_or_else(|| format!("{call:?} was not admitted"))
    }

    fn report(&self, record: &Record) -> Report {
        Report::new(&self.key, record, &self.policy, self.now)
    }
}

impl World for CoreWorld {
    fn now(&self) -> Timestamp {
        self.now
    }

    async fn wait_until(&mut self, since_beginning: Duration) -> Result<(), String> {
        self.now = BEGINNING + since_beginning;
        let expired =
            self.held.as_ref().is_some_and(|held| held.until.is_some_and(|until| until <= self.now));
        if expired {
            self.held = None;
        }
        Ok(())
    }

    async fn be_born(&mut self, who: &str) -> Result<(), String> {
        self.instances.entry(who.to_owned()).or_default();
        self.current(&InstanceId::new(who));
        Ok(())
    }

    async fn admit(&mut self, calls: &[CallId]) -> Result<Vec<Leave>, String> {
        calls.iter().map(|call| self.admit_one(call)).collect()
    }

    fn end(&mut self, call: &CallId, ending: &Ending) -> Result<(), String> {
        let stamp = self.stamp(call)?;
        self.permits.remove(call);
        match ending {
            Ending::Leave => {
                self.apply(&call.who, &Event::Left { stamp });
            }
            Ending::Outcome(breaker::Outcome::Succeeded)
                if stamp.lease.is_none() && self.succeeds_untold(call, &stamp) => {}
            Ending::Outcome(outcome) => {
                let ended = Event::Ended { stamp, outcome: outcome.clone(), at: self.now };
                self.apply(&call.who, &ended);
            }
        }
        Ok(())
    }

    fn content(&mut self, call: &CallId) -> Result<(), String> {
        let stamp = self.stamp(call)?;
        if let Effect::Onward { epoch } = self.apply(&call.who, &Event::FirstContent { stamp }) {
            self.permits.insert(call.clone(), Stamp { epoch, lease: None });
        }
        Ok(())
    }

    fn no_such_model(&mut self, call: &CallId) -> Result<(), String> {
        self.stamp(call)?;
        self.held = None;
        Ok(())
    }

    async fn operate(&mut self, who: &str, operation: &Operation) -> Result<(), String> {
        let instance = InstanceId::new(who);
        let event = match operation {
            Operation::Open { length, why } => {
                if self.held.is_none() {
                    let fresh = Record::fresh(self.last.epoch, &instance, self.now);
                    self.write(fresh, &Extras::default(), None);
                }
                let until = length.map(|length| self.now + length);
                Event::Open { until, why: why.clone() }
            }
            Operation::Close if self.held.is_none() => return Err("there is no circuit".to_owned()),
            Operation::Close => Event::Close { why: None },
            Operation::Reset => return Err("the core knows no reset: it is a matter of the store".to_owned()),
        };
        self.apply(who, &event);
        Ok(())
    }

    fn crash(&mut self, who: &str) {
        self.instances.remove(who);
        self.permits.retain(|call, _| call.who != who);
    }

    /// The core's time is the store's; it knows no other.
    fn skew(&mut self, _who: &str, _millis: i64) {}

    fn set_policy(&mut self, policy: &Policy) {
        self.policy = policy.clone();
    }

    async fn stranger(&mut self, does: Stranger<'_>) -> Result<(), String> {
        match does {
            Stranger::Set(text) => {
                self.held = Some(Held { text: Bytes::copy_from_slice(text.as_bytes()), until: None });
                if let Some(who) = self.instances.keys().next().cloned() {
                    self.current(&InstanceId::new(&who));
                }
                Ok(())
            }
            _ => Err("the core has no store to which this could be done: say `runs on: stores`".to_owned()),
        }
    }

    async fn store(&mut self, _who: &str, _up: bool) -> Result<(), String> {
        Err("the core has no store that could be away: say `runs on: stores`".to_owned())
    }

    async fn settle(&mut self) -> Result<(), String> {
        Ok(())
    }

    async fn look(&mut self) -> Result<Look, String> {
        let record = match self.held.as_ref().map(|held| Document::parse(&held.text, &self.policy)) {
            None => Record::closed(0),
            Some(Document::Garbage) => self.instead_of_garbage(),
            Some(document) => document.into_parts().0,
        };
        let view = || View { report: self.report(&record), connected: true };
        Ok(Look {
            raw: self.held.as_ref().map(|held| held.text.clone()),
            ttl: self.held.as_ref().and_then(|held| Some(held.until?.since(self.now))),
            history: self.history.iter().rev().cloned().collect(),
            views: self.instances.keys().map(|who| (who.clone(), view())).collect(),
            written: self.written,
        })
    }
}
