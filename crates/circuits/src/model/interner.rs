//! What instances know and decide, with the real code; each distinct question is answered once.
//!
//! A state of the model holds ids instead of mirrors and texts, so that it is small, and comparing two states does not mean
//! comparing JSON. Nothing is lost by that: equal ids are equal contents.

use std::{
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use breaker::{
    AdmissionToken, Context, Document, Event, EventResult, External, Failure, InstanceId, Outcome, Phase,
    Policy, Record, Source, Timestamp, Transition,
};
use bytes::Bytes;

use super::bounds::{Bounds, CallEnd, Callers, INSTANCES, Mutation, OperatorCommand};
use crate::{
    mirror::{Mirror, StoredValue, Target},
    plan::{ContinuationEpoch, Plan, Request, RequestResult, plan},
    store::{HistoryTail, Loaded, Value, Write},
};

/// Ordinary calls need no id: those of one instance and epoch are alike.
pub(super) const NOT_A_PROBE: u8 = u8::MAX;

/// The id of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MirrorId(u32);

/// The id of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ValueId(u32);

/// The id of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DecisionId(u32);

/// What the store returns for a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StoreContent {
    pub(super) value: Option<ValueId>,
    pub(super) history: HistoryTail,
}

/// A queued request, and what its call was really admitted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PendingRequest {
    EnsureExists,
    Probe { call: u8 },
    End { call: u8, epoch: u64, leased: bool, continuation_epoch: u64, end: CallEnd, at: Timestamp },
    Operator(OperatorCommand, Timestamp),
}

