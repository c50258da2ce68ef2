//! Reconciling what an instance learnt on its own with what the store holds (F4, F5).

use crate::{
    Applied, Context, EventResult, Phase, Reason, Record, Timestamp, Transition, TransitionCause,
    record::{OpenState, next_epoch},
};

/// What the store is to hold after an instance was disconnected from it. Where nothing is to change, the returned record
/// equals `remote`.
#[must_use]
pub fn merge(local: &Record, remote: &Record, context: Context<'_>) -> Applied {
    if local == remote || is_local_only(local, context) {
        return unchanged(remote);
    }
    let local = &local.clamped_to(context.now);
    if same_state(local, remote) {
        return merge_counts(local, remote, context);
    }
    let chosen = pick_winner(local, remote);
    let chosen =
        if chosen.bound_to().is_some() { open_for_all(local, remote).unwrap_or(chosen) } else { chosen };
    let deadline = later(local.retry_at(), remote.retry_at());
    let phase = match (&local.phase, &remote.phase) {
        (Phase::Closed | Phase::ForcedOpen { .. }, _) | (_, Phase::Closed | Phase::ForcedOpen { .. }) => {
            resolve_phase(&chosen.phase, chosen.retry_at())
        }
        _ => resolve_phase(&chosen.phase, deadline),
    };
    if phase == resolve_phase(&remote.phase, remote.retry_at())
        && (chosen == remote || same_counters(chosen, remote))
    {
        return unchanged(remote);
    }
    build_applied(
        Record { phase, ..chosen.clone() },
        remote,
        local.epoch.max(remote.epoch),
        TransitionCause::Merged,
        context,
    )
}

/// What an instance restores of a circuit that the store has lost (F5); `None` if there is nothing to protect.
#[must_use]
pub fn restore(known: &Record, found: Option<&Record>, context: Context<'_>) -> Option<Applied> {
    let needs_restore = match &known.phase {
        Phase::Closed => false,
        Phase::ForcedOpen { until } => until.is_none_or(|until| context.now < until),
        Phase::Open(_) | Phase::HalfOpen { .. } => true,
    };
    // A newer manual override reached another instance during the outage, and was written first.
    let superseded = found.is_some_and(|record| {
        let newer = is_manual_override(record) && record.recency() > known.recency();
        newer || !matches!(record.phase, Phase::Closed)
    });
    if !needs_restore || superseded {
        return None;
    }
    let lost = Record::closed(0);
    let before = found.unwrap_or(&lost);
    let known = &known.clamped_to(context.now);
    let phase = resolve_phase(&known.phase, known.retry_at());
    let last_epoch = known.epoch.max(before.epoch);
    let record = Record { phase, origin_epoch: Some(known.recency()), ..known.clone() };
    Some(build_applied(record, before, last_epoch, TransitionCause::Restored, context))
}

fn unchanged(remote: &Record) -> Applied {
    Applied { record: remote.clone(), transition: None, result: EventResult::Stale }
}

/// Connection failures during a Redis outage say something of the instance's own network only (F7).
fn is_local_only(local: &Record, context: Context<'_>) -> bool {
    let reporter = match &local.phase {
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => outage.sole_reporter.as_ref(),
        Phase::Closed => local.consecutive_failures.sole_reporter.as_ref(),
        Phase::ForcedOpen { .. } => None,
    };
    reporter == Some(context.instance)
}

/// Only counts and leases have changed on either side since they diverged. The epoch alone does not say so: two diverged
/// records can reach the same one, in one millisecond or where epochs are ahead of the time.
fn same_state(local: &Record, remote: &Record) -> bool {
    local.epoch == remote.epoch
        && local.stored_state() == remote.stored_state()
        && local.bound_to() == remote.bound_to()
        && local.is_forced() == remote.is_forced()
        && local.retry_at() == remote.retry_at()
}

/// The newer epoch wins, but a forced open state yields only to a newer manual override. Of equal epochs an outage wins.
fn pick_winner<'a>(local: &'a Record, remote: &'a Record) -> &'a Record {
    let rank = |record: &Record| (record.recency(), !matches!(record.phase, Phase::Closed));
    let (newer, older) = if rank(local) > rank(remote) { (local, remote) } else { (remote, local) };
    if older.is_forced() && !newer.is_forced() && !is_manual_override(newer) { older } else { newer }
}

/// The one of them that is open for all: a trip that is bound to a source yields to it (B12).
fn open_for_all<'a>(local: &'a Record, remote: &'a Record) -> Option<&'a Record> {
    [local, remote].into_iter().find(|record| record.outage().is_some() && record.bound_to().is_none())
}

/// A half-open circuit keeps the reason of its outage, but the probe itself is no manual override.
fn is_manual_override(record: &Record) -> bool {
    let probes = matches!(record.phase, Phase::HalfOpen { .. });
    let reason = record.reason.as_ref().filter(|_| !probes);
    reason.is_some_and(|reason| {
        matches!(reason.cause, TransitionCause::Manual | TransitionCause::Reset | TransitionCause::External)
    })
}

/// No state changed on either side since they diverged: the larger counts win.
fn merge_counts(local: &Record, remote: &Record, context: Context<'_>) -> Applied {
    let mut record = remote.clone();
    let both_count = |record: &Record| matches!(record.phase, Phase::Closed) || record.bound_to().is_some();
    if both_count(local) && both_count(remote) {
        if local.consecutive_failures.count > remote.consecutive_failures.count {
            record.consecutive_failures = local.consecutive_failures.clone();
        }
        record.window = local.window.merged(&remote.window);
    }
    if record != *remote {
        record.updated_by = Some(context.instance.clone());
        record.updated_at = context.now;
    }
    Applied { record, transition: None, result: EventResult::Recorded }
}

fn later(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.max(b)
}

fn same_counters(a: &Record, b: &Record) -> bool {
    a.consecutive_failures.count == b.consecutive_failures.count && a.trips == b.trips
}

/// The phase without its leases: the other instances no longer know who held one.
fn resolve_phase(phase: &Phase, retry_at: Option<Timestamp>) -> Phase {
    match phase {
        Phase::Closed => Phase::Closed,
        Phase::ForcedOpen { until } => Phase::ForcedOpen { until: *until },
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => {
            Phase::Open(OpenState { retry_at: retry_at.unwrap_or(outage.retry_at), ..outage.clone() })
        }
    }
}

fn build_applied(
    record: Record,
    before: &Record,
    last_epoch: u64,
    cause: TransitionCause,
    context: Context<'_>,
) -> Applied {
    let Context { instance, now, .. } = context;
    let mut record = Record {
        epoch: next_epoch(last_epoch, now),
        updated_by: Some(instance.clone()),
        updated_at: now,
        ..record
    };
    record.window.prune(context.policy, now);
    let reason = Reason { cause, by: None, ..record.reason.clone().unwrap_or_else(|| Reason::new(cause)) };
    let transition = Transition {
        from: before.stored_state(),
        to: record.stored_state(),
        epoch: record.epoch,
        reason,
        instance: instance.clone(),
        at: now,
    };
    Applied { record, transition: Some(transition), result: EventResult::Recorded }
}

#[cfg(test)]
mod tests;
