//! What is to be written for the queued requests: their events folded over a record, and the result of each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{
    AdmissionToken, CallerName, Context, Event, EventResult, InstanceId, Lease, Phase, Reason, Record,
    Source, State, Timestamp, Transition, TransitionCause, apply, encode, next_epoch,
};
use bytes::Bytes;

use crate::{
    mirror::{Mirror, StoredValue, Target},
    store::Write,
};

/// A request to a circuit.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// It happened; its permit may have been reissued since (see [`ContinuationEpoch`]).
    Event(Event, Option<ContinuationEpoch>),
    /// An operator opens it for this long. Until when depends on the store's time, which may not be known yet.
    ForceOpen { duration: Option<Duration>, reason: Option<String>, by: Option<CallerName> },
    /// A caller asks for a probe's slot, under this lease id, for this long; `None`: as the policy says.
    Probe { id: String, lease: Option<Duration>, source: Option<Source> },
    /// The holder of a probe's lease asks for it to last this much longer; at most as the policy says.
    RenewLease { token: AdmissionToken, lease: Duration },
    /// The first answer or failure of a model that the configuration does not name begins its circuit.
    Begin(Event),
    /// The circuit must exist (F2).
    EnsureExists,
    /// The provider does not know the model.
    RemoveUnknownModel,
    /// An operator resets it.
    Reset { reason: Option<String>, by: Option<CallerName> },
    /// What was diverged, adopted or restored is to be written.
    Reconcile,
}

/// The epoch that a streaming probe's permit continues in once it has its verdict (B4); 0 until then.
pub(crate) type ContinuationEpoch = Arc<AtomicU64>;

/// The result of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestResult {
    /// What came of the event.
    Applied(EventResult),
    /// There is no such circuit.
    NoCircuit,
}

/// A decision about all queued requests.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) transitions: Vec<Transition>,
    /// One per request, in their order.
    pub(crate) results: Vec<RequestResult>,
    /// Streaming probes that have their verdict, and the epoch they continue in.
    pub(crate) continuations: Vec<(ContinuationEpoch, u64)>,
}

impl Plan {
    /// What to write for it, if anything.
    pub(crate) fn write(&self, mirror: &Mirror, now: Timestamp) -> Option<Write> {
        let (value, ttl) = match &self.target {
            Target::Unchanged => return None,
            Target::Put(record) => (Some(Bytes::from(encode(record, &mirror.extras))), record.ttl(now)),
            Target::Delete(_) => (None, None),
        };
        let (expected, history) = (mirror.value.clone(), mirror.history_tail);
        Some(Write {
            expected,
            history_tail: history,
            new_value: value,
            ttl,
            entries: self.transitions.clone(),
            decided_at: now,
        })
    }
}

/// Decides. With `online` the store can be written, and a diverged record is merged with it.
pub(crate) fn plan(mirror: &Mirror, requests: &[Request], context: Context<'_>, online: bool) -> Plan {
    let baseline = if online { mirror.baseline(context) } else { mirror.local_baseline() };
    let mut builder = PlanBuilder {
        online,
        mirror,
        context,
        record: None,
        deleted_epoch: None,
        transitions: Vec::new(),
        continuations: Vec::new(),
    };
    if let Some((record, transition)) = baseline {
        builder.record = Some(record);
        builder.transitions.extend(transition);
    }
    let results = requests.iter().map(|request| builder.apply_request(request)).collect();
    let is_invalid = online && matches!(mirror.stored, StoredValue::Invalid) && !mirror.diverged;
    let target = match (builder.record.take(), builder.deleted_epoch) {
        (Some(record), _) if matches!(&mirror.stored, StoredValue::Native(stored) if *stored == record) => {
            Target::Unchanged
        }
        (Some(record), _) if is_invalid && record == mirror.record => Target::Unchanged,
        (Some(record), _) if is_invalid => Target::Put(Box::new(builder.overwrite_invalid(record))),
        (Some(record), _) => Target::Put(Box::new(record)),
        (None, Some(epoch)) => Target::Delete(epoch),
        (None, None) => Target::Unchanged,
    };
    Plan { target, transitions: builder.transitions, results, continuations: builder.continuations }
}

struct PlanBuilder<'a> {
    online: bool,
    mirror: &'a Mirror,
    context: Context<'a>,
    record: Option<Record>,
    deleted_epoch: Option<u64>,
    transitions: Vec<Transition>,
    continuations: Vec<(ContinuationEpoch, u64)>,
}

