//! What this process has done in the last 15 minutes, in buckets of 10 seconds.
//!
//! It is made by sampling: whoever asks reads the sums of [`CallMetrics`] and takes the difference to what they were when the
//! bucket began. A call does nothing for it. Buckets begin at whole multiples of [`BUCKET`] of the store's time, so those of
//! several instances can be added.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use breaker::Timestamp;
use serde::Serialize;

use crate::{
    CallMetrics,
    core_counts::{ModelCounts, RouteCounts, Times},
    exposition::Exposition,
    outcome::{is_failed_attempt, is_failed_call},
};

/// The length of a bucket.
pub const BUCKET: Duration = Duration::from_secs(10);

/// The most buckets that are kept, with the one that still grows: 15 minutes.
pub const BUCKETS: usize = 90;

/// The buckets that make up a minute.
const MINUTE: usize = 6;

/// The traffic of one process.
#[derive(Debug)]
pub struct Traffic {
    metrics: Arc<CallMetrics>,
    sampler: Mutex<Sampler>,
}

/// The last buckets, oldest first. All series have the same length, which grows to [`BUCKETS`] after the start of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficReport {
    /// The end of the last bucket, which still grows.
    pub end: Timestamp,
    /// Of all calls.
    pub total: Series,
    /// By requested route, or by model that was requested without a route.
    pub routes: BTreeMap<String, Series>,
    /// By called model.
    pub models: BTreeMap<String, ModelSeries>,
    /// Calls in flight.
    pub in_flight: u64,
}

/// Calls by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// Calls that have ended.
    pub requests: Vec<u64>,
    /// Those that failed by the gateway or a provider, not by the caller.
    pub failed: Vec<u64>,
    /// Those that another model than one of the chain's first group answered.
    pub fallbacks: Vec<u64>,
    /// The median time to first token in ms; `None`: no stream.
    pub ttft_p50_ms: Vec<Option<u64>>,
    /// The 95th percentile of the same.
    pub ttft_p95_ms: Vec<Option<u64>>,
}

/// Attempts at a model by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSeries {
    /// Attempts that have ended.
    pub requests: Vec<u64>,
    /// Those that are failures of the model.
    pub failed: Vec<u64>,
    /// The median time to first token in ms; `None`: no stream.
    pub ttft_p50_ms: Vec<Option<u64>>,
    /// The 95th percentile of the same.
    pub ttft_p95_ms: Vec<Option<u64>>,
    /// The median duration of good, complete responses in ms; `None`: there were none.
    pub duration_p50_ms: Vec<Option<u64>>,
    /// The 95th percentile of the same.
    pub duration_p95_ms: Vec<Option<u64>>,
    /// Tokens of complete responses, as the provider counts them.
    pub tokens_in: Vec<u64>,
    /// The same of what it wrote.
    pub tokens_out: Vec<u64>,
    /// Attempts in flight.
    pub in_flight: u64,
}

/// The counts of calls at a moment.
#[derive(Debug, Default, Clone)]
struct Sums {
    routes: BTreeMap<String, RouteSums>,
    models: BTreeMap<String, ModelSums>,
}

#[derive(Debug, Default, Clone)]
struct RouteSums {
    requests: u64,
    failed: u64,
    fallbacks: u64,
    first_token: Times,
}

#[derive(Debug, Default, Clone)]
struct ModelSums {
    requests: u64,
    failed: u64,
    first_token: Times,
    duration: Times,
    tokens: [u64; 2],
}

