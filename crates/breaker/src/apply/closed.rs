//! What the end of an ordinary call does to a closed circuit: consecutive failures and the failure rate trip it.

use std::time::Duration;

use super::{RecordUpdate, open::TripBreadth};
use crate::{
    Context, EventResult, Failure, Outcome, Phase, Source, Timestamp, TripRule, record::ConsecutiveFailures,
    window::RateVerdict,
};

/// A failure that is reported this late, and is older than the consecutive failures, does not trip with them. Calls may
/// have succeeded in between; nobody reported them, as there were no failures to reset. It is counted all the same (B5).
const LATE_REPORT_THRESHOLD: Duration = Duration::from_millis(250);

impl RecordUpdate<'_> {
    pub(super) fn completed_while_closed(
        &mut self,
        outcome: &Outcome,
        source: Option<&Source>,
        at: Timestamp,
    ) {
        match outcome {
            Outcome::Succeeded => {
                // A call that ended before the first of the failures does not reset them, whenever it is reported.
                if at >= self.record.consecutive_failures.since {
                    self.reset_consecutive_failures();
                }
                self.record.trips = 0;
                self.clear_instance_block();
                self.record.window.add_calls(self.context.policy, at, 1);
            }
            Outcome::Failed(failure) => self.record_failure(failure, source, at),
            Outcome::RateLimited { failure, retry_after } => {
                self.clear_instance_block();
                self.start_cooldown(failure, *retry_after, at);
            }
        }
    }

    pub(super) fn record_successes(&mut self, epoch: u64, at: Timestamp, calls: u32) -> EventResult {
        if epoch != self.record.epoch || !matches!(self.record.phase, Phase::Closed) {
            return EventResult::Stale;
        }
        self.record.window.add_calls(self.context.policy, at, calls);
        EventResult::Recorded
    }

    fn record_failure(&mut self, failure: &Failure, source: Option<&Source>, at: Timestamp) {
        let Context { policy, now, .. } = self.context;
        self.count_failure_and_rate(failure, source, at);

        let consecutive = &self.record.consecutive_failures;
        if consecutive.reaches_threshold(policy) {
            let breadth = match &consecutive.sole_reporter {
                Some(reporter) => TripBreadth::Instance(reporter.clone()),
                None => TripBreadth::of_sources(consecutive.by.narrowest(consecutive.count)),
            };
            return self.trip(failure, TripRule::ConsecutiveFailures, breadth, at);
        }
        let blocked = self.record.blocked_sources.iter().filter(|block| now < block.until);
        let blocked: Vec<_> = blocked.map(|block| &block.scope).collect();
        match self.record.window.evaluate_rate(policy, &blocked, now) {
            RateVerdict::WithinLimit => {}
            RateVerdict::Trip { sole_reporter: Some(reporter), .. } => {
                return self.trip(failure, TripRule::FailureRate, TripBreadth::Instance(reporter), at);
            }
            RateVerdict::Trip { sole_reporter: None, bound_to } => {
                return self.trip(failure, TripRule::FailureRate, TripBreadth::of_sources(bound_to), at);
            }
        }
        self.block_unreachable_instance(failure, at);
    }

    /// Counts a failure of an ordinary call, in the consecutive failures and in the window.
    pub(super) fn count_failure_and_rate(
        &mut self,
        failure: &Failure,
        source: Option<&Source>,
        at: Timestamp,
    ) {
        let Context { instance, policy, .. } = self.context;
        let is_connection_failure = failure.is_own_connection_failure();
        let source = attributable(failure, source);
        self.count_failure(is_connection_failure, source, at);
        self.record.window.add_failure(policy, at, is_connection_failure.then_some(instance), source);
        if is_connection_failure {
            self.count_connection_failure(at);
        } else {
            self.clear_instance_block();
        }
    }

    /// Blocks this instance if its own connection failures are enough for it (F7).
    pub(super) fn block_unreachable_instance(&mut self, failure: &Failure, at: Timestamp) {
        let Context { instance, policy, .. } = self.context;
        // Others' successes reset the consecutive failures, but not what this instance knows of its own network.
        let tripped = self
            .record
            .blocked_instances
            .iter()
            .any(|block| block.instance == *instance && block.reaches_threshold(policy));
        if failure.is_own_connection_failure() && tripped {
            self.block_instance(instance, at);
        }
    }

    pub(super) fn count_failure(
        &mut self,
        is_connection_failure: bool,
        source: Option<&Source>,
        at: Timestamp,
    ) {
        let reporter = is_connection_failure.then(|| self.context.instance.clone());
        let now = self.context.now;
        let previous = self.record.consecutive_failures.without_expired(self.context.policy, at);
        let in_time = previous.count - previous.late_count.min(previous.count);
        let is_late = now.since(at) > LATE_REPORT_THRESHOLD && (in_time == 0 || at < previous.since);
        let since = match (is_late, in_time) {
            (true, 0) => now,
            (true, _) => previous.since,
            (false, 0) => at,
            (false, _) => previous.since.min(at),
        };
        let mut by = previous.by;
        if let Some(source) = source {
            by.add(source);
        }
        self.record.consecutive_failures = ConsecutiveFailures {
            by,
            count: previous.count.saturating_add(1),
            late_count: previous.late_count.saturating_add(u32::from(is_late)),
            since,
            last: at.max(previous.last),
            sole_reporter: if previous.count == 0 {
                reporter
            } else {
                previous.sole_reporter.filter(|instance| Some(instance) == reporter.as_ref())
            },
        };
    }

    pub(super) fn reset_consecutive_failures(&mut self) {
        self.record.consecutive_failures = ConsecutiveFailures {
            last: self.record.consecutive_failures.last,
            ..ConsecutiveFailures::default()
        };
    }
}

/// A request that was never sent is not at fault, nor is its caller: a failure to connect names nobody.
pub(super) fn attributable<'a>(failure: &Failure, source: Option<&'a Source>) -> Option<&'a Source> {
    source.filter(|_| !failure.is_own_connection_failure())
}
