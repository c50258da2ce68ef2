//! Successes that are not worth a write of their own, and go along with the next one (B6).

use breaker::{Event, Policy, Timestamp, bucket_start};

use crate::plan::Request;

/// Buckets of unwritten successes that are kept; older ones have left the window anyway.
const SUCCESS_BUCKETS: usize = 10;

#[derive(Debug, Clone, Default)]
pub(crate) struct PendingSuccesses {
    epoch: u64,
    buckets: Vec<(Timestamp, u32)>,
}

impl PendingSuccesses {
    /// How many of them, of this epoch, are in the window.
    pub(crate) fn total(&self, epoch: u64, policy: &Policy, now: Timestamp) -> u32 {
        let edge = bucket_start(policy, now - policy.window);
        let buckets = self.buckets.iter().filter(|(start, _)| self.epoch == epoch && *start > edge);
        buckets.fold(0, |sum, (_, calls)| sum.saturating_add(*calls))
    }

    pub(crate) fn add(&mut self, epoch: u64, bucket: Timestamp, more: u32) {
        if self.epoch != epoch {
            *self = Self { epoch, buckets: Vec::with_capacity(SUCCESS_BUCKETS) };
        }
        match self.buckets.last_mut() {
            Some((start, calls)) if *start >= bucket => *calls = calls.saturating_add(more),
            _ => {
                if self.buckets.len() >= SUCCESS_BUCKETS {
                    self.buckets.remove(0);
                }
                self.buckets.push((bucket, more));
            }
        }
    }

    /// As requests, oldest first, without those that were pending before.
    pub(crate) fn requests_since(&self, before: &Self) -> Vec<Request> {
        let counted = |start: Timestamp| {
            let earlier =
                before.buckets.iter().find(|(other, _)| before.epoch == self.epoch && *other == start);
            earlier.map_or(0, |(_, calls)| *calls)
        };
        let more = self.buckets.iter().map(|(start, calls)| (*start, calls.saturating_sub(counted(*start))));
        more.filter(|(_, calls)| *calls > 0)
            .map(|(at, calls)| Request::Event(Event::Successes { epoch: self.epoch, at, calls }, None))
            .collect()
    }
}
