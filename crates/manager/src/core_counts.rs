//! What one core has counted of calls. A call writes to the counts of its core alone; whoever reads them adds all up.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

/// The least upper bound of a bucket of times, in seconds.
const FIRST_BUCKET: f64 = 0.01;

/// The bounded buckets of times: each is twice as long as the one before, up to 5.5 minutes.
const BUCKETS: usize = 16;

/// The counts of one core.
#[derive(Debug, Default)]
pub(crate) struct CoreCounts {
    /// By route, or by model that was requested without a route.
    pub(crate) routes: ByLabel<RouteCounts>,
    pub(crate) models: ByLabel<ModelCounts>,
    /// Calls by the API formats of caller and model.
    pub(crate) translations: HashMap<(&'static str, &'static str), u64, RandomState>,
}

/// Calls of a route.
#[derive(Debug, Default)]
pub(crate) struct RouteCounts {
    /// By the name of the caller's key; empty where there are no keys.
    pub(crate) calls: ByLabel<Outcomes>,
    pub(crate) fallbacks: u64,
    pub(crate) duration: Times,
    pub(crate) first_token: Times,
    pub(crate) tokens: Tokens,
}

/// Attempts at a model.
#[derive(Debug, Default)]
pub(crate) struct ModelCounts {
    pub(crate) attempts: Outcomes,
    /// Attempts started on this core, less those ended on it.
    pub(crate) in_flight: i64,
    /// Of attempts with a good, complete response.
    pub(crate) duration: Times,
    pub(crate) first_token: Times,
    pub(crate) tokens: Tokens,
}

/// The tokens of responses, unless none of them has said.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tokens {
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
}

/// Values by a label. Its values are bounded by whoever counts.
#[derive(Debug)]
pub(crate) struct ByLabel<T> {
    places: HashMap<Arc<str>, usize, RandomState>,
    values: Vec<(Arc<str>, T)>,
    /// Of the value that was asked for last, which is often the next one, too: to compare is less than to hash.
    last: usize,
}

/// Numbers by outcome.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(Vec<(&'static str, u64)>);

/// A histogram of times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Times {
    pub(crate) sum: f64,
    /// The last one has no bound.
    counts: [u64; BUCKETS + 1],
}

impl CoreCounts {
    /// Adds those of another core.
    pub(crate) fn add(&mut self, other: &Self) {
        for (label, counts) in other.routes.iter() {
            self.routes.of(label).add(counts);
        }
        for (label, counts) in other.models.iter() {
            self.models.of(label).add(counts);
        }
        for (formats, count) in &other.translations {
            *self.translations.entry(*formats).or_default() += count;
        }
    }
}

impl RouteCounts {
    fn add(&mut self, other: &Self) {
        for (caller, outcomes) in other.calls.iter() {
            self.calls.of(caller).add(outcomes);
        }
        self.fallbacks += other.fallbacks;
        self.duration.add(&other.duration);
        self.first_token.add(&other.first_token);
        self.tokens.add(other.tokens);
    }
}

impl ModelCounts {
    fn add(&mut self, other: &Self) {
        self.attempts.add(&other.attempts);
        self.in_flight += other.in_flight;
        self.duration.add(&other.duration);
        self.first_token.add(&other.first_token);
        self.tokens.add(other.tokens);
    }
}

impl Tokens {
    /// Adds those of others, or of a response.
    pub(crate) fn add(&mut self, other: Self) {
        for (sum, more) in [(&mut self.input, other.input), (&mut self.output, other.output)] {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or_default().wrapping_add(more));
            }
        }
    }
}

impl<T: Default> ByLabel<T> {
    /// The value of a label, which is copied only the first time.
    pub(crate) fn of(&mut self, label: &str) -> &mut T {
        if self.values.get(self.last).is_none_or(|(last, _)| **last != *label) {
            self.last = self.place(label);
        }
        &mut self.values[self.last].1
    }

    fn place(&mut self, label: &str) -> usize {
        if let Some(place) = self.places.get(label) {
            return *place;
        }
        let (label, place) = (Arc::<str>::from(label), self.values.len());
        self.places.insert(Arc::clone(&label), place);
        self.values.push((label, T::default()));
        place
    }
}

impl<T> ByLabel<T> {
    fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.values.iter().map(|(label, value)| (&**label, value))
    }

    /// All values by their labels.
    pub(crate) fn sorted(&self) -> Vec<(&str, &T)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_unstable_by_key(|(label, _)| *label);
        all
    }
}

impl<T> Default for ByLabel<T> {
    fn default() -> Self {
        Self { places: HashMap::default(), values: Vec::new(), last: 0 }
    }
}

