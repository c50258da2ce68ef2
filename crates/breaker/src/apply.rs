//! What an event makes of a record: the whole of the circuit breaker's state machine.

mod closed;
mod cut_off;
mod open;
mod probes;

use crate::{
    InstanceId, Lease, Mode, Outcome, Phase, Policy, Reason, Record, State, Timestamp, Transition, next_epoch,
};

/// What a permit was admitted with; its outcome counts only where this still holds (B4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The epoch at admission.
    pub epoch: u64,
    /// The probe's lease, if it is one.
    pub lease: Option<String>,
}

/// Something that happened to a circuit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// An admitted call ended with an outcome at this time.
    Ended {
        /// What it was admitted with.
        stamp: Stamp,
        /// How it ended.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
    /// A stream said its first content: a probe's verdict, though the call goes on (B4).
    FirstContent {
        /// What the call was admitted with.
        stamp: Stamp,
    },
    /// A probe ended without an outcome, so its place is free at once (B3).
    Left {
        /// What the call was admitted with.
        stamp: Stamp,
    },
    /// Successes that were not worth a write of their own, riding along with the next one (B6).
    Successes {
        /// The epoch they were admitted in.
        epoch: u64,
        /// When; they count into this time's bucket.
        at: Timestamp,
        /// How many.
        calls: u32,
    },
    /// A caller asks for a probe's place.
    Probe {
        /// The lease it would hold.
        lease: Lease,
    },
    /// A person opens it, until a time or for good (B10).
    Open {
        /// Its own end.
        until: Option<Timestamp>,
        /// What the person gave as the reason.
        why: Option<String>,
    },
    /// A person closes it.
    Close {
        /// What the person gave as the reason.
        why: Option<String>,
    },
    /// It is in use: its key is to live on.
    Touch,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It counted.
    Counted,
    /// It came too late, or from before a change of state: it changes nothing (B4).
    Void,
    /// The probe has its lease, in this epoch.
    Granted {
        /// The epoch to stamp the permit with.
        epoch: u64,
    },
    /// No probe is due, or the places are taken.
    Denied,
    /// A streaming probe has its verdict; its permit goes on in this epoch.
    Onward {
        /// The epoch to stamp the permit with.
        epoch: u64,
    },
}

/// The record after an event, and what there is to tell about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The record after it; equal to the one before if nothing changed.
    pub record: Record,
    /// The change of state, if it was one (B11).
    pub transition: Option<Transition>,
    /// What came of the event.
    pub effect: Effect,
}

/// Who decides, by which rules, at what time of the store's.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The instance that acts.
    pub instance: &'a InstanceId,
    /// The circuit's rules.
    pub policy: &'a Policy,
    /// The store's time.
    pub now: Timestamp,
}

/// Applies one event. Neither reads a clock nor rolls dice: the same arguments give the same step.
#[must_use]
pub fn apply(record: &Record, event: &Event, context: Context<'_>) -> Step {
    let mut next = Change { record: record.clone(), context, transition: None };
    let effect = next.event(event);
    if next.record != *record {
        next.record.window.prune(context.policy, context.now);
        next.record.cut_off.retain(|held| {
            context.now < held.until || context.now.since(held.last) < context.policy.failures_ttl
        });
        next.record.updated_by = Some(context.instance.clone());
        next.record.updated_at = context.now;
    }
    Step { record: next.record, transition: next.transition, effect }
}

/// A record being changed.
struct Change<'a> {
    record: Record,
    context: Context<'a>,
    transition: Option<Transition>,
}

impl Change<'_> {
    fn event(&mut self, event: &Event) -> Effect {
        if self.context.policy.mode == Mode::Off
            && !matches!(event, Event::Open { .. } | Event::Close { .. } | Event::Touch)
        {
            return Effect::Void;
        }
        match event {
            Event::Ended { stamp, outcome, at } => self.ended(stamp, outcome, self.past(*at)),
            Event::FirstContent { stamp } => self.first_token(stamp),
            Event::Left { stamp } => self.left(stamp),
            Event::Successes { epoch, at, calls } => self.successes(*epoch, self.past(*at), *calls),
            Event::Probe { lease } => self.probe(lease),
            Event::Open { until, why } => {
                self.turn(Phase::Forced { until: *until }, Reason::manual(why.clone()));
                Effect::Counted
            }
            Event::Close { why } => self.close_by_hand(why),
            Event::Touch => {
                self.record.updated_at = self.context.now;
                Effect::Counted
            }
        }
    }

    fn ended(&mut self, stamp: &Stamp, outcome: &Outcome, at: Timestamp) -> Effect {
        if stamp.epoch != self.record.epoch {
            return Effect::Void;
        }
        match (&self.record.phase, &stamp.lease) {
            (Phase::Closed, None) => self.ended_closed(outcome, at),
            (Phase::HalfOpen { leases, .. }, Some(id)) if leases.iter().any(|lease| lease.id == *id) => {
                self.ended_probe(id, outcome, at);
            }
            _ => return Effect::Void,
        }
        Effect::Counted
    }

    /// Nothing has happened later than now: that was a clock that had not heard the store yet (B7).
    fn past(&self, at: Timestamp) -> Timestamp {
        at.min(self.context.now)
    }

    fn turn(&mut self, phase: Phase, reason: Reason) {
        self.turn_from(self.record.written_state(), phase, reason);
    }

    fn turn_from(&mut self, from: State, phase: Phase, reason: Reason) {
        let Context { instance, now, .. } = self.context;
        self.record.phase = phase;
        self.record.epoch = next_epoch(self.record.epoch, now);
        self.record.learnt_in = None;
        self.record.reason = Some(reason.clone());
        self.transition = Some(Transition {
            from,
            to: self.record.written_state(),
            epoch: self.record.epoch,
            reason,
            instance: instance.clone(),
            at: now,
        });
    }
}

#[cfg(test)]
mod tests;
