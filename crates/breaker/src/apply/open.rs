//! Opening and closing, and how long an open period lasts.

use std::time::Duration;

use super::{EventResult, RecordUpdate};
use crate::{
    Failure, InstanceId, Phase, Policy, Reason, Record, SourceScope, Timestamp, TripRule, millis,
    record::{ConsecutiveFailures, OPEN_SWE_OPEN_DURATION, OpenState},
};

/// Whom a trip concerns.
pub(super) enum TripBreadth {
    /// All.
    All,
    /// One instance that cannot connect (F7).
    Instance(InstanceId),
    /// One caller, or one request of it (B12).
    Source(SourceScope),
}

impl TripBreadth {
    pub(super) fn of_sources(scope: Option<SourceScope>) -> Self {
        scope.map_or(Self::All, Self::Source)
    }
}

impl RecordUpdate<'_> {
    pub(super) fn trip(&mut self, failure: &Failure, rule: TripRule, breadth: TripBreadth, at: Timestamp) {
        self.record.trips = self.record.trips.saturating_add(1);
        self.open(failure, rule, breadth, at);
    }

    /// Opens it, or keeps it open for other requests than before.
    pub(super) fn open(&mut self, failure: &Failure, rule: TripRule, breadth: TripBreadth, at: Timestamp) {
        let retry_at = self.deadline().max(at + self.current_period());
        let mut outage = OpenState::new(at, retry_at);
        match breadth {
            TripBreadth::All => {}
            TripBreadth::Source(scope) => outage.bound_to = Some(scope),
            TripBreadth::Instance(reporter) => {
                if let Some(block) =
                    self.record.blocked_instances.iter_mut().find(|block| block.instance == reporter)
                {
                    block.until = retry_at;
                }
                outage.sole_reporter = Some(reporter);
            }
        }
        self.transition_to(Phase::Open(outage), Reason::failure(failure, rule));
    }

    /// The open period after the present number of trips.
    pub(super) fn current_period(&self) -> Duration {
        open_period(self.context.policy, self.record.trips, self.record.epoch)
    }

    pub(super) fn start_cooldown(&mut self, failure: &Failure, retry_after: Option<Duration>, at: Timestamp) {
        let longest = self.context.policy.max_cooldown;
        let retry_at = self.deadline().max(at + retry_after.unwrap_or(longest).min(longest));
        let outage = OpenState::new(retry_at - OPEN_SWE_OPEN_DURATION, retry_at);
        self.transition_to(Phase::Open(outage), Reason::failure(failure, TripRule::Cooldown));
    }

    /// The deadline in force, which is never shortened (B8). A probe may be admitted before it (F7).
    fn deadline(&self) -> Timestamp {
        match &self.record.phase {
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } => outage.retry_at,
            Phase::Closed | Phase::ForcedOpen { .. } => Timestamp::NEVER,
        }
    }

    pub(super) fn force_close(&mut self, reason: Reason) -> EventResult {
        let last = self.record.consecutive_failures.last;
        if self.record.is_pristine() {
            return EventResult::Stale;
        }
        let from = self.record.stored_state();
        self.record = Record {
            consecutive_failures: ConsecutiveFailures { last, ..ConsecutiveFailures::default() },
            ..Record::closed(self.record.epoch)
        };
        self.transition_from(from, Phase::Closed, reason);
        EventResult::Recorded
    }
}

/// The open period after this many consecutive trips (B8). The jitter comes from the epoch: circuits that opened together
/// do not all probe together, and the same arguments still give the same period.
pub(super) fn open_period(policy: &Policy, trips: u32, epoch: u64) -> Duration {
    let longest = policy.max_open_duration.as_secs_f64();
    let exponent = i32::try_from(trips.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = (policy.open_duration.as_secs_f64() * policy.open_backoff.powi(exponent)).min(longest);
    let jittered = (grown * (1.0 + policy.open_jitter * epoch_jitter(epoch))).min(longest);
    Duration::from_millis(millis(Duration::try_from_secs_f64(jittered).unwrap_or(policy.max_open_duration)))
}

/// A number in [-1, 1) that looks random, from the epoch (the finalizer of SplitMix64).
fn epoch_jitter(epoch: u64) -> f64 {
    let mut bits = epoch.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or(0);
    f64::from(high) / f64::from(1u32 << 31) - 1.0
}