/// What happened in one bucket. Names with nothing are absent.
#[derive(Debug, Default, Clone)]
struct Bucket {
    total: RouteBucket,
    routes: BTreeMap<String, RouteBucket>,
    models: BTreeMap<String, ModelBucket>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct RouteBucket {
    requests: u64,
    failed: u64,
    fallbacks: u64,
    first_token: Percentiles,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct ModelBucket {
    requests: u64,
    failed: u64,
    first_token: Percentiles,
    duration: Percentiles,
    tokens: [u64; 2],
}

/// The median and the 95th percentile, in ms.
type Percentiles = [Option<u64>; 2];

/// The buckets so far.
#[derive(Debug, Default)]
struct Sampler {
    /// The number of the bucket that grows: the buckets before it since the Unix epoch.
    growing: u64,
    /// The sums when it began.
    base: Sums,
    /// Oldest first.
    closed: VecDeque<Bucket>,
}

impl Traffic {
    /// Begins with what has been counted until now, by the store's clock.
    #[must_use]
    pub fn new(metrics: Arc<CallMetrics>, now: Timestamp) -> Self {
        let base = Sums::of(&metrics.exposition());
        let sampler = Sampler { growing: number_of(now), base, closed: VecDeque::new() };
        Self { metrics, sampler: Mutex::new(sampler) }
    }

    /// Ends the buckets whose time is over. What is counted between the end of a bucket and this call belongs to the bucket.
    pub fn sample(&self, now: Timestamp) {
        self.sampler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .advance(now, || Sums::of(&self.metrics.exposition()));
    }

    /// The last buckets, `limit` at most, with the one that still grows.
    #[must_use]
    pub fn report(&self, now: Timestamp, limit: usize) -> TrafficReport {
        let exposition = self.metrics.exposition();
        let sums = Sums::of(&exposition);
        let mut sampler = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        sampler.advance(now, || sums.clone());
        let growing = Bucket::between(&sampler.base, &sums);
        let skipped = (sampler.closed.len() + 1).saturating_sub(limit);
        let buckets: Vec<&Bucket> = sampler.closed.iter().chain([&growing]).skip(skipped).collect();
        let mut models: BTreeMap<_, _> = names(&sums.models, buckets.iter().map(|bucket| &bucket.models))
            .into_iter()
            .map(|name| (name.to_owned(), model_series(buckets.iter().map(|bucket| bucket.models.get(name)))))
            .collect();
        for (name, counts) in exposition.counts.models.sorted() {
            if let Some(series) = models.get_mut(name) {
                series.in_flight = u64::try_from(counts.in_flight).unwrap_or(0);
            }
        }
        TrafficReport {
            end: Timestamp::from_millis(
                sampler.growing.saturating_add(1).saturating_mul(breaker::millis(BUCKET)),
            ),
            total: series(buckets.iter().map(|bucket| Some(&bucket.total))),
            routes: names(&sums.routes, buckets.iter().map(|bucket| &bucket.routes))
                .into_iter()
                .map(|name| (name.to_owned(), series(buckets.iter().map(|bucket| bucket.routes.get(name)))))
                .collect(),
            models,
            in_flight: u64::try_from(exposition.in_flight).unwrap_or(0),
        }
    }
}

impl Series {
    /// Requests, failed and fallbacks of the last minute, with the bucket that still grows.
    #[must_use]
    pub fn last_minute(&self) -> [u64; 3] {
        [&self.requests, &self.failed, &self.fallbacks].map(|counts| counts.iter().rev().take(MINUTE).sum())
    }
}

impl Sampler {
    fn advance(&mut self, now: Timestamp, sums: impl FnOnce() -> Sums) {
        let number = number_of(now);
        // Where the clock was put back, the bucket grows until that time comes again.
        let passed = number.saturating_sub(self.growing);
        if passed == 0 {
            return;
        }
        let sums = sums();
        let empty = usize::try_from(passed - 1).unwrap_or(usize::MAX);
        if empty >= BUCKETS {
            self.closed.clear();
        } else {
            self.closed.push_back(Bucket::between(&self.base, &sums));
            self.closed.extend(std::iter::repeat_with(Bucket::default).take(empty));
        }
        let excess = self.closed.len().saturating_sub(BUCKETS - 1);
        self.closed.drain(..excess);
        (self.base, self.growing) = (sums, number);
    }
}

impl Sums {
    fn of(exposition: &Exposition) -> Self {
        let (routes, models) = (exposition.counts.routes.sorted(), exposition.counts.models.sorted());
        Self {
            routes: routes
                .into_iter()
                .map(|(name, counts)| (name.to_owned(), RouteSums::of(counts)))
                .collect(),
            models: models
                .into_iter()
                .map(|(name, counts)| (name.to_owned(), ModelSums::of(counts)))
                .collect(),
        }
    }
}

impl RouteSums {
    fn of(counts: &RouteCounts) -> Self {
        let mut sums =
            Self { fallbacks: counts.fallbacks, first_token: counts.first_token.clone(), ..Self::default() };
        for (_, outcomes) in counts.calls.sorted() {
            for (outcome, count) in outcomes.iter() {
                sums.requests += count;
                sums.failed += if is_failed_call(outcome) { count } else { 0 };
            }
        }
        sums
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            failed: self.failed.saturating_sub(earlier.failed),
            fallbacks: self.fallbacks.saturating_sub(earlier.fallbacks),
            first_token: self.first_token.since(&earlier.first_token),
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.fallbacks += other.fallbacks;
        self.first_token.add(&other.first_token);
    }

    fn bucket(&self) -> RouteBucket {
        let Self { requests, failed, fallbacks, first_token } = self;
        RouteBucket {
            requests: *requests,
            failed: *failed,
            fallbacks: *fallbacks,
            first_token: percentiles(first_token),
        }
    }
}

impl ModelSums {
    fn of(counts: &ModelCounts) -> Self {
        let mut sums = Self {
            first_token: counts.first_token.clone(),
            duration: counts.duration.clone(),
            tokens: [counts.tokens.input, counts.tokens.output].map(Option::unwrap_or_default),
            ..Self::default()
        };
        for (outcome, count) in counts.attempts.iter() {
            sums.requests += count;
            sums.failed += if is_failed_attempt(outcome) { count } else { 0 };
        }
        sums
    }

    fn bucket_since(&self, earlier: &Self) -> ModelBucket {
        let tokens = |direction: usize| self.tokens[direction].wrapping_sub(earlier.tokens[direction]);
        ModelBucket {
            requests: self.requests.saturating_sub(earlier.requests),
            failed: self.failed.saturating_sub(earlier.failed),
            first_token: percentiles(&self.first_token.since(&earlier.first_token)),
            duration: percentiles(&self.duration.since(&earlier.duration)),
            tokens: [tokens(0), tokens(1)],
        }
    }
}

impl Bucket {
    fn between(base: &Sums, now: &Sums) -> Self {
        let (mut total, mut routes) = (RouteSums::default(), BTreeMap::new());
        let nothing = RouteSums::default();
        for (name, sums) in &now.routes {
            let since = sums.since(base.routes.get(name).unwrap_or(&nothing));
            total.add(&since);
            let bucket = since.bucket();
            if bucket != RouteBucket::default() {
                routes.insert(name.clone(), bucket);
            }
        }
        let nothing = ModelSums::default();
        let models = now.models.iter().filter_map(|(name, sums)| {
            let bucket = sums.bucket_since(base.models.get(name).unwrap_or(&nothing));
            (bucket != ModelBucket::default()).then(|| (name.clone(), bucket))
        });
        Self { total: total.bucket(), models: models.collect(), routes }
    }
}

/// All names: those that are counted now and those of the buckets.
fn names<'a, S, B: 'a>(
    sums: &'a BTreeMap<String, S>,
    buckets: impl Iterator<Item = &'a BTreeMap<String, B>>,
) -> BTreeSet<&'a str> {
    sums.keys().chain(buckets.flat_map(BTreeMap::keys)).map(String::as_str).collect()
}

fn series<'a>(buckets: impl Iterator<Item = Option<&'a RouteBucket>>) -> Series {
    let mut series = Series::default();
    for bucket in buckets {
        let RouteBucket { requests, failed, fallbacks, first_token: [p50, p95] } =
            bucket.copied().unwrap_or_default();
        series.requests.push(requests);
        series.failed.push(failed);
        series.fallbacks.push(fallbacks);
        series.ttft_p50_ms.push(p50);
        series.ttft_p95_ms.push(p95);
    }
    series
}

