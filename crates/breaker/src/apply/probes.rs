//! Probes: who gets a slot, and what their outcomes decide.

use super::{AdmissionToken, EventResult, RecordUpdate, closed::attributable, open::TripBreadth};
use crate::{
    Context, Failure, Lease, Outcome, Phase, Policy, Reason, Source, SourceBlock, SourceScope, Timestamp,
    TripRule,
    admit::{Admission, admit},
    record::{OPEN_SWE_OPEN_DURATION, OpenState},
    window::Window,
};

impl RecordUpdate<'_> {
    pub(super) fn request_probe(&mut self, lease: &Lease, source: &Option<Source>) -> EventResult {
        let Context { instance, policy, now } = self.context;
        if admit(&self.record, policy, instance, source, now) != Admission::ProbeDue {
            return EventResult::ProbeDenied;
        }
        let outage = match &mut self.record.phase {
            Phase::Closed => return EventResult::ProbeDenied,
            Phase::HalfOpen { leases, .. } => {
                evict_oldest_leases(leases, policy);
                leases.push(lease.clone());
                return EventResult::ProbeGranted { epoch: self.record.epoch };
            }
            Phase::Open(outage) => outage.clone(),
            Phase::ForcedOpen { until } => {
                let end = until.unwrap_or(now);
                OpenState::new(end - OPEN_SWE_OPEN_DURATION, end)
            }
        };
        let previous_reason = self.record.reason.clone();
        self.transition_to(
            Phase::HalfOpen { outage, leases: vec![lease.clone()], successes: 0 },
            Reason::new(crate::TransitionCause::Probe),
        );
        // A reader wants to know the outage's reason; the history has the probe.
        self.record.reason = previous_reason;
        EventResult::ProbeGranted { epoch: self.record.epoch }
    }

    pub(super) fn probe_completed(
        &mut self,
        id: &str,
        outcome: &Outcome,
        source: Option<&Source>,
        at: Timestamp,
    ) {
        match outcome {
            Outcome::Succeeded => {
                self.probe_succeeded(id);
                if matches!(self.record.phase, Phase::Closed) {
                    self.record.trips = 0;
                }
            }
            Outcome::Failed(failure) => self.probe_failed(failure, source, at),
            Outcome::RateLimited { failure, retry_after } => {
                self.clear_instance_block();
                self.start_cooldown(failure, *retry_after, at);
            }
        }
    }

    pub(super) fn first_token(&mut self, token: &AdmissionToken) -> EventResult {
        let (Phase::HalfOpen { leases, .. }, Some(id)) = (&self.record.phase, &token.lease_id) else {
            return EventResult::Stale;
        };
        if token.epoch != self.record.epoch || !leases.iter().any(|lease| lease.id == *id) {
            return EventResult::Stale;
        }
        self.probe_succeeded(id);
        EventResult::Reissued { epoch: self.record.epoch }
    }

    /// A lease that ended is renewed as long as nobody else has taken its slot, as its outcome counts that long, too (B4).
    pub(super) fn renew_lease(&mut self, token: &AdmissionToken, until: Timestamp) -> EventResult {
        let Phase::HalfOpen { leases, .. } = &mut self.record.phase else { return EventResult::Stale };
        let lease = leases.iter_mut().find(|lease| Some(&lease.id) == token.lease_id.as_ref());
        match lease.filter(|_| token.epoch == self.record.epoch) {
            Some(lease) => {
                lease.until = lease.until.max(until);
                EventResult::Recorded
            }
            None => EventResult::Stale,
        }
    }

    pub(super) fn permit_released(&mut self, token: &AdmissionToken) -> EventResult {
        if token.epoch != self.record.epoch {
            return EventResult::Stale;
        }
        if let (Phase::HalfOpen { leases, .. }, Some(id)) = (&mut self.record.phase, &token.lease_id) {
            let before = leases.len();
            leases.retain(|lease| lease.id != *id);
            if leases.len() < before {
                return EventResult::Recorded;
            }
        }
        EventResult::Stale
    }

    fn probe_succeeded(&mut self, id: &str) {
        self.clear_instance_block();
        let needed = self.context.policy.success_threshold;
        if let Phase::HalfOpen { leases, successes, .. } = &mut self.record.phase {
            leases.retain(|lease| lease.id != id);
            *successes = successes.saturating_add(1);
            if *successes >= needed {
                self.reset_consecutive_failures();
                self.record.window = Window::default();
                self.transition_to(Phase::Closed, Reason::new(crate::TransitionCause::Recovered));
            }
        }
    }

    fn probe_failed(&mut self, failure: &Failure, source: Option<&Source>, at: Timestamp) {
        let is_connection_failure = failure.is_own_connection_failure();
        let breadth = match self.record.outage() {
            Some(OpenState { sole_reporter: Some(reporter), .. })
                if is_connection_failure && reporter == self.context.instance =>
            {
                TripBreadth::Instance(reporter.clone())
            }
            Some(outage) => TripBreadth::of_sources(outage.bound_to.clone()),
            None => TripBreadth::All,
        };
        self.count_failure(is_connection_failure, attributable(failure, source), at);
        if is_connection_failure {
            self.count_connection_failure(at);
        } else {
            self.clear_instance_block();
        }
        let is_for_all = matches!(breadth, TripBreadth::All);
        self.trip(failure, TripRule::Probe, breadth, at);
        if let Some(source) = source.filter(|_| is_for_all && self.several_callers_failed()) {
            self.let_others_probe_next(source);
        }
    }

    fn several_callers_failed(&self) -> bool {
        let failures = &self.record.consecutive_failures;
        failures.by.caller_count() + usize::from(failures.by.total() < failures.count) > 1
    }

    /// The prober's caller waits for one period more than the others: if its requests are at fault, they must not keep the
    /// model from everyone (B12).
    fn let_others_probe_next(&mut self, source: &Source) {
        let period = self.current_period();
        if let Phase::Open(outage) = &mut self.record.phase {
            let scope = SourceScope::of_caller(source.caller.clone());
            outage.waiting = Some(SourceBlock { scope, until: outage.retry_at + period });
        }
    }
}

/// Frees the slot of the lease that ended first, if a slot is needed. Until then its outcome counts (B4).
fn evict_oldest_leases(leases: &mut Vec<Lease>, policy: &Policy) {
    let slots = usize::try_from(policy.half_open_probes.max(1)).unwrap_or(usize::MAX);
    while leases.len() >= slots {
        let Some(oldest) = leases.iter().enumerate().min_by_key(|(_, lease)| lease.until).map(|(i, _)| i)
        else {
            return;
        };
        leases.remove(oldest);
    }
}
