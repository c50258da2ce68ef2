//! What the callers have seen.

use std::time::Duration;

use super::FIRST;

/// Counts over all callers.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    /// Calls without a whole answer.
    pub(super) lost: u64,
    pub(super) by_first: u64,
    pub(super) by_second: u64,
    pub(super) slowest: Duration,
}

impl Tally {
    /// One call's end: who answered, if anybody did.
    pub(super) fn count(&mut self, answered_by: Option<&str>, took: Duration) {
        self.calls += 1;
        self.slowest = self.slowest.max(took);
        match answered_by {
            None => self.lost += 1,
            Some(model) if model == format!("first:{FIRST}") => self.by_first += 1,
            Some(_) => self.by_second += 1,
        }
    }
}
