//! The record of one circuit: everything that decisions are made from.

use std::time::Duration;

use crate::{
    InstanceId, Policy, Reason, Requester, SourceBlock, SourceCounts, SourceScope, State, Timestamp,
    TripRule, window::Window,
};

/// How long a key lives after its last change: the same as in Open SWE.
const RECORD_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Open SWE's own open period. What ends at a known time is written as opened this long before its end, so that an Open SWE
/// instance resumes at the same time (B9, B10).
pub(crate) const OPEN_SWE_OPEN_DURATION: Duration = Duration::from_secs(180);

/// A lease is replaced only this long after its end, so that two clocks that differ by what the store tolerates agree
/// that it has ended.
pub const LEASE_GRACE: Duration = Duration::from_millis(200);

/// The state of one circuit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Grows at every change of state, which shows whether an outcome is stale (B4).
    pub epoch: u64,
    /// The epoch before the store lost it, if it was restored in a later one (F5).
    pub origin_epoch: Option<u64>,
    /// Closed, open, half-open or forced.
    pub phase: Phase,
    /// Consecutive failures.
    pub consecutive_failures: ConsecutiveFailures,
    /// Consecutive trips: how often it opened without closing in between. Open periods grow with it (B8).
    pub trips: u32,
    /// Why it is as it is.
    pub reason: Option<Reason>,
    /// Calls and failures, for the failure rate.
    pub window: Window,
    /// Instances that cannot connect to the provider while others may (F7).
    pub blocked_instances: Vec<InstanceBlock>,
    /// Sources whose calls are refused while others' are admitted (B12).
    pub blocked_sources: Vec<SourceBlock>,
    /// Who wrote it last.
    pub updated_by: Option<InstanceId>,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// The state of a circuit as it is stored. What is shown is a [`State`], which also depends on the time.
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
        /// Probes in flight, and those whose lease has ended but was not replaced yet.
        leases: Vec<Lease>,
        /// Probes that succeeded so far.
        successes: u32,
    },
    /// Forced open by an operator: refuses all, regardless of calls and time (B10).
    ForcedOpen {
        /// When it ends and probes; `None`: when an operator closes it.
        until: Option<Timestamp>,
    },
}

/// An outage as the circuit sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenState {
    /// When it opened; of a cooldown, 180 s before `retry_at` (B9).
    pub opened_at: Timestamp,
    /// When a probe may be tried.
    pub retry_at: Timestamp,
    /// Only this one instance reported failures, and only connection failures: the others may probe immediately (F7).
    pub sole_reporter: Option<InstanceId>,
    /// Only these requests are refused, and probe; all others are admitted as if it were closed (B12).
    pub bound_to: Option<SourceScope>,
    /// The caller whose probe failed, while it waits for longer than the others, so that another one probes next (B12).
    pub waiting: Option<SourceBlock>,
}

/// A permission to probe for a limited time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// Identifies the probe.
    pub id: String,
    /// Who probes.
    pub instance: InstanceId,
    /// When its slot is free again.
    pub until: Timestamp,
}

impl Lease {
    /// Whether it still occupies its slot.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        now < self.until + LEASE_GRACE
    }
}

/// Consecutive failures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConsecutiveFailures {
    /// How many.
    pub count: u32,
    /// Those of them that do not trip: they were reported late, and calls may have succeeded in between.
    pub late_count: u32,
    /// When the first of those reported in time happened; until there is one, when the last was reported.
    pub since: Timestamp,
    /// When the last failure happened, of these or before them.
    pub last: Timestamp,
    /// All of them are connection failures of this one instance (F7).
    pub sole_reporter: Option<InstanceId>,
    /// Whose they are (B12).
    pub by: SourceCounts,
}

impl ConsecutiveFailures {
    /// Without failures that have expired.
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

/// One instance's consecutive connection failures, and how long the model is blocked for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceBlock {
    /// Whose network it is.
    pub instance: InstanceId,
    /// Its consecutive connection failures.
    pub failures: u32,
    /// When the first of them was.
    pub since: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
    /// Until when its calls are refused; [`Timestamp::NEVER`] if they are not.
    pub until: Timestamp,
    /// How often it was blocked without a success in between.
    pub trips: u32,
}