fn model_series<'a>(buckets: impl Iterator<Item = Option<&'a ModelBucket>>) -> ModelSeries {
    let mut series = ModelSeries::default();
    for bucket in buckets {
        let bucket = bucket.copied().unwrap_or_default();
        series.requests.push(bucket.requests);
        series.failed.push(bucket.failed);
        series.ttft_p50_ms.push(bucket.first_token[0]);
        series.ttft_p95_ms.push(bucket.first_token[1]);
        series.duration_p50_ms.push(bucket.duration[0]);
        series.duration_p95_ms.push(bucket.duration[1]);
        series.tokens_in.push(bucket.tokens[0]);
        series.tokens_out.push(bucket.tokens[1]);
    }
    series
}

fn percentiles(times: &Times) -> Percentiles {
    [0.5, 0.95].map(|share| {
        let seconds = Duration::try_from_secs_f64(times.percentile(share)?).ok()?;
        Some(breaker::millis(seconds))
    })
}

fn number_of(now: Timestamp) -> u64 {
    now.as_millis() / breaker::millis(BUCKET)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a route has counted: answered, failed, client disconnected.
    fn sums(answered: u64, failed: u64, left: u64) -> Sums {
        let mut counts = RouteCounts::default();
        for (outcome, count) in
            [("answered", answered), ("attempts_exhausted", failed), ("client_disconnected", left)]
        {
            counts.calls.of("").count(outcome, count);
        }
        (0..answered).for_each(|_| counts.first_token.observe(0.3));
        Sums { routes: BTreeMap::from([("smart".to_owned(), RouteSums::of(&counts))]), ..Sums::default() }
    }

    fn requests(sampler: &Sampler) -> Vec<u64> {
        sampler.closed.iter().map(|bucket| bucket.total.requests).collect()
    }

    #[test]
    fn buckets_end_with_the_time() {
        let mut sampler = Sampler { growing: 100, ..Sampler::default() };
        // When it samples (ms), what was counted by then, and the requests of the closed buckets after it.
        for (at, answered, expected) in [
            (1_000_000, 1, &[][..]),
            (1_009_999, 3, &[]),
            (1_010_000, 4, &[4]),
            // The clock was put back.
            (1_000_000, 5, &[4]),
            (1_012_000, 6, &[4]),
            (1_021_000, 7, &[4, 3]),
            // Nobody sampled for a while.
            (1_050_000, 9, &[4, 3, 2, 0, 0]),
        ] {
            sampler.advance(Timestamp::from_millis(at), || sums(answered, 0, 0));
            assert_eq!(requests(&sampler), expected, "at {at}");
        }
        for second in (1_060..3_000).step_by(10) {
            sampler.advance(Timestamp::from_millis(second * 1_000), || sums(10, 0, 0));
        }
        assert_eq!(sampler.closed.len(), BUCKETS - 1);
        sampler.advance(Timestamp::from_millis(9_000_000), || sums(10, 0, 0));
        assert_eq!(requests(&sampler), [0; 0], "the clock was put on: nothing is known of that time");
    }

    #[test]
    fn a_bucket_is_the_difference_of_two_sums() {
        let bucket = Bucket::between(&sums(1, 2, 3), &sums(5, 3, 10));
        let RouteBucket { requests, failed, first_token, .. } = bucket.total;
        assert_eq!((requests, failed), (12, 1), "who leaves has not failed");
        assert_eq!(first_token, [Some(240), Some(312)]);
        assert_eq!(bucket.routes["smart"], bucket.total);
        assert!(Bucket::between(&sums(5, 3, 10), &sums(5, 3, 10)).routes.is_empty());
    }

    #[test]
    fn a_report_has_the_growing_bucket_and_every_name() {
        let metrics = Arc::<CallMetrics>::default();
        let traffic = Traffic::new(Arc::clone(&metrics), Timestamp::from_millis(5_000));
        traffic.sample(Timestamp::from_millis(12_000));
        metrics.call_started(false);
        let report = traffic.report(Timestamp::from_millis(23_000), BUCKETS);
        assert_eq!((report.end.as_millis(), report.in_flight), (30_000, 1));
        assert_eq!(report.total.requests, [0, 0, 0]);
        let last = traffic.report(Timestamp::from_millis(23_000), 2);
        assert_eq!((last.total.requests.len(), last.total.ttft_p50_ms), (2, vec![None, None]));
    }

    #[test]
    fn the_last_minute_is_six_buckets() {
        let series = Series { requests: vec![100, 1, 2, 3, 4, 5, 6], failed: vec![1], ..Series::default() };
        assert_eq!(series.last_minute(), [21, 1, 0]);
    }
}
