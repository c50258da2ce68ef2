//! Opening and closing, and for how long it opens.

use std::time::Duration;

use super::{Change, Effect};
use crate::{
    Failure, InstanceId, Phase, Policy, Reason, Record, Rule, Timestamp, millis,
    record::{Outage, Row},
};

/// Open SWE's own open period. A rest is written as opened so long before its end, so that an Open SWE instance
/// comes back at the same time (B9).
const OPEN_SWE_PERIOD: Duration = Duration::from_secs(180);

impl Change<'_> {
    pub(super) fn trip(&mut self, failure: &Failure, rule: Rule, alone: Option<InstanceId>, at: Timestamp) {
        self.record.trips = self.record.trips.saturating_add(1);
        let period = period(self.context.policy, self.record.trips, self.record.epoch);
        let retry_at = self.deadline().max(at + period);
        if let Some(instance) = &alone
            && let Some(held) = self.record.cut_off.iter_mut().find(|held| held.instance == *instance)
        {
            held.until = retry_at;
        }
        let outage = Outage { opened_at: at, retry_at, alone };
        self.turn(Phase::Open(outage), Reason::failure(failure, rule));
    }

    pub(super) fn rest(&mut self, failure: &Failure, wait: Option<Duration>, at: Timestamp) {
        let longest = self.context.policy.max_cooldown;
        let retry_at = self.deadline().max(at + wait.unwrap_or(longest).min(longest));
        let outage = Outage { opened_at: retry_at - OPEN_SWE_PERIOD, retry_at, alone: None };
        self.turn(Phase::Open(outage), Reason::failure(failure, Rule::Rest));
    }

    /// The deadline that stands, which is never shortened (B8). It may lie ahead of a probe that was let through
    /// early (F7).
    fn deadline(&self) -> Timestamp {
        match &self.record.phase {
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } => outage.retry_at,
            Phase::Closed | Phase::Forced { .. } => Timestamp::NEVER,
        }
    }

    pub(super) fn close_by_hand(&mut self, why: &Option<String>) -> Effect {
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
        self.record = Record { row: Row { last, ..Row::default() }, ..Record::closed(self.record.epoch) };
        self.turn_from(from, Phase::Closed, Reason::manual(why.clone()));
        Effect::Counted
    }
}

/// The open period after so many trips in a row (B8). Chance comes from the epoch, so that circuits that opened
/// together do not all probe together and the same arguments still give the same period.
pub(super) fn period(policy: &Policy, trips: u32, epoch: u64) -> Duration {
    let longest = policy.max_open_duration.as_secs_f64();
    let exponent = i32::try_from(trips.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = (policy.open_duration.as_secs_f64() * policy.open_backoff.powi(exponent)).min(longest);
    let jittered = (grown * (1.0 + policy.open_jitter * chance(epoch))).min(longest);
    Duration::from_millis(millis(Duration::try_from_secs_f64(jittered).unwrap_or(policy.max_open_duration)))
}

/// A number in [-1, 1) that looks random, from the epoch (the finalizer of SplitMix64).
fn chance(epoch: u64) -> f64 {
    let mut bits = epoch.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or(0);
    f64::from(high) / f64::from(1u32 << 31) - 1.0
}
