//! Calls and failures over the last while, in buckets of time: what the failure rate is taken from.

use crate::{InstanceId, Policy, Timestamp, millis};

/// A window is kept in so many buckets, so its edge moves in steps of a tenth.
const BUCKET_COUNT: u64 = 10;

/// Counts by bucket, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Window {
    pub(crate) buckets: Vec<Bucket>,
}

/// The counts of one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// When the bucket begins.
    pub start: Timestamp,
    /// Calls that ended with success or failure.
    pub calls: u32,
    /// Failures, connection failures among them.
    pub failures: u32,
    /// Connection failures.
    pub connection_failures: u32,
    /// Whose connection failures they are.
    pub sources: FailureSources,
}

/// Whose connection failures were counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum FailureSources {
    /// There were none.
    #[default]
    Empty,
    /// One instance's alone (F7).
    Single(InstanceId),
    /// Several instances'.
    Multiple,
}

impl FailureSources {
    fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Empty, sources) | (sources, Self::Empty) => sources.clone(),
            (Self::Single(a), Self::Single(b)) if a == b => self.clone(),
            _ => Self::Multiple,
        }
    }
}

/// What a window says about the failure rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RateVerdict {
    WithinLimit,
    Trip { sole_reporter: Option<InstanceId> },
}

/// The beginning of the bucket that `at` falls into.
#[must_use]
pub fn bucket_start(policy: &Policy, at: Timestamp) -> Timestamp {
    let width = (millis(policy.window) / BUCKET_COUNT).max(1);
    Timestamp::from_millis(at.as_millis() / width * width)
}

impl Window {
    /// The buckets, oldest first.
    #[must_use]
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Calls and failures in the window that ends at `now`.
    #[must_use]
    pub fn totals(&self, policy: &Policy, now: Timestamp) -> (u32, u32) {
        let sum = self.sum(policy, now);
        (sum.calls, sum.failures)
    }

    pub(crate) fn add_calls(&mut self, policy: &Policy, at: Timestamp, calls: u32) {
        let bucket = self.bucket(policy, at);
        bucket.calls = bucket.calls.saturating_add(calls);
    }

    pub(crate) fn add_failure(
        &mut self,
        policy: &Policy,
        at: Timestamp,
        unreachable_from: Option<&InstanceId>,
    ) {
        let bucket = self.bucket(policy, at);
        bucket.calls = bucket.calls.saturating_add(1);
        bucket.failures = bucket.failures.saturating_add(1);
        if let Some(instance) = unreachable_from {
            bucket.connection_failures = bucket.connection_failures.saturating_add(1);
            bucket.sources = bucket.sources.union(&FailureSources::Single(instance.clone()));
        }
    }

    /// Leaves out what has fallen out of the window (K3 of the reference: old failures never trip).
    pub(crate) fn prune(&mut self, policy: &Policy, now: Timestamp) {
        let edge = bucket_start(policy, now - policy.window);
        self.buckets.retain(|bucket| bucket.start > edge);
    }

    /// Leaves out what is said to have happened later than now.
    pub(crate) fn drop_after(&mut self, now: Timestamp) {
        self.buckets.retain(|bucket| bucket.start <= now);
    }

    /// One instance's connection failures must not take the model from the others, so they are judged apart (F7).
    pub(crate) fn evaluate_rate(&self, policy: &Policy, now: Timestamp) -> RateVerdict {
        let Some(rate) = policy.failure_rate else { return RateVerdict::WithinLimit };
        let exceeds_rate = |failures: u32, calls: u32| {
            calls >= policy.minimum_calls && f64::from(failures) >= rate * f64::from(calls)
        };
        let sum = self.sum(policy, now);
        let all_exceed = sum.failures > 0 && exceeds_rate(sum.failures, sum.calls);
        let FailureSources::Single(instance) = &sum.sources else {
            return if all_exceed {
                RateVerdict::Trip { sole_reporter: None }
            } else {
                RateVerdict::WithinLimit
            };
        };
        let other_failures = sum.failures.saturating_sub(sum.connection_failures);
        if other_failures > 0
            && exceeds_rate(other_failures, sum.calls.saturating_sub(sum.connection_failures))
        {
            RateVerdict::Trip { sole_reporter: None }
        } else if all_exceed {
            RateVerdict::Trip { sole_reporter: Some(instance.clone()) }
        } else {
            RateVerdict::WithinLimit
        }
    }

    /// The larger counts of two views of the same time.
    pub(crate) fn merged(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        for theirs in &other.buckets {
            match merged.buckets.iter_mut().find(|ours| ours.start == theirs.start) {
                Some(ours) if ours.calls >= theirs.calls => {}
                Some(ours) => *ours = theirs.clone(),
                None => merged.buckets.push(theirs.clone()),
            }
        }
        merged.buckets.sort_by_key(|bucket| bucket.start);
        merged
    }

    fn sum(&self, policy: &Policy, now: Timestamp) -> Bucket {
        let edge = bucket_start(policy, now - policy.window);
        let empty = Bucket {
            start: now,
            calls: 0,
            failures: 0,
            connection_failures: 0,
            sources: FailureSources::Empty,
        };
        self.buckets.iter().filter(|bucket| bucket.start > edge).fold(empty, |sum, bucket| Bucket {
            start: sum.start,
            calls: sum.calls.saturating_add(bucket.calls),
            failures: sum.failures.saturating_add(bucket.failures),
            connection_failures: sum.connection_failures.saturating_add(bucket.connection_failures),
            sources: sum.sources.union(&bucket.sources),
        })
    }

    fn bucket(&mut self, policy: &Policy, at: Timestamp) -> &mut Bucket {
        let start = bucket_start(policy, at);
        let index = match self.buckets.binary_search_by_key(&start, |bucket| bucket.start) {
            Ok(index) => index,
            Err(index) => {
                let empty = Bucket {
                    start,
                    calls: 0,
                    failures: 0,
                    connection_failures: 0,
                    sources: FailureSources::Empty,
                };
                self.buckets.insert(index, empty);
                index
            }
        };
        &mut self.buckets[index]
    }
}

#[cfg(test)]
mod tests;
