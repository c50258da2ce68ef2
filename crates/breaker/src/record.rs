//! The record of one circuit: everything that decisions are made from.

use std::time::Duration;

use crate::{InstanceId, Policy, Reason, State, Timestamp, window::Window};

/// How long a key lives after its last change, as Open SWE has it (DESIGN 1.1).
const RECORD_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A lease is taken over only so long after its end, so that two clocks that differ by what the store tolerates
/// still agree that it is over.
pub const LEASE_GRACE: Duration = Duration::from_millis(200);

/// The state of one circuit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Grows at every change of state, so that an outcome can tell whether it is late (B4).
    pub epoch: u64,
    /// The epoch in which it was learnt, if the store has lost it since and it was written anew in a later one (F5).
    pub origin_epoch: Option<u64>,
    /// Closed, open, half-open or forced.
    pub phase: Phase,
    /// Failures in a row.
    pub consecutive_failures: ConsecutiveFailures,
    /// How often it opened in a row without having closed; open periods grow with it (B8).
    pub trips: u32,
    /// Why it is as it is.
    pub reason: Option<Reason>,
    /// Calls and failures, for the failure rate.
    pub window: Window,
    /// Instances that cannot connect to the provider while others may (F7).
    pub blocked_instances: Vec<InstanceBlock>,
    /// Who wrote it last.
    pub updated_by: Option<InstanceId>,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// What a circuit does with calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Admits all.
    Closed,
    /// Refuses all until its deadline; then the first probe makes it half-open.
    Open(OpenState),
    /// Admits leased probes.
    HalfOpen {
        /// The outage that the probes are to end.
        outage: OpenState,
        /// Probes that are under way, or whose lease ended without anybody taking the place.
        leases: Vec<Lease>,
        /// Probes that succeeded so far.
        successes: u32,
    },
    /// Opened by a person: refuses all, whatever calls and time bring (B10).
    ForcedOpen {
        /// Its own end, after which it probes; `None`: until a person closes it.
        until: Option<Timestamp>,
    },
}

/// An outage as the circuit sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenState {
    /// When it opened; of a rest, 180 s before `retry_at` (B9).
    pub opened_at: Timestamp,
    /// When a probe may be tried.
    pub retry_at: Timestamp,
    /// Made of this one instance's connection failures alone: the others may probe at once (F7).
    pub sole_reporter: Option<InstanceId>,
}

/// Leave to probe, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// Tells one probe from another.
    pub id: String,
    /// Who probes.
    pub instance: InstanceId,
    /// When its place is free again.
    pub until: Timestamp,
}

impl Lease {
    /// Whether it still holds its place.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        now < self.until + LEASE_GRACE
    }
}

/// Failures in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConsecutiveFailures {
    /// How many.
    pub count: u32,
    /// Those of them that do not trip: they were told late, and calls that went well may have come between.
    pub late_count: u32,
    /// When the first of them was that was told in time; until there is one, when the last was told.
    pub since: Timestamp,
    /// When the last failure was, of this row or before it.
    pub last: Timestamp,
    /// All of them are connection failures of this one instance (F7).
    pub sole_reporter: Option<InstanceId>,
}

impl ConsecutiveFailures {
    /// The row with what is too long ago forgotten.
    #[must_use]
    pub fn without_expired(&self, policy: &Policy, now: Timestamp) -> Self {
        let has_timestamp = self.last != Timestamp::NEVER;
        if self.count > 0 && has_timestamp && now.since(self.last) >= policy.failures_ttl {
            return Self { last: self.last, ..Self::default() };
        }
        self.clone()
    }

    pub(crate) fn reaches_threshold(&self, policy: &Policy) -> bool {
        threshold_reached(self.count - self.late_count.min(self.count), self.since, self.last, policy)
    }
}