impl PlanBuilder<'_> {
    fn apply_request(&mut self, request: &Request) -> RequestResult {
        match request {
            Request::Event(event, continuation) => self.apply_event(event, continuation.as_ref()),
            Request::Begin(event) => self.begin(event),
            Request::ForceOpen { duration, reason, by } => {
                let until = duration.map(|duration| self.context.now + duration);
                self.apply_event(&Event::ForceOpen { until, reason: reason.clone(), by: by.clone() }, None)
            }
            Request::Probe { id, lease, source } => {
                let Context { instance, policy, now } = self.context;
                let until = now + lease.unwrap_or(policy.probe_lease);
                let lease = Lease { id: id.clone(), instance: instance.clone(), until };
                self.apply_event(&Event::ProbeRequested { lease, source: source.clone() }, None)
            }
            Request::EnsureExists => {
                self.ensure_record();
                RequestResult::Applied(EventResult::Recorded)
            }
            Request::RemoveUnknownModel => self.remove_unknown_model(),
            Request::RenewLease { token, lease } => {
                let until = self.context.now + (*lease).min(self.context.policy.probe_lease);
                self.apply_event(&Event::LeaseRenewed { token: token.clone(), until }, None)
            }
            Request::Reset { reason, by } => self.reset(Reason {
                operator_reason: reason.clone(),
                by: by.clone(),
                ..Reason::new(TransitionCause::Reset)
            }),
            Request::Reconcile => RequestResult::Applied(EventResult::Recorded),
        }
    }

    fn apply_event(&mut self, event: &Event, continuation: Option<&ContinuationEpoch>) -> RequestResult {
        if matches!(event, Event::ForceOpen { .. }) {
            self.ensure_record();
        }
        let Some(record) = &self.record else { return RequestResult::NoCircuit };
        let event = self.rebase(event, continuation);
        let applied = apply(record, &event, self.context);
        if let (EventResult::Reissued { epoch }, Some(continuation)) = (applied.result, continuation) {
            self.continuations.push((Arc::clone(continuation), epoch));
        }
        self.transitions.extend(applied.transition);
        self.record = Some(applied.record);
        RequestResult::Applied(applied.result)
    }

    /// The call was admitted in no epoch, as there was no circuit. It counts in the first one.
    fn begin(&mut self, event: &Event) -> RequestResult {
        self.ensure_record();
        let first = self.record.as_ref().filter(|record| record.reason.is_none()).map(|record| record.epoch);
        match (event, first) {
            (Event::CallCompleted { outcome, source, at, .. }, Some(epoch)) => {
                let token = AdmissionToken { epoch, lease_id: None };
                let (outcome, source) = (outcome.clone(), source.clone());
                self.apply_event(&Event::CallCompleted { token, outcome, source, at: *at }, None)
            }
            _ => RequestResult::Applied(EventResult::Stale),
        }
    }

    /// The event with the token that its permit has by now.
    fn rebase(&self, event: &Event, continuation: Option<&ContinuationEpoch>) -> Event {
        let Some(continuation) = continuation else { return event.clone() };
        let reissued_epoch = self
            .continuations
            .iter()
            .find(|(other, _)| Arc::ptr_eq(other, continuation))
            .map(|(_, epoch)| *epoch);
        let epoch = reissued_epoch.unwrap_or_else(|| continuation.load(Ordering::Acquire));
        match event {
            Event::CallCompleted { outcome, source, at, .. } if epoch != 0 => Event::CallCompleted {
                token: AdmissionToken { epoch, lease_id: None },
                outcome: outcome.clone(),
                source: source.clone(),
                at: *at,
            },
            _ => event.clone(),
        }
    }

    /// Begins the circuit, if there is none. A history that does not end closed was interrupted by a DEL, which is recorded
    /// now (B11).
    fn ensure_record(&mut self) {
        if self.record.is_some() {
            return;
        }
        let Context { instance, now, .. } = self.context;
        let last = self.mirror.last_epoch().max(self.deleted_epoch.unwrap_or(0));
        if !self.online {
            // Begun without the others' state: it must not seem newer than that when the store is back.
            self.record = Some(Record::closed(last));
            return;
        }
        let record = Record::fresh(last, instance, now);
        let end = self.transitions.last().map(|entry| entry.to).or(self.mirror.history_tail.state());
        if let Some(state) = end.filter(|state| *state != State::Closed) {
            let reason = Reason::new(TransitionCause::Reset);
            self.transitions.push(reset_transition(state, record.epoch, reason, instance, now));
        }
        self.record = Some(record);
    }

    /// An invalid text counted as closed, in no epoch of the store's. Now that it is overwritten, it gets an epoch, and the
    /// history records that the circuit was closed externally (B11).
    fn overwrite_invalid(&mut self, mut record: Record) -> Record {
        let Context { instance, now, .. } = self.context;
        let mut epoch = next_epoch(self.mirror.last_epoch(), now);
        let closed_transition =
            self.mirror.history_tail.state().filter(|state| *state != State::Closed).map(|from| Transition {
                from,
                to: State::Closed,
                epoch,
                reason: Reason::new(TransitionCause::External),
                instance: instance.clone(),
                at: now,
            });
        for transition in &mut self.transitions {
            epoch = transition.epoch.max(epoch.saturating_add(1));
            transition.epoch = epoch;
        }
        self.transitions.splice(..0, closed_transition);
        record.epoch = epoch;
        record
    }

    fn remove_unknown_model(&mut self) -> RequestResult {
        match &self.record {
            Some(record)
                if matches!(record.phase, Phase::Closed) && record.consecutive_failures.count == 0 =>
            {
                self.deleted_epoch = Some(record.epoch);
                self.record = None;
                RequestResult::Applied(EventResult::Recorded)
            }
            Some(_) => RequestResult::Applied(EventResult::Stale),
            None => RequestResult::NoCircuit,
        }
    }

    fn reset(&mut self, reason: Reason) -> RequestResult {
        let Some(record) = self.record.take() else { return RequestResult::NoCircuit };
        let Context { instance, now, .. } = self.context;
        let epoch = next_epoch(record.epoch, now);
        self.transitions.push(reset_transition(record.stored_state(), epoch, reason, instance, now));
        self.deleted_epoch = Some(epoch);
        RequestResult::Applied(EventResult::Recorded)
    }
}

fn reset_transition(
    from: State,
    epoch: u64,
    reason: Reason,
    instance: &InstanceId,
    at: Timestamp,
) -> Transition {
    Transition { from, to: State::Closed, epoch, reason, instance: instance.clone(), at }
}