impl InstanceBlock {
    pub(crate) fn reaches_threshold(&self, policy: &Policy) -> bool {
        threshold_reached(self.failures, self.since, self.last, policy)
    }
}

/// The rule for consecutive failures: enough of them over some time, or very many.
fn threshold_reached(failures: u32, since: Timestamp, last: Timestamp, policy: &Policy) -> bool {
    failures >= policy.burst_threshold
        || (failures >= policy.failure_threshold && last.since(since) >= policy.min_failure_span)
}

impl Record {
    /// A closed circuit without failures.
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
            blocked_sources: Vec::new(),
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

    /// When the first of its consecutive failures was. `None`: it has none, or it rests for as long as its provider has
    /// said (B9).
    #[must_use]
    pub fn failing_since(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let is_cooldown = self.reason.as_ref().is_some_and(|reason| reason.rule == Some(TripRule::Cooldown));
        let failures = self.consecutive_failures.without_expired(policy, now);
        (failures.count > 0 && !is_cooldown).then_some(failures.since)
    }

    /// How new it is, as an epoch.
    #[must_use]
    pub fn recency(&self) -> u64 {
        self.origin_epoch.unwrap_or(self.epoch)
    }

    /// The state as it is shown: an open circuit whose open period has ended is half-open.
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

    /// The state as it was written: transitions lead from one of these to the next.
    #[must_use]
    pub const fn stored_state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open(_) | Phase::ForcedOpen { .. } => State::Open,
        }
    }

    /// When a call may next be tried, of a circuit that is not closed; `None`: closed, or forced open without an end.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Closed => None,
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } => Some(outage.retry_at),
            Phase::ForcedOpen { until } => *until,
        }
    }

    /// Whether an operator forced it open.
    #[must_use]
    pub const fn is_forced(&self) -> bool {
        matches!(self.phase, Phase::ForcedOpen { .. })
    }

    /// How long its key is to live from `now` on; `None`: it does not expire (B8). One that an operator opened until a time lives
    /// as long after it as any other after its last change.
    #[must_use]
    pub fn ttl(&self, now: Timestamp) -> Option<Duration> {
        let deadline = match &self.phase {
            Phase::ForcedOpen { until: None } => return None,
            Phase::ForcedOpen { until: Some(until) } => return Some(RECORD_TTL + until.since(now)),
            Phase::Closed => now,
            Phase::Open(outage) => outage.retry_at,
            Phase::HalfOpen { outage, leases, .. } => {
                leases.iter().map(|lease| lease.until).max().unwrap_or(now).max(outage.retry_at)
            }
        };
        let waiting = self.outage().and_then(|outage| outage.waiting.as_ref());
        let sources = self.blocked_sources.iter().chain(waiting).map(|block| block.until);
        let instances = self.blocked_instances.iter().map(|block| block.until);
        let latest_block_end = instances.chain(sources).max().unwrap_or(now);
        Some(RECORD_TTL.max(deadline.max(latest_block_end).since(now) + LEASE_GRACE))
    }

    /// Whether every call is admitted, whoever makes it and when, and no success would change anything: how a circuit
    /// is nearly always.
    #[must_use]
    pub const fn is_pristine(&self) -> bool {
        matches!(self.phase, Phase::Closed)
            && self.consecutive_failures.count == 0
            && self.trips == 0
            && self.blocked_instances.is_empty()
            && self.blocked_sources.is_empty()
    }

    /// Whether it admits and refuses the same calls as this one, at any time.
    #[must_use]
    pub fn admits_like(&self, other: &Self) -> bool {
        let blocks = |record: &Self| {
            let blocks = record.blocked_instances.iter().filter(|block| block.until != Timestamp::NEVER);
            blocks.map(|block| (block.instance.clone(), block.until)).collect::<Vec<_>>()
        };
        self.phase == other.phase
            && self.blocked_sources == other.blocked_sources
            && blocks(self) == blocks(other)
    }

    /// The outage of a circuit that is open or half-open.
    #[must_use]
    pub const fn outage(&self) -> Option<&OpenState> {
        match &self.phase {
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } => Some(outage),
            Phase::Closed | Phase::ForcedOpen { .. } => None,
        }
    }

    /// What an open circuit is bound to; `None`: it is closed, or open for all (B12).
    #[must_use]
    pub fn bound_to(&self) -> Option<&SourceScope> {
        self.outage()?.bound_to.as_ref()
    }

    /// The same record by a clock that is this many ms ahead of the one it was made by: what an instance learnt before its
    /// clock was synchronized with the store (B7). An epoch is a time, too, but one that began below every epoch stays there.
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
        for block in &mut record.blocked_sources {
            block.until = block.until.shifted_by(millis);
        }
        record
    }

    /// Whether a success of `instance` would change anything: steady success writes nothing (B6). What no longer blocks a
    /// source is taken away by one success, so that the circuit is pristine again.
    #[must_use]
    pub fn success_changes_state(&self, instance: &InstanceId, now: Timestamp) -> bool {
        self.consecutive_failures.count > 0
            || self.trips > 0
            || self.blocked_instances.iter().any(|block| block.instance == *instance)
            || self.blocked_sources.iter().any(|block| block.until <= now)
    }

    /// The record as if it had been written now, if a clock that was not synchronized yet wrote it ahead of time (B7). Two
    /// clocks that the store tolerates may differ by [`LEASE_GRACE`].
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
                if let Some(block) = &mut outage.waiting {
                    block.until = block.until - ahead;
                }
            }
        }
        for block in &mut record.blocked_sources {
            block.until = block.until - ahead;
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

    /// Until when calls of `instance` are refused because it cannot connect to the model (F7).
    #[must_use]
    pub fn blocked_until(&self, instance: &InstanceId, now: Timestamp) -> Option<Timestamp> {
        self.blocked_instances
            .iter()
            .find(|block| block.instance == *instance && now < block.until)
            .map(|block| block.until)
    }

    /// Until when calls of this requester are refused because it failed where others did not, or waits for another's
    /// probe (B12).
    #[must_use]
    pub fn source_blocked_until(&self, requester: &dyn Requester, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.outage().and_then(|outage| outage.waiting.as_ref());
        let blocks = self.blocked_sources.iter().chain(waiting).filter(|block| now < block.until);
        blocks.filter(|block| block.scope.includes(requester)).map(|block| block.until).max()
    }
}