/// The connection failures in a row of one instance, and how long it leaves the model alone for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceBlock {
    /// Whose network it is.
    pub instance: InstanceId,
    /// Connection failures in a row, of this instance.
    pub failures: u32,
    /// When the first of them was.
    pub since: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
    /// Until when this instance is refused; never, if it is not.
    pub until: Timestamp,
    /// How often in a row it was refused so.
    pub trips: u32,
}

impl InstanceBlock {
    pub(crate) fn reaches_threshold(&self, policy: &Policy) -> bool {
        threshold_reached(self.failures, self.since, self.last, policy)
    }
}

/// The rule for failures in a row: enough of them over some time, or very many.
fn threshold_reached(failures: u32, since: Timestamp, last: Timestamp, policy: &Policy) -> bool {
    failures >= policy.burst_threshold
        || (failures >= policy.failure_threshold && last.since(since) >= policy.min_failure_span)
}

impl Record {
    /// A closed circuit that knows of nothing.
    #[must_use]
    pub fn closed(epoch: u64) -> Self {
        Self {
            epoch,
            origin_epoch: None,
            phase: Phase::Closed,
            consecutive_failures: ConsecutiveFailures::default(),
            trips: 0,
            reason: None,
            window: Window::default(),
            blocked_instances: Vec::new(),
            updated_by: None,
            updated_at: Timestamp::NEVER,
        }
    }

    /// The first record of a model: closed, in an epoch that no permit has seen.
    #[must_use]
    pub fn fresh(last_epoch: u64, instance: &InstanceId, now: Timestamp) -> Self {
        Self {
            updated_by: Some(instance.clone()),
            updated_at: now,
            ..Self::closed(next_epoch(last_epoch, now))
        }
    }

    /// How new it is, as an epoch.
    #[must_use]
    pub fn recency(&self) -> u64 {
        self.origin_epoch.unwrap_or(self.epoch)
    }

