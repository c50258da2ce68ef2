//! What an event makes of a record: the whole of the circuit breaker's state machine.

use std::time::Duration;

use crate::{
    Failure, FailureKind, InstanceId, Lease, Mode, Outcome, Phase, Policy, Reason, Record, Rule, State,
    Timestamp, Transition,
    admit::{Admission, admit},
    millis, next_epoch,
    record::{CutOff, Outage, Row},
    window::{Verdict, Window},
};

/// Open SWE's own open period. A rest is written as opened so long before its end, so that an Open SWE instance
/// comes back at the same time (B9).
const OPEN_SWE_PERIOD: Duration = Duration::from_secs(180);

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
            context.now < held.until || context.now.since(held.last) < context.policy.row_memory
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
            Event::Ended { stamp, outcome, at } => self.ended(stamp, outcome, *at),
            Event::FirstContent { stamp } => self.first_content(stamp),
            Event::Left { stamp } => self.left(stamp),
            Event::Successes { epoch, at, calls } => self.successes(*epoch, *at, *calls),
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

    fn ended_closed(&mut self, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded => {
                self.forget_row();
                self.record.trips = 0;
                self.connected();
                self.record.window.add_calls(self.context.policy, at, 1);
            }
            Outcome::Failed(failure) => self.failed(failure, at),
            Outcome::Rest { failure, wait } => {
                self.connected();
                self.rest(failure, *wait, at);
            }
        }
    }

    fn ended_probe(&mut self, id: &str, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded => {
                self.probe_succeeded(id);
                if matches!(self.record.phase, Phase::Closed) {
                    self.record.trips = 0;
                }
            }
            Outcome::Failed(failure) => self.probe_failed(failure, at),
            Outcome::Rest { failure, wait } => {
                self.connected();
                self.rest(failure, *wait, at);
            }
        }
    }

    fn first_content(&mut self, stamp: &Stamp) -> Effect {
        let (Phase::HalfOpen { leases, .. }, Some(id)) = (&self.record.phase, &stamp.lease) else {
            return Effect::Void;
        };
        if stamp.epoch != self.record.epoch || !leases.iter().any(|lease| lease.id == *id) {
            return Effect::Void;
        }
        self.probe_succeeded(id);
        Effect::Onward { epoch: self.record.epoch }
    }

    fn left(&mut self, stamp: &Stamp) -> Effect {
        if stamp.epoch != self.record.epoch {
            return Effect::Void;
        }
        if let (Phase::HalfOpen { leases, .. }, Some(id)) = (&mut self.record.phase, &stamp.lease) {
            let before = leases.len();
            leases.retain(|lease| lease.id != *id);
            if leases.len() < before {
                return Effect::Counted;
            }
        }
        Effect::Void
    }

    fn successes(&mut self, epoch: u64, at: Timestamp, calls: u32) -> Effect {
        if epoch != self.record.epoch || !matches!(self.record.phase, Phase::Closed) {
            return Effect::Void;
        }
        self.record.window.add_calls(self.context.policy, at, calls);
        Effect::Counted
    }

    fn probe(&mut self, lease: &Lease) -> Effect {
        let Context { instance, policy, now } = self.context;
        if admit(&self.record, policy, instance, now) != Admission::ProbeDue {
            return Effect::Denied;
        }
        let outage = match &mut self.record.phase {
            Phase::Closed => return Effect::Denied,
            Phase::HalfOpen { leases, .. } => {
                make_room(leases, policy);
                leases.push(lease.clone());
                return Effect::Granted { epoch: self.record.epoch };
            }
            Phase::Open(outage) => outage.clone(),
            Phase::Forced { until } => {
                let end = until.unwrap_or(now);
                Outage { opened_at: end, retry_at: end, alone: None }
            }
        };
        let was = self.record.reason.clone();
        self.turn(
            Phase::HalfOpen { outage, leases: vec![lease.clone()], successes: 0 },
            Reason::of(crate::Cause::Probe),
        );
        // The outage's reason is what a reader wants to know; the history tells of the probe.
        self.record.reason = was;
        Effect::Granted { epoch: self.record.epoch }
    }

    fn probe_succeeded(&mut self, id: &str) {
        self.connected();
        let needed = self.context.policy.half_open_successes;
        if let Phase::HalfOpen { leases, successes, .. } = &mut self.record.phase {
            leases.retain(|lease| lease.id != id);
            *successes = successes.saturating_add(1);
            if *successes >= needed {
                self.forget_row();
                self.record.window = Window::default();
                self.turn(Phase::Closed, Reason::of(crate::Cause::Recovered));
            }
        }
    }

    fn probe_failed(&mut self, failure: &Failure, at: Timestamp) {
        let cut_off = failure.kind == FailureKind::Connection;
        let alone = match &self.record.phase {
            Phase::HalfOpen { outage, .. }
                if cut_off && outage.alone.as_ref() == Some(self.context.instance) =>
            {
                outage.alone.clone()
            }
            _ => None,
        };
        self.count_row(cut_off, at);
        if cut_off {
            self.count_cut_off(at);
        } else {
            self.connected();
        }
        self.trip(failure, Rule::Probe, alone, at);
    }

    fn failed(&mut self, failure: &Failure, at: Timestamp) {
        let Context { instance, policy, now } = self.context;
        let cut_off = failure.kind == FailureKind::Connection;
        self.count_row(cut_off, at);
        self.record.window.add_failure(policy, at, cut_off.then_some(instance));
        if cut_off {
            self.count_cut_off(at);
        } else {
            self.connected();
        }

        if self.record.row.trips(policy) {
            return self.trip(failure, Rule::Row, self.record.row.alone.clone(), at);
        }
        if let Verdict::Trip { alone } = self.record.window.verdict(policy, now) {
            return self.trip(failure, Rule::Rate, alone, at);
        }
        // Others' successes end the row, but not what this instance knows of its own network.
        let tripped = self.record.cut_off.iter().any(|held| held.instance == *instance && held.trips(policy));
        if cut_off && tripped {
            self.hold(instance, at);
        }
    }

    fn count_row(&mut self, cut_off: bool, at: Timestamp) {
        let me = cut_off.then(|| self.context.instance.clone());
        let row = self.record.row.remembered(self.context.policy, at);
        self.record.row = if row.failures == 0 {
            Row { failures: 1, since: at, last: at.max(row.last), alone: me }
        } else {
            Row {
                failures: row.failures.saturating_add(1),
                since: row.since.min(at),
                last: at.max(row.last),
                alone: row.alone.filter(|instance| Some(instance) == me.as_ref()),
            }
        };
    }

    fn count_cut_off(&mut self, at: Timestamp) {
        let me = self.context.instance;
        if let Some(held) = self.record.cut_off.iter_mut().find(|held| held.instance == *me) {
            held.failures = held.failures.saturating_add(1);
            held.last = held.last.max(at);
        } else {
            let first = CutOff {
                instance: me.clone(),
                failures: 1,
                since: at,
                last: at,
                until: Timestamp::NEVER,
                trips: 0,
            };
            self.record.cut_off.push(first);
        }
    }

    /// This instance got an answer, so its network is well.
    fn connected(&mut self) {
        let me = self.context.instance;
        self.record.cut_off.retain(|held| held.instance != *me);
    }

    fn forget_row(&mut self) {
        self.record.row = Row { last: self.record.row.last, ..Row::default() };
    }

    fn trip(&mut self, failure: &Failure, rule: Rule, alone: Option<InstanceId>, at: Timestamp) {
        self.record.trips = self.record.trips.saturating_add(1);
        let retry_at = at + period(self.context.policy, self.record.trips, self.record.epoch);
        if let Some(instance) = &alone
            && let Some(held) = self.record.cut_off.iter_mut().find(|held| held.instance == *instance)
        {
            held.until = retry_at;
        }
        let outage = Outage { opened_at: at, retry_at, alone };
        self.turn(Phase::Open(outage), Reason::failure(failure, rule));
    }

    fn rest(&mut self, failure: &Failure, wait: Option<Duration>, at: Timestamp) {
        let longest = self.context.policy.rest_max;
        let retry_at = at + wait.unwrap_or(longest).min(longest);
        let outage = Outage { opened_at: retry_at - OPEN_SWE_PERIOD, retry_at, alone: None };
        self.turn(Phase::Open(outage), Reason::failure(failure, Rule::Rest));
    }

    fn hold(&mut self, instance: &InstanceId, at: Timestamp) {
        let Context { policy, .. } = self.context;
        let epoch = self.record.epoch;
        if let Some(held) = self.record.cut_off.iter_mut().find(|held| held.instance == *instance) {
            held.trips = held.trips.saturating_add(1);
            held.until = held.until.max(at + period(policy, held.trips, epoch));
        }
    }

    fn close_by_hand(&mut self, why: &Option<String>) -> Effect {
        let closed = Record { epoch: self.record.epoch, ..Record::closed(self.record.epoch) };
        let last = self.record.row.last;
        let was_closed = matches!(self.record.phase, Phase::Closed);
        let nothing_to_forget = was_closed
            && self.record.row.failures == 0
            && self.record.trips == 0
            && self.record.cut_off.is_empty();
        if nothing_to_forget {
            return Effect::Void;
        }
        let from = self.record.written_state();
        self.record =
            Record { row: Row { last, ..Row::default() }, phase: self.record.phase.clone(), ..closed };
        self.turn_from(from, Phase::Closed, Reason::manual(why.clone()));
        Effect::Counted
    }

    fn turn(&mut self, phase: Phase, reason: Reason) {
        self.turn_from(self.record.written_state(), phase, reason);
    }

    fn turn_from(&mut self, from: State, phase: Phase, reason: Reason) {
        let Context { instance, now, .. } = self.context;
        self.record.phase = phase;
        self.record.epoch = next_epoch(self.record.epoch, now);
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

/// Frees the place of the lease that ended first, if a place is needed: until then its outcome counts (B4).
fn make_room(leases: &mut Vec<Lease>, policy: &Policy) {
    let places = usize::try_from(policy.half_open_probes.max(1)).unwrap_or(usize::MAX);
    while leases.len() >= places {
        let Some(oldest) = leases.iter().enumerate().min_by_key(|(_, lease)| lease.until).map(|(i, _)| i)
        else {
            return;
        };
        leases.remove(oldest);
    }
}

/// The open period after so many trips in a row (B8). Chance comes from the epoch, so that circuits that opened
/// together do not all probe together and the same arguments still give the same period.
fn period(policy: &Policy, trips: u32, epoch: u64) -> Duration {
    let longest = policy.open_for_max.as_secs_f64();
    let exponent = i32::try_from(trips.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = (policy.open_for.as_secs_f64() * policy.open_for_growth.powi(exponent)).min(longest);
    let jittered = (grown * (1.0 + policy.open_for_jitter * chance(epoch))).min(longest);
    Duration::from_millis(millis(Duration::try_from_secs_f64(jittered).unwrap_or(policy.open_for_max)))
}

/// A number in [-1, 1) that looks random, from the epoch (the finalizer of SplitMix64).
fn chance(epoch: u64) -> f64 {
    let mut bits = epoch.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or(0);
    f64::from(high) / f64::from(1u32 << 31) - 1.0
}