/// What an instance decides about its queued requests.
#[derive(Debug)]
pub(super) struct DecisionResult {
    pub(super) write: Option<InternedWrite>,
    pub(super) results: Vec<RequestResult>,
    /// Streaming probes that have their verdict: the call, and the epoch it continues in.
    pub(super) continuation_epochs: Vec<(u8, u64)>,
    pub(super) requests: Vec<PendingRequest>,
    pub(super) decided_at: Timestamp,
    /// The mirror after the write is done, after it turned out that nothing is to be written, or after it could not be
    /// written.
    pub(super) mirror_if_done: MirrorId,
    pub(super) mirror_if_unchanged: MirrorId,
    pub(super) mirror_if_diverged: MirrorId,
    /// The diverged record that was merged.
    pub(super) merged_from: Option<Record>,
    /// A rule that the decision itself breaks.
    pub(super) violation: Option<String>,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct InternedWrite {
    pub(super) expected: Option<ValueId>,
    pub(super) history: HistoryTail,
    pub(super) history_not_loaded: bool,
    pub(super) next: Option<ValueId>,
    pub(super) lifetime: Option<Duration>,
    pub(super) entries: Vec<Transition>,
}

type DecisionKey = (MirrorId, u8, Timestamp, bool, Vec<PendingRequest>);

pub(super) struct Interner {
    pub(super) policy: Policy,
    pub(super) instances: [InstanceId; INSTANCES],
    mutation: Option<Mutation>,
    callers: Callers,
    mirrors: Vec<Rc<Mirror>>,
    mirror_ids: HashMap<String, MirrorId>,
    values: Vec<(Bytes, Document)>,
    value_ids: HashMap<Bytes, ValueId>,
    loaded: HashMap<(MirrorId, StoreContent, Timestamp), MirrorId>,
    decisions: Vec<Rc<DecisionResult>>,
    decision_ids: HashMap<DecisionKey, DecisionId>,
}

impl Interner {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            policy: bounds.policy.clone(),
            instances: ["a", "b", "c"].map(InstanceId::new),
            mutation: bounds.mutation,
            callers: bounds.callers,
            mirrors: Vec::new(),
            mirror_ids: HashMap::new(),
            values: Vec::new(),
            value_ids: HashMap::new(),
            loaded: HashMap::new(),
            decisions: Vec::new(),
            decision_ids: HashMap::new(),
        }
    }

    /// Whose an instance's calls are.
    pub(super) fn source_of(&self, instance: usize) -> Option<Source> {
        let caller = self.instances[instance].as_str().parse().ok();
        (self.callers != Callers::Nobody).then_some(Source { caller, tag: Some(0) })
    }

    /// Whose they are for an admission.
    pub(super) fn requester_of(&self, instance: usize) -> Option<Source> {
        self.source_of(instance).filter(|_| self.mutation != Some(Mutation::NoSourceCheck))
    }

    pub(super) fn unloaded_mirror(&mut self) -> MirrorId {
        self.intern_mirror(Mirror::not_loaded())
    }

    pub(super) fn mirror(&self, mirror_id: MirrorId) -> &Rc<Mirror> {
        &self.mirrors[mirror_id.0 as usize]
    }

    pub(super) fn decision(&self, decision: DecisionId) -> Rc<DecisionResult> {
        Rc::clone(&self.decisions[decision.0 as usize])
    }

    pub(super) fn intern_value(&mut self, bytes: &Bytes) -> ValueId {
        if let Some(text) = self.value_ids.get(bytes) {
            return *text;
        }
        let text = ValueId(u32::try_from(self.values.len()).unwrap());
        self.values.push((bytes.clone(), Document::parse(bytes, &self.policy)));
        self.value_ids.insert(bytes.clone(), text);
        text
    }

    pub(super) fn bytes(&self, text: ValueId) -> &Bytes {
        &self.values[text.0 as usize].0
    }

    /// What a text means to a reader; `None`: it is no circuit.
    pub(super) fn parse_record(&self, text: Option<ValueId>) -> Option<&Record> {
        match &self.values[text?.0 as usize].1 {
            Document::Native(record, _) | Document::External(External { record, .. }, _) => Some(record),
            Document::Invalid => None,
        }
    }

    pub(super) fn is_native(&self, text: ValueId) -> bool {
        matches!(self.values[text.0 as usize].1, Document::Native(..))
    }

    /// The real [`Mirror::apply_loaded`].
    pub(super) fn apply_loaded(
        &mut self,
        mirror_id: MirrorId,
        content: StoreContent,
        time: Timestamp,
    ) -> MirrorId {
        if let Some(after) = self.loaded.get(&(mirror_id, content, time)) {
            return *after;
        }
        let value = content.value.map_or(Value::Absent, |text| Value::Text(self.bytes(text).clone()));
        let mut mirror = Mirror::clone(self.mirror(mirror_id));
        let mut history = content.history;
        if let (Some(Mutation::NoStaleValueCheck), HistoryTail::At { epoch, .. }) =
            (self.mutation, &mut history)
        {
            *epoch = 0;
        }
        mirror.apply_loaded(&Loaded { value, history_tail: history, time }, &self.policy);
        if let (Some(Mutation::NoCarriedRecord), StoredValue::External(external)) =
            (self.mutation, &mut mirror.stored)
        {
            external.carried = None;
        }
        if self.mutation == Some(Mutation::NoStaleValueCheck) {
            mirror.history_tail = content.history;
        }
        let after = self.intern_mirror(mirror);
        self.loaded.insert((mirror_id, content, time), after);
        after
    }

    /// The real [`plan`], and the mirrors that may follow from it.
    pub(super) fn plan_requests(
        &mut self,
        mirror_id: MirrorId,
        instance: usize,
        now: Timestamp,
        online: bool,
        pending: &[PendingRequest],
    ) -> DecisionId {
        let question = (mirror_id, u8::try_from(instance).unwrap(), now, online, pending.to_vec());
        if let Some(decision) = self.decision_ids.get(&question) {
            return *decision;
        }
        let decided = self.plan_uncached(mirror_id, instance, now, online, pending);
        let decision = DecisionId(u32::try_from(self.decisions.len()).unwrap());
        self.decisions.push(Rc::new(decided));
        self.decision_ids.insert(question, decision);
        decision
    }

    /// What an instance expects its circuit to become, by which it refuses provisionally (F3).
    pub(super) fn expected(
        &mut self,
        mirror_id: MirrorId,
        instance: usize,
        now: Timestamp,
        pending: &[PendingRequest],
    ) -> Option<Record> {
        let mutated = self.mutation == Some(Mutation::NoProvisionalRefusal);
        if pending.is_empty() || mutated || !self.mirror(mirror_id).is_loaded() {
            return None;
        }
        let decision = self.plan_requests(mirror_id, instance, now, false, pending);
        Some(self.mirror(self.decision(decision).mirror_if_diverged).record.clone())
    }

    fn plan_uncached(
        &mut self,
        mirror_id: MirrorId,
        instance: usize,
        now: Timestamp,
        online: bool,
        pending: &[PendingRequest],
    ) -> DecisionResult {
        let name = self.instances[instance].clone();
        let policy = self.policy.clone();
        let context = Context { instance: &name, policy: &policy, now };
        let mut mirror = Mirror::clone(self.mirror(mirror_id));
        let merged = (online && mirror.diverged).then(|| mirror.record.clone());
        if self.mutation == Some(Mutation::NoMerge) && online && mirror.diverged {
            mirror.diverged = false;
        }
        let streams = continuation_epochs_of(pending);
        let requests: Vec<Request> = if pending.is_empty() {
            vec![Request::Reconcile]
        } else {
            pending.iter().map(|request| self.to_request(*request, instance, &mirror, &streams)).collect()
        };
        let planned = plan(&mirror, &requests, context, online);
        let broken = pending.iter().enumerate().find_map(|(i, request)| {
            let [before, after] = [i, i + 1].map(|end| {
                let part = plan(&mirror, &requests[..end], context, online);
                planned_record(&part, &mirror, context, online)
            });
            check_late_outcome(
                *request,
                &self.source_of(instance),
                &pending[..i],
                before.as_ref(),
                after.as_ref(),
            )
        });
        let [mut done, mut synced, mut diverged] = [(); 3].map(|()| mirror.clone());
        synced.mark_synced();
        diverged.apply_locally(&planned.target);
        let write = planned.write(&mirror, now).filter(|_| online);
        let writes = write.map(|write| self.intern_write(write, &planned, &mut done));
        let continuation_epochs = planned.continuations.iter().filter_map(|(continuation, epoch)| {
            let call = streams.iter().find(|(_, other)| Arc::ptr_eq(other, continuation))?.0;
            Some((*call, *epoch))
        });
        DecisionResult {
            write: writes,
            continuation_epochs: continuation_epochs.collect(),
            results: planned.results.clone(),
            requests: pending.to_vec(),
            decided_at: now,
            mirror_if_done: self.intern_mirror(done),
            mirror_if_unchanged: self.intern_mirror(synced),
            mirror_if_diverged: self.intern_mirror(diverged),
            merged_from: merged,
            violation: broken,
        }
    }

    /// What a write puts into the store, and its instance's mirror after it.
    fn intern_write(&mut self, mut write: Write, planned: &Plan, mirror: &mut Mirror) -> InternedWrite {
        self.keep_epoch(&mut write.new_value, mirror);
        mirror.mark_written(&planned.target, &write);
        if let (Some(Mutation::NoEpochBump), Some(text)) = (self.mutation, &write.new_value)
            && let Document::Native(record, _) = Document::parse(text, &self.policy)
        {
            (mirror.record, mirror.last_record) = (record.clone(), record.clone());
            mirror.stored = StoredValue::Native(record);
        }
        if self.mutation == Some(Mutation::NoHistoryEntry) {
            write.entries.clear();
        }
        let expected = match &write.expected {
            Value::Text(bytes) => Some(self.intern_value(bytes)),
            _ => None,
        };
        let next = write.new_value.as_ref().map(|bytes| self.intern_value(bytes));
        let (history, history_not_loaded) = (write.history_tail, write.history_not_loaded());
        InternedWrite {
            expected,
            history,
            history_not_loaded,
            next,
            lifetime: write.ttl,
            entries: write.entries,
        }
    }

    /// Built-in fault: the next record keeps the epoch of the one before.
    fn keep_epoch(&self, next: &mut Option<Bytes>, mirror: &Mirror) {
        if let (Some(Mutation::NoEpochBump), Some(text), StoredValue::Native(before)) =
            (self.mutation, &next, &mirror.stored)
            && let Document::Native(record, extras) = Document::parse(text, &self.policy)
        {
            let record = Record { epoch: before.epoch, ..record };
            *next = Some(Bytes::from(breaker::encode(&record, &extras)));
        }
    }

    fn to_request(
        &self,
        request: PendingRequest,
        instance: usize,
        mirror: &Mirror,
        streams: &HashMap<u8, ContinuationEpoch>,
    ) -> Request {
        match request {
            PendingRequest::EnsureExists => Request::EnsureExists,
            PendingRequest::Probe { call } => {
                Request::Probe { id: call.to_string(), lease: None, source: self.requester_of(instance) }
            }
            PendingRequest::Operator(OperatorCommand::Open(length), at) => {
                let until = length.map(|length| at + Duration::from_millis(length));
                Request::Event(Event::ForceOpen { until, reason: None, by: None }, None)
            }
            PendingRequest::Operator(OperatorCommand::Close, _) => {
                Request::Event(Event::ForceClose { reason: None, by: None }, None)
            }
            PendingRequest::Operator(OperatorCommand::Reset, _) => Request::Reset { reason: None, by: None },
            PendingRequest::End { call, epoch, leased, end, at, .. } => {
                let token = self.forge_token(
                    AdmissionToken { epoch, lease_id: leased.then(|| call.to_string()) },
                    mirror,
                );
                let continuation = streams.get(&call).filter(|_| leased).map(Arc::clone);
                let failure = Failure::status(529);
                let source = self.source_of(instance).filter(|_| self.mutation != Some(Mutation::NoSources));
                let outcome = match end {
                    CallEnd::Disconnects => {
                        return Request::Event(Event::PermitReleased { token }, continuation);
                    }
                    CallEnd::FirstToken => return Request::Event(Event::FirstToken { token }, continuation),
                    CallEnd::Succeeds => Outcome::Succeeded,
                    CallEnd::Fails => Outcome::Failed(failure),
                    CallEnd::RateLimited(wait) => {
                        Outcome::RateLimited { failure, retry_after: Some(Duration::from_millis(wait)) }
                    }
                };
                Request::Event(Event::CallCompleted { token, outcome, source, at }, continuation)
            }
        }
    }

    /// Built-in fault: a token that passes the check that the mutation removes.
    fn forge_token(&self, token: AdmissionToken, mirror: &Mirror) -> AdmissionToken {
        match (self.mutation, &mirror.record.phase, &token.lease_id) {
            (Some(Mutation::NoEpochCheck), ..) => AdmissionToken { epoch: mirror.record.epoch, ..token },
            (Some(Mutation::NoLeaseCheck), Phase::HalfOpen { leases, .. }, Some(_)) => AdmissionToken {
                lease_id: leases.first().map(|lease| lease.id.clone()).or(token.lease_id),
                ..token
            },
            _ => token,
        }
    }

    fn intern_mirror(&mut self, mirror: Mirror) -> MirrorId {
        let text = format!("{mirror:?}");
        if let Some(mirror_id) = self.mirror_ids.get(&text) {
            return *mirror_id;
        }
        let mirror_id = MirrorId(u32::try_from(self.mirrors.len()).unwrap());
        self.mirrors.push(Rc::new(mirror));
        self.mirror_ids.insert(text, mirror_id);
        mirror_id
    }
}