    /// The state as people see it: an open circuit whose time has come is half-open (DESIGN 1.1).
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match &self.phase {
            Phase::Closed => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open(outage) if outage.retry_at <= now => State::HalfOpen,
            Phase::ForcedOpen { until: Some(until) } if *until <= now => State::HalfOpen,
            Phase::Open(_) | Phase::ForcedOpen { .. } => State::Open,
        }
    }

    /// The state as it was written: the one that transitions are told between.
    #[must_use]
    pub const fn stored_state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open(_) | Phase::ForcedOpen { .. } => State::Open,
        }
    }

    /// When a call may next be tried, of a circuit that is not closed; `None`: closed, or not before a person's word.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Closed => None,
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } => Some(outage.retry_at),
            Phase::ForcedOpen { until } => *until,
        }
    }

    /// Whether a person opened it.
    #[must_use]
    pub const fn is_forced(&self) -> bool {
        matches!(self.phase, Phase::ForcedOpen { .. })
    }

    /// How long its key is to live from `now` on; `None`: for ever (B8, DESIGN 1.1).
    #[must_use]
    pub fn ttl(&self, now: Timestamp) -> Option<Duration> {
        let deadline = match &self.phase {
            Phase::ForcedOpen { .. } => return None,
            Phase::Closed => now,
            Phase::Open(outage) => outage.retry_at,
            Phase::HalfOpen { outage, leases, .. } => {
                leases.iter().map(|lease| lease.until).max().unwrap_or(now).max(outage.retry_at)
            }
        };
        let block =
            self.blocked_instances.iter().map(|latest_block_end| latest_block_end.until).max().unwrap_or(now);
        Some(RECORD_TTL.max(deadline.max(block).since(now) + LEASE_GRACE))
    }

    /// Whether every call is admitted, whoever makes it and when, and no success would change anything: how a circuit
    /// is nearly always.
    #[must_use]
    pub const fn is_pristine(&self) -> bool {
        matches!(self.phase, Phase::Closed)
            && self.consecutive_failures.count == 0
            && self.trips == 0
            && self.blocked_instances.is_empty()
    }

    /// The same record by a clock that is so many ms ahead of the one it was made by: what an instance learnt before it
    /// ever heard the store's time (B7). An epoch is a time, too, but one that began below every epoch stays there.
    #[must_use]
    pub fn shifted_by(&self, millis: i64) -> Self {
        let mut record = self.clone();
        for epoch in std::iter::once(&mut record.epoch).chain(&mut record.origin_epoch) {
            *epoch = epoch.checked_add_signed(millis).unwrap_or(*epoch);
        }
        record.consecutive_failures.since = record.consecutive_failures.since.shifted_by(millis);
        record.consecutive_failures.last = record.consecutive_failures.last.shifted_by(millis);
        record.updated_at = record.updated_at.shifted_by(millis);
        match &mut record.phase {
            Phase::Closed => {}
            Phase::Open(outage) => outage.shift(millis),
            Phase::HalfOpen { outage, leases, .. } => {
                outage.shift(millis);
                for lease in leases {
                    lease.until = lease.until.shifted_by(millis);
                }
            }
            Phase::ForcedOpen { until } => *until = until.map(|until| until.shifted_by(millis)),
        }
        for bucket in &mut record.window.buckets {
            bucket.start = bucket.start.shifted_by(millis);
        }
        for block in &mut record.blocked_instances {
            block.since = block.since.shifted_by(millis);
            block.last = block.last.shifted_by(millis);
            block.until = block.until.shifted_by(millis);
        }
        record
    }

    /// Whether a success of `instance` would change anything: steady success writes nothing (B6).
    #[must_use]
    pub fn success_changes_state(&self, instance: &InstanceId) -> bool {
        self.consecutive_failures.count > 0
            || self.trips > 0
            || self.blocked_instances.iter().any(|block| block.instance == *instance)
    }

    /// The record as if it had been written now, where a clock that had not heard the store yet wrote it ahead of time
    /// (B7). Two clocks that the store tolerates may differ by [`LEASE_GRACE`].
    pub(crate) fn clamped_to(&self, now: Timestamp) -> Self {
        let ahead = self.updated_at.since(now);
        let mut record = self.clone();
        if ahead <= LEASE_GRACE {
            return record;
        }
        match &mut record.phase {
            Phase::Closed | Phase::ForcedOpen { until: None } => {}
            Phase::ForcedOpen { until: Some(until) } => *until = *until - ahead,
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } => {
                outage.opened_at = outage.opened_at - ahead;
                outage.retry_at = outage.retry_at - ahead;
            }
        }
        for block in &mut record.blocked_instances {
            block.until = block.until - ahead;
            (block.since, block.last) = (block.since.min(now), block.last.min(now));
        }
        record.consecutive_failures.since = record.consecutive_failures.since.min(now);
        record.consecutive_failures.last = record.consecutive_failures.last.min(now);
        record.window.drop_after(now);
        record.updated_at = now;
        record
    }

    /// The deadline before which `instance` is to leave the model alone because it cannot connect to it (F7).
    #[must_use]
    pub fn blocked_until(&self, instance: &InstanceId, now: Timestamp) -> Option<Timestamp> {
        self.blocked_instances
            .iter()
            .find(|block| block.instance == *instance && now < block.until)
            .map(|held| held.until)
    }
}

/// An epoch that never was: later than the last, and not before the store's time, so that none comes twice even
/// after a DEL (DESIGN 1.1).
#[must_use]
pub fn next_epoch(last: u64, now: Timestamp) -> u64 {
    last.saturating_add(1).max(now.as_millis())
}

impl OpenState {
    fn shift(&mut self, millis: i64) {
        self.opened_at = self.opened_at.shifted_by(millis);
        self.retry_at = self.retry_at.shifted_by(millis);
    }

    /// Whether it is another instance's own trouble, so that `instance` may probe before its time (F7).
    #[must_use]
    pub fn is_reported_by_other(&self, instance: &InstanceId) -> bool {
        self.sole_reporter.as_ref().is_some_and(|reporter| reporter != instance)
    }
}
