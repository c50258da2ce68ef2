//! An open circuit that is bound to one source: what others' calls decide (B12).

use super::{RecordUpdate, open::TripBreadth};
use crate::{Failure, Outcome, Phase, Reason, Source, SourceBlock, Timestamp, TransitionCause, TripRule};

/// The most sources that are blocked at once. Of more, those whose time ends first are admitted again.
const MAX_BLOCKED_SOURCES: usize = 16;

impl RecordUpdate<'_> {
    /// Whether it is bound to another source than this, so that this one's calls are admitted without a lease.
    pub(super) fn is_bound_to_others(&self, source: Option<&Source>) -> bool {
        let requester = source.cloned();
        self.record.bound_to().is_some_and(|scope| !scope.includes(&requester))
    }

    /// A call ended that was admitted because the circuit is bound to another source.
    pub(super) fn completed_by_others(&mut self, outcome: &Outcome, source: Option<&Source>, at: Timestamp) {
        match outcome {
            Outcome::Succeeded => {
                self.clear_instance_block();
                self.record.window.add_calls(self.context.policy, at, 1);
                self.close_for_others();
            }
            Outcome::Failed(failure) => {
                self.count_failure_and_rate(failure, source, at);
                self.widen(failure, at);
            }
            Outcome::RateLimited { failure, retry_after } => {
                self.clear_instance_block();
                self.start_cooldown(failure, *retry_after, at);
            }
        }
    }

    /// The model is well: only the source is blocked, until its deadline.
    fn close_for_others(&mut self) {
        let Some(outage) = self.record.outage() else { return };
        let until = outage.retry_at;
        if let Some(scope) = outage.bound_to.clone() {
            let blocked = &mut self.record.blocked_sources;
            blocked.retain(|block| !scope.contains(&block.scope));
            blocked.push(SourceBlock { scope, until });
            if blocked.len() > MAX_BLOCKED_SOURCES
                && let Some(first) = (0..blocked.len()).min_by_key(|index| blocked[*index].until)
            {
                blocked.remove(first);
            }
        }
        self.reset_consecutive_failures();
        self.record.trips = 0;
        self.transition_to(Phase::Closed, Reason::new(TransitionCause::OthersSucceed));
    }

    /// Others fail, too: it opens for more than its source, in a new epoch. It is the same outage, so `trips` stays.
    fn widen(&mut self, failure: &Failure, at: Timestamp) {
        // One instance that cannot connect says nothing of the model: it blocks itself (F7).
        let unreachable = self.record.blocked_instances.iter().filter(|block| block.failures > 0).count();
        if failure.is_own_connection_failure() && unreachable < 2 {
            return self.block_unreachable_instance(failure, at);
        }
        let failures = &self.record.consecutive_failures;
        let widened = self.record.bound_to().and_then(|scope| failures.by.widened(scope, failures.count));
        if let Some(scope) = widened {
            self.open(failure, TripRule::ConsecutiveFailures, TripBreadth::of_sources(scope), at);
        }
    }
}