/// What probes share with their permits: the epoch that they continue in.
fn continuation_epochs_of(pending: &[PendingRequest]) -> HashMap<u8, ContinuationEpoch> {
    let probes = pending.iter().filter_map(|request| match request {
        PendingRequest::End { call, continuation_epoch: continuation, leased: true, .. } => {
            Some((*call, Arc::new(AtomicU64::new(*continuation))))
        }
        _ => None,
    });
    probes.collect()
}

/// The record that a plan leaves.
fn planned_record(plan: &Plan, mirror: &Mirror, context: Context<'_>, online: bool) -> Option<Record> {
    match &plan.target {
        Target::Put(record) => Some(Record::clone(record)),
        Target::Delete(_) => None,
        Target::Unchanged => {
            let base = if online { mirror.baseline(context) } else { mirror.local_baseline() };
            base.map(|(record, _)| record)
        }
    }
}

/// B4: an outcome counts only with the epoch, and for a probe the lease, that it was admitted with.
fn check_late_outcome(
    request: PendingRequest,
    source: &Option<Source>,
    earlier: &[PendingRequest],
    before: Option<&Record>,
    after: Option<&Record>,
) -> Option<String> {
    let PendingRequest::End { call, epoch, leased, continuation_epoch: continuation, .. } = request else {
        return None;
    };
    let has_verdict = |request: &PendingRequest| matches!(request, PendingRequest::End { call: other, .. } if *other == call);
    if leased && earlier.iter().any(has_verdict) {
        return None;
    }
    let (epoch, leased) = if continuation == 0 { (epoch, leased) } else { (continuation, false) };
    let counts = before.is_some_and(|record| {
        let lease = match &record.phase {
            Phase::Closed => !leased,
            Phase::HalfOpen { leases, .. } => {
                leased && leases.iter().any(|lease| lease.id == call.to_string())
            }
            Phase::Open(_) | Phase::ForcedOpen { .. } => false,
        };
        let is_bound_to_another = record.bound_to().is_some_and(|scope| !scope.includes(source));
        record.epoch == epoch && (lease || !leased && is_bound_to_another)
    });
    (!counts && before != after)
        .then(|| format!("B4: the late outcome of {} changed the circuit", describe_call(call)))
}

/// A call as text.
pub(super) fn describe_call(call: u8) -> String {
    if call == NOT_A_PROBE { "an ordinary call".to_owned() } else { format!("probe {call}") }
}

impl DecisionResult {
    /// The probes whose lease was granted, and the epoch.
    pub(super) fn granted_probes(&self) -> impl Iterator<Item = (u8, u64)> {
        self.requests.iter().zip(&self.results).filter_map(|(request, answer)| match (request, answer) {
            (PendingRequest::Probe { call }, RequestResult::Applied(EventResult::ProbeGranted { epoch })) => {
                Some((*call, *epoch))
            }
            _ => None,
        })
    }

    /// The last manual override among the requests.
    pub(super) fn operator_command(&self) -> Option<(OperatorCommand, Timestamp)> {
        self.requests.iter().rev().find_map(|request| match request {
            PendingRequest::Operator(command, at) => Some((*command, *at)),
            _ => None,
        })
    }
}
