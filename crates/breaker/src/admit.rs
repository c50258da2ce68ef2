//! Whether a call may be made now. Nothing else decides that (B1).

use crate::{InstanceId, Mode, Phase, Policy, Record, Requester, Timestamp};

/// What a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The call may be made.
    Admitted,
    /// The call may be made if it gets a probe's lease: apply [`Event::ProbeRequested`](crate::Event::ProbeRequested).
    ProbeDue,
    /// The call may not be made.
    Refused {
        /// When to ask again; `None`: not before an operator closes the circuit.
        retry_at: Option<Timestamp>,
        /// A probe is in flight, whose verdict may come sooner.
        probing: bool,
    },
}

/// What everyone gets of a circuit, if that depends on nothing but the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionOfAll {
    /// It depends on more.
    Depends,
    /// Every call is admitted, at any time, and no success would change anything.
    Admitted,
    /// Every call is refused before this time.
    RefusedUntil(Timestamp),
    /// Every call is refused until an operator closes the circuit.
    Refused,
}

/// What [`admit`] answers everyone, whoever asks. How a circuit is nearly always: closed without failures, or open for all.
#[must_use]
pub fn admission_of_all(record: &Record, policy: &Policy) -> AdmissionOfAll {
    let has_blocks = !record.blocked_instances.is_empty() || !record.blocked_sources.is_empty();
    match &record.phase {
        Phase::Closed if record.is_pristine() => AdmissionOfAll::Admitted,
        _ if policy.mode != Mode::Enforce => AdmissionOfAll::Depends,
        Phase::Open(outage) if !has_blocks && outage.is_for_all() => {
            AdmissionOfAll::RefusedUntil(outage.retry_at)
        }
        Phase::ForcedOpen { until: Some(until) } => AdmissionOfAll::RefusedUntil(*until),
        Phase::ForcedOpen { until: None } => AdmissionOfAll::Refused,
        Phase::Closed | Phase::Open(_) | Phase::HalfOpen { .. } => AdmissionOfAll::Depends,
    }
}

/// Whether `instance` may make a call for `requester` now. Changes nothing (L1: a refused caller leaves no trace).
#[must_use]
pub fn admit(
    record: &Record,
    policy: &Policy,
    instance: &InstanceId,
    requester: &dyn Requester,
    now: Timestamp,
) -> Admission {
    if policy.mode == Mode::Off {
        return Admission::Admitted;
    }
    match enforce(record, policy, instance, requester, now) {
        Admission::Refused { .. } if policy.mode == Mode::Observe => Admission::Admitted,
        admission => admission,
    }
}

/// The same while the record's successor is on its way to the store: whoever `expected` refuses is refused already (F3).
/// It admits nobody whom the record refuses. Also whether it is `expected` that refuses.
#[must_use]
pub fn admit_provisionally(
    record: &Record,
    expected: Option<&Record>,
    policy: &Policy,
    instance: &InstanceId,
    requester: &dyn Requester,
    now: Timestamp,
) -> (Admission, bool) {
    let admission = admit(record, policy, instance, requester, now);
    match (admission, expected.map(|expected| admit(expected, policy, instance, requester, now))) {
        (Admission::Admitted | Admission::ProbeDue, Some(refused @ Admission::Refused { .. })) => {
            (refused, true)
        }
        _ => (admission, false),
    }
}

fn enforce(
    record: &Record,
    policy: &Policy,
    instance: &InstanceId,
    requester: &dyn Requester,
    now: Timestamp,
) -> Admission {
    if let Some(until) = record.blocked_until(instance, now)
        && !record.is_forced()
    {
        return Admission::Refused { retry_at: Some(until), probing: false };
    }
    if let Some(until) = record.source_blocked_until(requester, now)
        && !record.is_forced()
    {
        return Admission::Refused { retry_at: Some(until), probing: false };
    }
    if record.bound_to().is_some_and(|scope| !scope.includes(requester)) {
        return Admission::Admitted;
    }
    match &record.phase {
        Phase::Closed => Admission::Admitted,
        Phase::Open(outage) if outage.retry_at <= now || outage.is_reported_by_other(instance) => {
            Admission::ProbeDue
        }
        Phase::Open(outage) => Admission::Refused { retry_at: Some(outage.retry_at), probing: false },
        Phase::HalfOpen { leases, .. } => {
            let mut active = leases.iter().filter(|lease| lease.is_active(now)).peekable();
            let first_end = active.clone().map(|lease| lease.until + crate::LEASE_GRACE).min();
            if active.peek().is_none() || has_free_lease(policy, active.count()) {
                Admission::ProbeDue
            } else {
                Admission::Refused { retry_at: first_end, probing: true }
            }
        }
        Phase::ForcedOpen { until: Some(until) } if *until <= now => Admission::ProbeDue,
        Phase::ForcedOpen { until } => Admission::Refused { retry_at: *until, probing: false },
    }
}

fn has_free_lease(policy: &Policy, active: usize) -> bool {
    u32::try_from(active).is_ok_and(|active| active < policy.half_open_probes)
}

#[cfg(test)]
mod tests;
