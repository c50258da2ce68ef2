//! The core alone: one value, one clock, and the breaker's pure functions.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use breaker::{
    Admission, AdmissionToken, Applied, Context, Document, Event, EventResult, Extras, InstanceId,
    KnownBefore, Lease, Mode, ModelKey, Policy, Record, Source, Timestamp, Transition, admit, adopt, apply,
    bucket_start, encode,
};
use bytes::Bytes;
use circuits::Report;

use crate::{
    event::{By, Ending, Operation},
    world::{AdmitResult, CallId, ExternalWrite, Snapshot, View, World},
};

const START_TIME: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The core alone.
pub(crate) struct CoreWorld {
    key: ModelKey,
    policy: Policy,
    now: Timestamp,
    stored: Option<HeldPermit>,
    history: Vec<Transition>,
    /// The record as it was last written.
    last: Record,
    /// The instances, and the successes that each has not written yet.
    instances: BTreeMap<String, Vec<Event>>,
    permits: HashMap<CallId, (AdmissionToken, Option<Source>)>,
    leases: usize,
    write_count: usize,
}

struct HeldPermit {
    bytes: Bytes,
    expires_at: Option<Timestamp>,
}

impl CoreWorld {
    pub(crate) fn new(key: &ModelKey, policy: &Policy) -> Self {
        Self {
            key: key.clone(),
            policy: policy.clone(),
            now: START_TIME,
            stored: None,
            history: Vec::new(),
            last: Record::closed(0),
            instances: BTreeMap::new(),
            permits: HashMap::new(),
            leases: 0,
            write_count: 0,
        }
    }

    fn context<'a>(&'a self, instance: &'a InstanceId) -> Context<'a> {
        Context { instance, policy: &self.policy, now: self.now }
    }

    /// The current value; an external one is adopted by the instance that sees it first.
    fn load_current(&mut self, instance: &InstanceId) -> Option<(Record, Extras)> {
        let text = self.stored.as_ref()?.bytes.clone();
        match Document::parse(&text, &self.policy) {
            Document::Native(record, extras) => Some((record, extras)),
            Document::Invalid => Some((self.record_for_invalid(), Extras::default())),
            Document::External(foreign, extras) => {
                let known = self.known_before();
                let (record, transition) = adopt(&foreign, known, self.context(instance));
                self.write(record.clone(), &extras, transition);
                Some((record, extras))
            }
        }
    }

