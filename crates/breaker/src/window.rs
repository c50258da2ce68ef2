//! Recent calls and failures, in buckets of time: what the failure rate is computed from.

use std::num::NonZeroU64;

use crate::{InstanceId, Policy, Source, SourceCounts, SourceScope, Timestamp, millis};

/// Buckets of a window. Its edge moves by one of them, a tenth.
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
    /// Whose failures they are (B12).
    pub by: SourceCounts,
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
    Trip { sole_reporter: Option<InstanceId>, bound_to: Option<SourceScope> },
}

/// How long a bucket lasts, in ms.
#[must_use]
pub fn bucket_width(policy: &Policy) -> NonZeroU64 {
    NonZeroU64::new(millis(policy.window) / BUCKET_COUNT).unwrap_or(NonZeroU64::MIN)
}

/// The beginning of the bucket of this width, in ms, that `at` falls into.
#[must_use]
pub fn bucket_at(width: NonZeroU64, at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis() / width * width.get())
}

/// The beginning of the bucket that `at` falls into.
#[must_use]
pub fn bucket_start(policy: &Policy, at: Timestamp) -> Timestamp {
    bucket_at(bucket_width(policy), at)
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
        source: Option<&Source>,
    ) {
        let bucket = self.bucket(policy, at);
        bucket.calls = bucket.calls.saturating_add(1);
        bucket.failures = bucket.failures.saturating_add(1);
        if let Some(instance) = unreachable_from {
            bucket.connection_failures = bucket.connection_failures.saturating_add(1);
            bucket.sources = bucket.sources.union(&FailureSources::Single(instance.clone()));
        }
        if let Some(source) = source {
            bucket.by.add(source);
        }
    }

    /// Drops what has left the window: old failures never trip (K3).
    pub(crate) fn prune(&mut self, policy: &Policy, now: Timestamp) {
        let edge = bucket_start(policy, now - policy.window);
        self.buckets.retain(|bucket| bucket.start > edge);
    }

    /// Drops what is dated later than now.
    pub(crate) fn drop_after(&mut self, now: Timestamp) {
        self.buckets.retain(|bucket| bucket.start <= now);
    }

    /// One instance's connection failures must not open the circuit for the others, so they are evaluated apart (F7). What
    /// is of `blocked` sources is left out: their calls are refused already (B12).
    pub(crate) fn evaluate_rate(
        &self,
        policy: &Policy,
        blocked: &[&SourceScope],
        now: Timestamp,
    ) -> RateVerdict {
        let Some(rate) = policy.failure_rate else { return RateVerdict::WithinLimit };
        let exceeds_rate = |failures: u32, calls: u32| {
            failures > 0 && calls >= policy.minimum_calls && f64::from(failures) >= rate * f64::from(calls)
        };
        let sum = self.sum(policy, now);
        let by = sum.by.without(blocked);
        let left_out = sum.by.total().saturating_sub(by.total());
        let (failures, calls) = (sum.failures.saturating_sub(left_out), sum.calls.saturating_sub(left_out));
        let trip = |failures: u32, calls: u32| RateVerdict::Trip {
            sole_reporter: None,
            bound_to: most_failing(&by, failures, |count| {
                exceeds_rate(failures.saturating_sub(count), calls.saturating_sub(count))
            }),
        };
        let FailureSources::Single(instance) = &sum.sources else {
            return if exceeds_rate(failures, calls) {
                trip(failures, calls)
            } else {
                RateVerdict::WithinLimit
            };
        };
        let [other_failures, other_calls] =
            [failures, calls].map(|count| count.saturating_sub(sum.connection_failures));
        if exceeds_rate(other_failures, other_calls) {
            trip(other_failures, other_calls)
        } else if exceeds_rate(failures, calls) {
            RateVerdict::Trip { sole_reporter: Some(instance.clone()), bound_to: None }
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
            by: SourceCounts::default(),
        };
        self.buckets.iter().filter(|bucket| bucket.start > edge).fold(empty, |mut sum, bucket| {
            sum.by.extend(&bucket.by);
            Bucket {
                start: sum.start,
                calls: sum.calls.saturating_add(bucket.calls),
                failures: sum.failures.saturating_add(bucket.failures),
                connection_failures: sum.connection_failures.saturating_add(bucket.connection_failures),
                sources: sum.sources.union(&bucket.sources),
                by: sum.by,
            }
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
                    by: SourceCounts::default(),
                };
                self.buckets.insert(index, empty);
                index
            }
        };
        &mut self.buckets[index]
    }
}

/// What a rate trips for: the narrowest scope without whose failures the rate would not trip, and that has more than half
/// of them; `None`: all (B12).
fn most_failing(
    by: &SourceCounts,
    failures: u32,
    trips_without: impl Fn(u32) -> bool,
) -> Option<SourceScope> {
    by.candidates().find_map(|(scope, count)| {
        (count > failures.saturating_sub(count) && !trips_without(count)).then_some(scope)
    })
}

#[cfg(test)]
mod tests;
