//! What an event makes of a record: the circuit breaker's state machine.

mod bound;
mod closed;
mod instance_block;
mod open;
mod probes;

use crate::{
    CallerName, InstanceId, Lease, Mode, Outcome, Phase, Policy, Reason, Record, Source, State, Timestamp,
    Transition, next_epoch,
};

/// What a permit was admitted with. Its outcome counts only while this still holds (B4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AdmissionToken {
    /// The epoch at admission.
    pub epoch: u64,
    /// The probe's lease, if it is one.
    pub lease_id: Option<String>,
}

/// Something that happened to a circuit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// An admitted call ended with an outcome at this time.
    CallCompleted {
        /// What it was admitted with.
        token: AdmissionToken,
        /// How it ended.
        outcome: Outcome,
        /// Whose it was; `None`: it names nobody. Of a success on a closed circuit it does not matter.
        source: Option<Source>,
        /// When.
        at: Timestamp,
    },
    /// A stream has produced its first token: a probe's verdict, though the call goes on (B4).
    FirstToken {
        /// What the call was admitted with.
        token: AdmissionToken,
    },
    /// A probe ended without an outcome, so its slot is free immediately (B3).
    PermitReleased {
        /// What the call was admitted with.
        token: AdmissionToken,
    },
    /// Successes that were not worth a write of their own and go along with the next one (B6).
    Successes {
        /// The epoch they were admitted in.
        epoch: u64,
        /// When; they count into this time's bucket.
        at: Timestamp,
        /// How many.
        calls: u32,
    },
    /// The holder of a probe's lease is still at work and asks for it to last longer. It only ever prolongs it.
    LeaseRenewed {
        /// What the call was admitted with.
        token: AdmissionToken,
        /// When it is to end.
        until: Timestamp,
    },
    /// A caller asks for a probe's slot.
    ProbeRequested {
        /// The lease it would get.
        lease: Lease,
        /// Whose call it would be.
        source: Option<Source>,
    },
    /// An operator forces it open, until a time or without an end (B10).
    ForceOpen {
        /// When it ends; `None`: when an operator closes it.
        until: Option<Timestamp>,
        /// The operator's reason.
        reason: Option<String>,
        /// The operator's name.
        by: Option<CallerName>,
    },
    /// An operator closes it.
    ForceClose {
        /// The operator's reason.
        reason: Option<String>,
        /// The operator's name.
        by: Option<CallerName>,
    },
    /// It is in use, so its key must not expire.
    RefreshTtl,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventResult {
    /// It counted.
    Recorded,
    /// It is from before a change of state, or too late: it changes nothing (B4).
    Stale,
    /// The probe has its lease, in this epoch.
    ProbeGranted {
        /// The epoch to stamp the permit with.
        epoch: u64,
    },
    /// No probe is due, or all slots are taken.
    ProbeDenied,
    /// A streaming probe has its verdict; its permit goes on in this epoch.
    Reissued {
        /// The epoch to stamp the permit with.
        epoch: u64,
    },
}

/// The record after an event, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The record after it; equal to the one before if nothing changed.
    pub record: Record,
    /// The change of state, if it was one (B11).
    pub transition: Option<Transition>,
    /// What came of the event.
    pub result: EventResult,
}

/// Who decides, by which policy, at what time of the store's.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The instance that acts.
    pub instance: &'a InstanceId,
    /// The circuit's rules.
    pub policy: &'a Policy,
    /// The store's time.
    pub now: Timestamp,
}

/// Applies one event. Uses neither a clock nor randomness: the same arguments give the same result.
#[must_use]
pub fn apply(record: &Record, event: &Event, context: Context<'_>) -> Applied {
    let mut next = RecordUpdate { record: record.clone(), context, transition: None };
    let result = next.handle(event);
    if next.record != *record {
        next.record.window.prune(context.policy, context.now);
        next.record.blocked_instances.retain(|block| {
            context.now < block.until || context.now.since(block.last) < context.policy.failures_ttl
        });
        next.record.blocked_sources.retain(|block| context.now < block.until);
        next.record.updated_by = Some(context.instance.clone());
        next.record.updated_at = context.now;
    }
    Applied { record: next.record, transition: next.transition, result }
}

/// A record being changed.
struct RecordUpdate<'a> {
    record: Record,
    context: Context<'a>,
    transition: Option<Transition>,
}

impl RecordUpdate<'_> {
    fn handle(&mut self, event: &Event) -> EventResult {
        if self.context.policy.mode == Mode::Off
            && !matches!(event, Event::ForceOpen { .. } | Event::ForceClose { .. } | Event::RefreshTtl)
        {
            return EventResult::Stale;
        }
        match event {
            Event::CallCompleted { token, outcome, source, at } => {
                self.call_completed(token, outcome, source.as_ref(), self.clamp_to_now(*at))
            }
            Event::FirstToken { token } => self.first_token(token),
            Event::PermitReleased { token } => self.permit_released(token),
            Event::Successes { epoch, at, calls } => {
                self.record_successes(*epoch, self.clamp_to_now(*at), *calls)
            }
            Event::ProbeRequested { lease, source } => self.request_probe(lease, source),
            Event::LeaseRenewed { token, until } => self.renew_lease(token, *until),
            Event::ForceOpen { until, reason, by } => {
                let reason = Reason::manual(reason.clone(), by.clone());
                self.transition_to(Phase::ForcedOpen { until: *until }, reason);
                EventResult::Recorded
            }
            Event::ForceClose { reason, by } => self.force_close(Reason::manual(reason.clone(), by.clone())),
            Event::RefreshTtl => {
                self.record.updated_at = self.context.now;
                EventResult::Recorded
            }
        }
    }

    fn call_completed(
        &mut self,
        token: &AdmissionToken,
        outcome: &Outcome,
        source: Option<&Source>,
        at: Timestamp,
    ) -> EventResult {
        if token.epoch != self.record.epoch {
            return EventResult::Stale;
        }
        match (&self.record.phase, &token.lease_id) {
            (Phase::Closed, None) => self.completed_while_closed(outcome, source, at),
            (Phase::HalfOpen { leases, .. }, Some(id)) if leases.iter().any(|lease| lease.id == *id) => {
                self.probe_completed(id, outcome, source, at);
            }
            (_, None) if self.is_bound_to_others(source) => self.completed_by_others(outcome, source, at),
            _ => return EventResult::Stale,
        }
        EventResult::Recorded
    }

    /// Nothing happens later than now: such a time is from a clock that was not synchronized with the store yet (B7).
    fn clamp_to_now(&self, at: Timestamp) -> Timestamp {
        at.min(self.context.now)
    }

    fn transition_to(&mut self, phase: Phase, reason: Reason) {
        self.transition_from(self.record.stored_state(), phase, reason);
    }

    fn transition_from(&mut self, from: State, phase: Phase, reason: Reason) {
        let Context { instance, now, .. } = self.context;
        self.record.phase = phase;
        self.record.epoch = next_epoch(self.record.epoch, now);
        self.record.origin_epoch = None;
        self.record.reason = Some(reason.clone());
        self.transition = Some(Transition {
            from,
            to: self.record.stored_state(),
            epoch: self.record.epoch,
            reason,
            instance: instance.clone(),
            at: now,
        });
    }
}

#[cfg(test)]
mod tests;
