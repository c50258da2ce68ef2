//! How long each model's streams take until their first byte: what is unusually silent depends on the model (C1).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::ModelKey;
use per_core::PerCore;

/// The streams of a model that each core remembers.
const CAPACITY: usize = 100;

/// The times of the last good streams, by model.
#[derive(Debug, Default)]
pub(crate) struct FirstBytes(PerCore<Mutex<ByModel>>);

type ByModel = HashMap<ModelKey, RecentTimes>;

fn lock(times: &Mutex<ByModel>) -> MutexGuard<'_, ByModel> {
    times.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FirstBytes {
    /// Adds a good stream of this model. The caller bounds the number of models.
    pub(crate) fn record(&self, key: &ModelKey, time: Duration) {
        let mut all = lock(self.0.local());
        match all.get_mut(key) {
            Some(times) => times.push(time),
            None => all.entry(key.clone()).or_default().push(time),
        }
    }

    /// The 95th percentile of this model's times; `None`: it has had no good stream.
    pub(crate) fn percentile_95(&self, key: &ModelKey) -> Option<Duration> {
        let of_core = |all: &Mutex<ByModel>| lock(all).get(key).map(|times| times.millis.clone());
        percentile_95(self.0.iter().filter_map(of_core).flatten().collect())
    }
}

/// The last [`CAPACITY`] times, in whole milliseconds.
#[derive(Debug, Default)]
struct RecentTimes {
    millis: Vec<u32>,
    /// The oldest, once it is full.
    oldest: usize,
}

impl RecentTimes {
    fn push(&mut self, time: Duration) {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        if self.millis.len() < CAPACITY {
            self.millis.push(millis);
        } else if let Some(oldest) = self.millis.get_mut(self.oldest) {
            *oldest = millis;
            self.oldest = (self.oldest + 1) % CAPACITY;
        }
    }
}

/// The least time that at least 95 % of the times do not exceed.
fn percentile_95(mut millis: Vec<u32>) -> Option<Duration> {
    let rank = (millis.len() * 95).div_ceil(100).checked_sub(1)?;
    let (_, at_rank, _) = millis.select_nth_unstable(rank);
    Some(Duration::from_millis(u64::from(*at_rank)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percentile(seconds: impl IntoIterator<Item = u64>) -> Option<u64> {
        let mut times = RecentTimes::default();
        seconds.into_iter().for_each(|seconds| times.push(Duration::from_secs(seconds)));
        assert!(times.millis.len() <= CAPACITY);
        percentile_95(times.millis).map(|time| time.as_secs())
    }

    #[test]
    fn the_percentile_is_of_the_last_hundred() {
        assert_eq!(percentile([]), None);
        assert_eq!(percentile([7]), Some(7));
        assert_eq!(percentile([1, 2]), Some(2));
        assert_eq!(percentile(1..=20), Some(19));
        assert_eq!(percentile((1..=100).rev()), Some(95));
        assert_eq!(percentile((0..100).map(|_| 60).chain(1..=100)), Some(95), "older ones are forgotten");
        assert_eq!(percentile((0..96).map(|_| 1).chain([90; 4])), Some(1), "few slow ones do not count");
    }

    #[test]
    fn each_model_has_its_own() {
        let (times, second) = (FirstBytes::default(), Duration::from_secs(1));
        let key = |text: &str| text.parse::<ModelKey>().unwrap();
        times.record(&key("openai:a"), second);
        times.record(&key("openai:a"), second * 3);
        assert_eq!(times.percentile_95(&key("openai:a")), Some(second * 3));
        assert_eq!(times.percentile_95(&key("openai:b")), None);
        times.record(&key("openai:b"), Duration::from_secs(u64::MAX));
        assert_eq!(times.percentile_95(&key("openai:b")), Some(Duration::from_millis(u32::MAX.into())));
    }
}