impl Outcomes {
    pub(crate) fn count(&mut self, outcome: &'static str, count: u64) {
        match self.0.iter_mut().find(|(other, _)| *other == outcome) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((outcome, count)),
        }
    }

    fn add(&mut self, other: &Self) {
        other.iter().for_each(|(outcome, count)| self.count(outcome, count));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }
}

impl Times {
    pub(crate) fn observe(&mut self, seconds: f64) {
        self.sum += seconds;
        let bucket = bounds().position(|bound| seconds <= bound).unwrap_or(BUCKETS);
        self.counts[bucket] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// Those that were observed since the counts were `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut since = Self { sum: (self.sum - earlier.sum).max(0.0), counts: self.counts };
        for (count, before) in since.counts.iter_mut().zip(earlier.counts) {
            *count = count.saturating_sub(before);
        }
        since
    }

    /// The time in seconds that this share of them kept within, as if each bucket were filled evenly; `None`: there are none.
    /// What is in the bucket without a bound counts as its lower end.
    #[expect(clippy::cast_precision_loss, reason = "an estimate, of counts far below 2^52")]
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let rank = share * total as f64;
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, count) in bounds().zip(self.counts) {
            let count = count as f64;
            if count > 0.0 && below + count >= rank {
                return Some(lower + (bound - lower) * ((rank - below) / count));
            }
            (below, lower) = (below + count, bound);
        }
        Some(lower)
    }

    /// How many were observed.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bucket's bound and count.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        bounds().chain([f64::INFINITY]).zip(self.counts).collect()
    }
}

fn bounds() -> impl Iterator<Item = f64> {
    std::iter::successors(Some(FIRST_BUCKET), |bound| Some(bound * 2.0)).take(BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_as_a_histogram_of_the_library_does() {
        use prometheus_client::metrics::histogram::exponential_buckets;
        assert!(bounds().eq(exponential_buckets(0.01, 2.0, 16)));
        let mut times = Times::default();
        [0.0, 0.01, 0.0101, 300.0, 1e9].into_iter().for_each(|seconds| times.observe(seconds));
        let counted: Vec<_> = times.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0.01, 2), (0.02, 1), (327.68, 1), (f64::INFINITY, 1)]);
        assert_eq!((times.count(), times.sum), (5, 0.0 + 0.01 + 0.0101 + 300.0 + 1e9));
    }

    #[test]
    fn percentiles_are_linear_within_a_bucket() {
        let times = |seconds: &[f64]| {
            let mut times = Times::default();
            seconds.iter().for_each(|seconds| times.observe(*seconds));
            times
        };
        for (observed, share, expected) in [
            (&[][..], 0.5, None),
            (&[0.001], 0.5, Some(0.005)),
            (&[0.3], 0.5, Some(0.24)),
            (&[0.3], 1.0, Some(0.32)),
            (&[0.3, 0.3, 0.3, 1.0], 0.5, Some(0.16 + 0.16 * (2.0 / 3.0))),
            (&[0.3, 0.3, 0.3, 1.0], 0.95, Some(0.64 + 0.64 * 0.8)),
            (&[1e9], 0.5, Some(327.68)),
        ] {
            let found = times(observed).percentile(share);
            let near = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(near, "{observed:?} {share}: {found:?}, expected {expected:?}");
        }
        let since = times(&[0.3, 1.0, 0.3]).since(&times(&[0.3]));
        assert_eq!((since.count(), since.percentile(0.0)), (2, Some(0.16)));
    }

    #[test]
    fn the_counts_of_two_cores_are_added() {
        let core = |calls: u64, output: Option<u64>| {
            let mut core = CoreCounts::default();
            let route = core.routes.of("smart");
            route.calls.of("ci").count("answered", calls);
            route.calls.of("").count("cancelled", 1);
            route.duration.observe(1.0);
            core.models.of("openai:m").attempts.count("answered", calls);
            core.models.of("openai:m").tokens.add(Tokens { input: Some(calls), output });
            core.models.of("openai:m").in_flight = -1;
            core.translations.insert(("a", "b"), calls);
            core
        };
        let mut sum = core(3, None);
        sum.add(&core(4, Some(5)));
        let route = sum.routes.of("smart");
        let calls: Vec<_> =
            route.calls.sorted().into_iter().map(|(caller, calls)| (caller, calls.0.clone())).collect();
        assert_eq!(calls, [("", vec![("cancelled", 2)]), ("ci", vec![("answered", 7)])]);
        assert_eq!((route.duration.count(), route.duration.sum, route.first_token.count()), (2, 2.0, 0));
        let model = sum.models.of("openai:m");
        assert_eq!(model.attempts.iter().collect::<Vec<_>>(), [("answered", 7)]);
        assert_eq!((model.tokens.input, model.tokens.output, model.in_flight), (Some(7), Some(5), -2));
        assert_eq!(sum.translations[&("a", "b")], 7);
    }
}
