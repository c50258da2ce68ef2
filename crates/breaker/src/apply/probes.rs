//! Probes: who gets a place, and what their ends decide.

use super::{Change, Effect, Stamp};
use crate::{
    Context, Failure, FailureKind, Lease, Outcome, Phase, Policy, Reason, Rule, Timestamp,
    admit::{Admission, admit},
    record::Outage,
    window::Window,
};

impl Change<'_> {
    pub(super) fn probe(&mut self, lease: &Lease) -> Effect {
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

    pub(super) fn ended_probe(&mut self, id: &str, outcome: &Outcome, at: Timestamp) {
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

    pub(super) fn first_token(&mut self, stamp: &Stamp) -> Effect {
        let (Phase::HalfOpen { leases, .. }, Some(id)) = (&self.record.phase, &stamp.lease) else {
            return Effect::Void;
        };
        if stamp.epoch != self.record.epoch || !leases.iter().any(|lease| lease.id == *id) {
            return Effect::Void;
        }
        self.probe_succeeded(id);
        Effect::Onward { epoch: self.record.epoch }
    }

    pub(super) fn left(&mut self, stamp: &Stamp) -> Effect {
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

    fn probe_succeeded(&mut self, id: &str) {
        self.connected();
        let needed = self.context.policy.success_threshold;
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