    fn known_before(&self) -> KnownBefore<'_> {
        KnownBefore {
            record: Some(&self.last),
            last_epoch: self.last.epoch,
            history_tail: self.history.last().map(|entry| (entry.to, entry.epoch)),
        }
    }

    /// An invalid text counts as closed, in an epoch of its own.
    fn record_for_invalid(&self) -> Record {
        Record::closed(self.last.epoch + 1)
    }

    fn write(&mut self, record: Record, extras: &Extras, transition: Option<Transition>) {
        let until = record.ttl(self.now).map(|lifetime| self.now + lifetime);
        self.stored = Some(HeldPermit { bytes: Bytes::from(encode(&record, extras)), expires_at: until });
        self.last = record;
        self.history.extend(transition);
        self.write_count += 1;
    }

    fn apply(&mut self, who: &str, event: &Event) -> EventResult {
        let instance = InstanceId::new(who);
        let Some((before, extras)) = self.load_current(&instance) else { return EventResult::Stale };
        let mut transitions = Vec::new();
        let mut record = before.clone();
        let mut effect = EventResult::Stale;
        let untold = self.instances.get_mut(who).map(std::mem::take).unwrap_or_default();
        for event in untold.iter().chain([event]) {
            let step: Applied = apply(&record, event, self.context(&instance));
            transitions.extend(step.transition);
            (record, effect) = (step.record, step.result);
        }
        if record != before {
            self.write(record, &extras, None);
            self.history.extend(transitions);
        }
        effect
    }

    fn admit_one(&mut self, call: &CallId, source: &Option<Source>) -> Result<AdmitResult, String> {
        let instance = InstanceId::new(&call.who);
        let record = match self.load_current(&instance) {
            Some((record, _)) => record,
            None if self.policy.mode == Mode::Off => Record::closed(0),
            None => {
                let fresh = Record::fresh(self.last.epoch, &instance, self.now);
                self.write(fresh.clone(), &Extras::default(), None);
                fresh
            }
        };
        let token = match admit(&record, &self.policy, &instance, source, self.now) {
            Admission::Admitted => AdmissionToken { epoch: record.epoch, lease_id: None },
            Admission::Refused { retry_at, .. } => {
                return Ok(AdmitResult::Refused(retry_at.map(|at| at.since(self.now))));
            }
            Admission::ProbeDue => {
                self.leases += 1;
                let id = format!("lease-{}", self.leases);
                let until = self.now + self.policy.probe_lease;
                let lease = Lease { id: id.clone(), instance, until };
                let requested = Event::ProbeRequested { lease, source: source.clone() };
                match self.apply(&call.who, &requested) {
                    EventResult::ProbeGranted { epoch } => AdmissionToken { epoch, lease_id: Some(id) },
                    _ => return Err("a probe was due, but its lease was denied".to_owned()),
                }
            }
        };
        let admission = if token.lease_id.is_some() { AdmitResult::Probe } else { AdmitResult::Admitted };
        self.permits.insert(call.clone(), (token, source.clone()));
        Ok(admission)
    }

    /// Steady success is not written alone, but with the next write.
    fn coalesces_success(&mut self, call: &CallId, token: &AdmissionToken) -> bool {
        let instance = InstanceId::new(&call.who);
        let Some((record, _)) = self.load_current(&instance) else { return true };
        let closed = matches!(record.phase, breaker::Phase::Closed);
        if token.epoch != record.epoch || !closed || record.success_changes_state(&instance, self.now) {
            return false;
        }
        let at = bucket_start(&self.policy, self.now);
        let untold = Event::Successes { epoch: token.epoch, at, calls: 1 };
        self.instances.entry(call.who.clone()).or_default().push(untold);
        true
    }

    fn token(&self, call: &CallId) -> Result<(AdmissionToken, Option<Source>), String> {
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
        self.now = START_TIME + since_beginning;
        let expired =
            self.stored.as_ref().is_some_and(|held| held.expires_at.is_some_and(|until| until <= self.now));
        if expired {
            self.stored = None;
        }
        Ok(())
    }

    async fn start_instance(&mut self, who: &str) -> Result<(), String> {
        self.instances.entry(who.to_owned()).or_default();
        self.load_current(&InstanceId::new(who));
        Ok(())
    }

    async fn admit(&mut self, calls: &[CallId], by: Option<&By>) -> Result<Vec<AdmitResult>, String> {
        let source = by.map(|by| Source {
            caller: by.caller.clone(),
            // Any function of the request will do that tells those of the tables apart.
            tag: by
                .request
                .as_ref()
                .map(|request| request.bytes().fold(0, |tag: u8, byte| tag.wrapping_mul(31) ^ byte)),
        });
        calls.iter().map(|call| self.admit_one(call, &source)).collect()
    }

    fn end(&mut self, call: &CallId, ending: &Ending) -> Result<(), String> {
        let (token, source) = self.token(call)?;
        self.permits.remove(call);
        match ending {
            Ending::Released => {
                self.apply(&call.who, &Event::PermitReleased { token });
            }
            Ending::Outcome(breaker::Outcome::Succeeded)
                if token.lease_id.is_none() && self.coalesces_success(call, &token) => {}
            Ending::Outcome(outcome) => {
                let ended = Event::CallCompleted { token, outcome: outcome.clone(), source, at: self.now };
                self.apply(&call.who, &ended);
            }
        }
        Ok(())
    }

    fn first_token(&mut self, call: &CallId) -> Result<(), String> {
        let (token, source) = self.token(call)?;
        if let EventResult::Reissued { epoch } = self.apply(&call.who, &Event::FirstToken { token }) {
            self.permits.insert(call.clone(), (AdmissionToken { epoch, lease_id: None }, source));
        }
        Ok(())
    }

    fn unknown_model(&mut self, call: &CallId) -> Result<(), String> {
        self.token(call)?;
        self.stored = None;
        Ok(())
    }

    async fn operate(&mut self, who: &str, operation: &Operation) -> Result<(), String> {
        let instance = InstanceId::new(who);
        let event = match operation {
            Operation::Open { duration: length, reason: why } => {
                if self.stored.is_none() {
                    let fresh = Record::fresh(self.last.epoch, &instance, self.now);
                    self.write(fresh, &Extras::default(), None);
                }
                let until = length.map(|length| self.now + length);
                Event::ForceOpen { until, reason: why.clone(), by: None }
            }
            Operation::Close if self.stored.is_none() => return Err("no circuit".to_owned()),
            Operation::Close => Event::ForceClose { reason: None, by: None },
            Operation::Reset => return Err("the core has no reset: the store has".to_owned()),
        };
        self.apply(who, &event);
        Ok(())
    }

    fn crash(&mut self, who: &str) {
        self.instances.remove(who);
        self.permits.retain(|call, _| call.who != who);
    }

    /// The core's time is the store's; it has no other.
    fn skew(&mut self, _who: &str, _millis: i64) {}

    fn set_policy_for_all(&mut self, policy: &Policy) {
        self.policy = policy.clone();
    }

    async fn external_write(&mut self, does: ExternalWrite<'_>) -> Result<(), String> {
        match does {
            ExternalWrite::Set(text) => {
                self.stored =
                    Some(HeldPermit { bytes: Bytes::copy_from_slice(text.as_bytes()), expires_at: None });
                if let Some(who) = self.instances.keys().next().cloned() {
                    self.load_current(&InstanceId::new(&who));
                }
                Ok(())
            }
            _ => Err("the core has no store to which this could be done: say `runs on: stores`".to_owned()),
        }
    }

    async fn set_store_available(&mut self, _who: &str, _up: bool) -> Result<(), String> {
        Err("the core has no store that could be unreachable: say `runs on: stores`".to_owned())
    }

    async fn wait_until_settled(&mut self) -> Result<(), String> {
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<Snapshot, String> {
        let record = match self.stored.as_ref().map(|held| Document::parse(&held.bytes, &self.policy)) {
            None => Record::closed(0),
            Some(Document::Invalid) => self.record_for_invalid(),
            Some(document) => document.into_parts().0,
        };
        let view = || View { report: self.report(&record), connected: true };
        Ok(Snapshot {
            raw: self.stored.as_ref().map(|held| held.bytes.clone()),
            ttl: self.stored.as_ref().and_then(|held| Some(held.expires_at?.since(self.now))),
            history: self.history.iter().rev().cloned().collect(),
            views: self.instances.keys().map(|who| (who.clone(), view())).collect(),
            write_count: self.write_count,
        })
    }
}
