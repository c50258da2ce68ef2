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

    /// Takes those of a core, of which some may be older than these. Those of an epoch that is over count nowhere.
    pub(crate) fn append(&mut self, core: &mut Self, present_epoch: u64) {
        if core.buckets.is_empty() {
            return;
        }
        if core.epoch != self.epoch {
            if core.epoch != present_epoch {
                return core.buckets.clear();
            }
            *self = Self { epoch: core.epoch, buckets: Vec::with_capacity(SUCCESS_BUCKETS) };
        }
        for (bucket, more) in core.buckets.drain(..) {
            match self.buckets.binary_search_by_key(&bucket, |(start, _)| *start) {
                Ok(found) => self.buckets[found].1 = self.buckets[found].1.saturating_add(more),
                Err(place) => self.buckets.insert(place, (bucket, more)),
            }
        }
        let left_window = self.buckets.len().saturating_sub(SUCCESS_BUCKETS);
        self.buckets.drain(..left_window);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(epoch: u64, buckets: &[(u64, u32)]) -> PendingSuccesses {
        let buckets = buckets.iter().map(|(at, calls)| (Timestamp::from_millis(*at), *calls)).collect();
        PendingSuccesses { epoch, buckets }
    }

    #[test]
    fn what_cores_have_counted_is_added_by_bucket_and_epoch() {
        const PRESENT: u64 = 4;
        for (name, all, core, expected) in [
            ("none", (3, &[(10, 1)][..]), (0, &[][..]), (3, &[(10, 1)][..])),
            ("the first", (0, &[]), (4, &[(10, 2)]), (4, &[(10, 2)])),
            (
                "older and newer",
                (4, &[(20, 1)]),
                (4, &[(10, 2), (20, 4), (30, 8)]),
                (4, &[(10, 2), (20, 5), (30, 8)]),
            ),
            (
                "of the present epoch, after one that is over",
                (3, &[(20, 1)]),
                (4, &[(20, 2)]),
                (4, &[(20, 2)]),
            ),
            ("of an epoch that is over", (4, &[(20, 1)]), (3, &[(20, 2)]), (4, &[(20, 1)])),
        ] {
            let (mut sum, mut core) = (counted(all.0, all.1), counted(core.0, core.1));
            sum.append(&mut core, PRESENT);
            assert_eq!((sum.epoch, sum.buckets), (expected.0, counted(0, expected.1).buckets), "{name}");
            assert!(core.buckets.is_empty(), "{name}");
        }
        let many: Vec<_> = (0..).map(|at| (at, 1)).take(2 * SUCCESS_BUCKETS).collect();
        let mut sum = PendingSuccesses::default();
        sum.append(&mut counted(PRESENT, &many), PRESENT);
        assert_eq!(sum.buckets, counted(PRESENT, &many[SUCCESS_BUCKETS..]).buckets);
    }
}