/// A new epoch: later than the last, and not before the store's time, so that none comes twice even after a DEL.
#[must_use]
pub fn next_epoch(last: u64, now: Timestamp) -> u64 {
    last.saturating_add(1).max(now.as_millis())
}

impl OpenState {
    fn shift(&mut self, millis: i64) {
        self.opened_at = self.opened_at.shifted_by(millis);
        self.retry_at = self.retry_at.shifted_by(millis);
        if let Some(block) = &mut self.waiting {
            block.until = block.until.shifted_by(millis);
        }
    }

    /// An outage for all.
    #[must_use]
    pub const fn new(opened_at: Timestamp, retry_at: Timestamp) -> Self {
        Self { opened_at, retry_at, sole_reporter: None, bound_to: None, waiting: None }
    }

    /// Whether it is the same for every instance and every requester.
    pub(crate) const fn is_for_all(&self) -> bool {
        self.sole_reporter.is_none() && self.bound_to.is_none() && self.waiting.is_none()
    }

    /// Whether only another instance reported failures, so that `instance` may probe before the open period ends (F7).
    #[must_use]
    pub fn is_reported_by_other(&self, instance: &InstanceId) -> bool {
        self.sole_reporter.as_ref().is_some_and(|reporter| reporter != instance)
    }
}
