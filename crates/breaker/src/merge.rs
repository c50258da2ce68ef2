//! Bringing together what an instance learnt on its own with what stands in the store (F4, F5).

use crate::{
    Cause, Context, Effect, Phase, Reason, Record, Step, Timestamp, Transition,
    record::{Outage, next_epoch},
};

/// What is to stand in the store after an instance was away from it. Where nothing is to change, the step's record
/// equals `remote`.
#[must_use]
pub fn merge(local: &Record, remote: &Record, context: Context<'_>) -> Step {
    if local == remote || learnt_alone(local, context) {
        return unchanged(remote);
    }
    let local = &local.not_ahead_of(context.now);
    if same_state(local, remote) {
        return merge_counts(local, remote, context);
    }
    let chosen = choose(local, remote);
    let deadline = latest(local.retry_at(), remote.retry_at());
    let phase = match (&local.phase, &remote.phase) {
        (Phase::Closed | Phase::Forced { .. }, _) | (_, Phase::Closed | Phase::Forced { .. }) => {
            settled(&chosen.phase, chosen.retry_at())
        }
        _ => settled(&chosen.phase, deadline),
    };
    if phase == settled(&remote.phase, remote.retry_at()) && (chosen == remote || same_row(chosen, remote)) {
        return unchanged(remote);
    }
    write(Record { phase, ..chosen.clone() }, remote, local.epoch.max(remote.epoch), Cause::Merged, context)
}

/// What an instance writes back of a circuit that the store has lost (F5); `None` if there is nothing to protect.
#[must_use]
pub fn restore(known: &Record, found: Option<&Record>, context: Context<'_>) -> Option<Step> {
    let protects = match &known.phase {
        Phase::Closed => false,
        Phase::Forced { until } => until.is_none_or(|until| context.now < until),
        Phase::Open(_) | Phase::HalfOpen { .. } => true,
    };
    // A person's newer word was learnt by another who was away, and told first.
    let overtaken = found.is_some_and(|record| {
        let newer = is_persons_word(record) && record.newness() > known.newness();
        newer || !matches!(record.phase, Phase::Closed)
    });
    if !protects || overtaken {
        return None;
    }
    let lost = Record::closed(0);
    let before = found.unwrap_or(&lost);
    let known = &known.not_ahead_of(context.now);
    let phase = settled(&known.phase, known.retry_at());
    let last_epoch = known.epoch.max(before.epoch);
    let record = Record { phase, learnt_in: Some(known.newness()), ..known.clone() };
    Some(write(record, before, last_epoch, Cause::Restored, context))
}

fn unchanged(remote: &Record) -> Step {
    Step { record: remote.clone(), transition: None, effect: Effect::Void }
}

/// Connection failures seen while away from the store say something of the instance's own network only (F7).
fn learnt_alone(local: &Record, context: Context<'_>) -> bool {
    let alone = match &local.phase {
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => outage.alone.as_ref(),
        Phase::Closed => local.row.alone.as_ref(),
        Phase::Forced { .. } => None,
    };
    alone == Some(context.instance)
}

/// Nothing has changed on either side since they parted but counts and leases. The epoch alone does not say so: two
/// that are apart can come to the same one, in one millisecond or where epochs are ahead of the time.
fn same_state(local: &Record, remote: &Record) -> bool {
    local.epoch == remote.epoch
        && local.written_state() == remote.written_state()
        && local.is_forced() == remote.is_forced()
        && local.retry_at() == remote.retry_at()
}

/// The newer epoch wins, but a person's open yields to nothing but a person's newer word. Of equal ones an outage wins.
fn choose<'a>(local: &'a Record, remote: &'a Record) -> &'a Record {
    let rank = |record: &Record| (record.newness(), !matches!(record.phase, Phase::Closed));
    let (newer, older) = if rank(local) > rank(remote) { (local, remote) } else { (remote, local) };
    if older.is_forced() && !newer.is_forced() && !is_persons_word(newer) { older } else { newer }
}

/// A half-open circuit keeps the reason of what it probes, but the probe was nobody's word.
fn is_persons_word(record: &Record) -> bool {
    let probes = matches!(record.phase, Phase::HalfOpen { .. });
    let reason = record.reason.as_ref().filter(|_| !probes);
    reason.is_some_and(|reason| matches!(reason.kind, Cause::Manual | Cause::Reset | Cause::Foreign))
}

/// No state changed on either side since they parted: the larger counts stand.
fn merge_counts(local: &Record, remote: &Record, context: Context<'_>) -> Step {
    let mut record = remote.clone();
    if matches!((&local.phase, &remote.phase), (Phase::Closed, Phase::Closed)) {
        if local.row.failures > remote.row.failures {
            record.row = local.row.clone();
        }
        record.window = local.window.merged(&remote.window);
    }
    if record != *remote {
        record.updated_by = Some(context.instance.clone());
        record.updated_at = context.now;
    }
    Step { record, transition: None, effect: Effect::Counted }
}

fn latest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.max(b)
}

fn same_row(a: &Record, b: &Record) -> bool {
    a.row.failures == b.row.failures && a.trips == b.trips
}

/// The phase without its leases: whoever held one is no longer known to the others.
fn settled(phase: &Phase, retry_at: Option<Timestamp>) -> Phase {
    match phase {
        Phase::Closed => Phase::Closed,
        Phase::Forced { until } => Phase::Forced { until: *until },
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => {
            Phase::Open(Outage { retry_at: retry_at.unwrap_or(outage.retry_at), ..outage.clone() })
        }
    }
}

fn write(record: Record, before: &Record, last_epoch: u64, cause: Cause, context: Context<'_>) -> Step {
    let Context { instance, now, .. } = context;
    let mut record = Record {
        epoch: next_epoch(last_epoch, now),
        updated_by: Some(instance.clone()),
        updated_at: now,
        ..record
    };
    record.window.prune(context.policy, now);
    let reason = Reason { kind: cause, ..record.reason.clone().unwrap_or_else(|| Reason::of(cause)) };
    let transition = Transition {
        from: before.written_state(),
        to: record.written_state(),
        epoch: record.epoch,
        reason,
        instance: instance.clone(),
        at: now,
    };
    Step { record, transition: Some(transition), effect: Effect::Counted }
}

#[cfg(test)]
mod tests;
