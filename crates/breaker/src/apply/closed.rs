//! What the end of an ordinary call does to a closed circuit: the row and the rate that trip it.

use std::time::Duration;

use super::Change;
use crate::{
    Context, Effect, Failure, FailureKind, Outcome, Phase, Rule, Timestamp, record::Row, window::Verdict,
};

/// A failure that is told so late, and is older than the row, does not trip with it: calls that went well may have come
/// between, of which nobody told, as there was no row to end. It is counted all the same (B5).
const TOLD_LATE: Duration = Duration::from_millis(250);

impl Change<'_> {
    pub(super) fn ended_closed(&mut self, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded => {
                // A call that ended before the row began does not end it, whenever that is told.
                if at >= self.record.row.since {
                    self.forget_row();
                }
                self.record.trips = 0;
                self.connected();
                self.record.window.add_calls(self.context.policy, at, 1);
            }
            Outcome::Failed(failure) => self.failed(failure, at),
            Outcome::Rest { failure, wait } => {
                self.connected();
                self.rest(failure, *wait, at);
            }
        }
    }

    pub(super) fn successes(&mut self, epoch: u64, at: Timestamp, calls: u32) -> Effect {
        if epoch != self.record.epoch || !matches!(self.record.phase, Phase::Closed) {
            return Effect::Void;
        }
        self.record.window.add_calls(self.context.policy, at, calls);
        Effect::Counted
    }

    fn failed(&mut self, failure: &Failure, at: Timestamp) {
        let Context { instance, policy, now } = self.context;
        let cut_off = failure.kind == FailureKind::Connection;
        self.count_row(cut_off, at);
        self.record.window.add_failure(policy, at, cut_off.then_some(instance));
        if cut_off {
            self.count_cut_off(at);
        } else {
            self.connected();
        }

        if self.record.row.trips(policy) {
            return self.trip(failure, Rule::Row, self.record.row.alone.clone(), at);
        }
        if let Verdict::Trip { alone } = self.record.window.verdict(policy, now) {
            return self.trip(failure, Rule::Rate, alone, at);
        }
        // Others' successes end the row, but not what this instance knows of its own network.
        let tripped = self.record.cut_off.iter().any(|held| held.instance == *instance && held.trips(policy));
        if cut_off && tripped {
            self.hold(instance, at);
        }
    }

    pub(super) fn count_row(&mut self, cut_off: bool, at: Timestamp) {
        let me = cut_off.then(|| self.context.instance.clone());
        let now = self.context.now;
        let row = self.record.row.remembered(self.context.policy, at);
        let in_time = row.failures - row.late.min(row.failures);
        let is_late = now.since(at) > TOLD_LATE && (in_time == 0 || at < row.since);
        let since = match (is_late, in_time) {
            (true, 0) => now,
            (true, _) => row.since,
            (false, 0) => at,
            (false, _) => row.since.min(at),
        };
        self.record.row = Row {
            failures: row.failures.saturating_add(1),
            late: row.late.saturating_add(u32::from(is_late)),
            since,
            last: at.max(row.last),
            alone: if row.failures == 0 {
                me
            } else {
                row.alone.filter(|instance| Some(instance) == me.as_ref())
            },
        };
    }

    pub(super) fn forget_row(&mut self) {
        self.record.row = Row { last: self.record.row.last, ..Row::default() };
    }
}
