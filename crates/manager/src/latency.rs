//! The recent time to first token of each model.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::ModelKey;
use per_core::PerCore;
use tokio::time::Instant;

/// The weight of a new stream: the average follows about the last ten.
const EWMA_ALPHA: f64 = 0.2;

/// An older average is ignored.
const EWMA_TTL: Duration = Duration::from_secs(300);

/// The streams of a model that each core remembers. Older ones have a weight of less than 0.1 %.
const CAPACITY: usize = 32;

/// The recent time to first token, by model.
#[derive(Debug, Default)]
pub(crate) struct Latencies(PerCore<Mutex<ByModel>>);

type ByModel = HashMap<ModelKey, VecDeque<Sample>>;

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    first_token: Duration,
}

fn lock(samples: &Mutex<ByModel>) -> MutexGuard<'_, ByModel> {
    samples.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Latencies {
    /// Adds a stream of this model. The caller bounds the number of models.
    pub(crate) fn record(&self, key: &ModelKey, first_token: Duration) {
        let sample = Sample { at: Instant::now(), first_token };
        let mut all = lock(self.0.local());
        match all.get_mut(key) {
            Some(samples) => {
                if samples.len() == CAPACITY {
                    samples.pop_front();
                }
                samples.push_back(sample);
            }
            None => drop(all.insert(key.clone(), VecDeque::from([sample]))),
        }
    }

    /// The models with a recent stream, and their averages.
    pub(crate) fn snapshot(&self) -> BTreeMap<ModelKey, Duration> {
        let mut by_model = BTreeMap::<_, Vec<_>>::new();
        for core in self.0.iter() {
            for (key, samples) in lock(core).iter() {
                by_model.entry(key.clone()).or_default().extend(samples.iter().copied());
            }
        }
        by_model.into_iter().filter_map(|(key, samples)| Some((key, recent_average(samples)?))).collect()
    }
}

/// The average of streams that may have been on different cores, in the order in which they came.
fn recent_average(mut samples: Vec<Sample>) -> Option<Duration> {
    samples.sort_unstable_by_key(|sample| sample.at);
    let last = samples.last()?.at;
    let mut before: Option<(f64, Instant)> = None;
    for Sample { at, first_token } in samples {
        let new = first_token.as_secs_f64();
        let average = match before {
            Some((average, then)) if at.duration_since(then) < EWMA_TTL => {
                average + EWMA_ALPHA * (new - average)
            }
            _ => new,
        };
        before = Some((average, at));
    }
    let average = Duration::try_from_secs_f64(before?.0).ok()?;
    (last.elapsed() < EWMA_TTL).then_some(average)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ModelKey {
        "openai:gpt-5".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_average_follows_the_last_streams() {
        let latencies = Latencies::default();
        assert!(latencies.snapshot().is_empty());
        latencies.record(&key(), Duration::from_millis(500));
        assert_eq!(latencies.snapshot()[&key()], Duration::from_millis(500));
        for _ in 0..20 {
            latencies.record(&key(), Duration::from_secs(4));
        }
        let now = latencies.snapshot()[&key()];
        assert!(now > Duration::from_millis(3900) && now < Duration::from_secs(4), "{now:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_average_is_neither_shown_nor_used() {
        let latencies = Latencies::default();
        latencies.record(&key(), Duration::from_secs(30));
        tokio::time::advance(EWMA_TTL).await;
        assert!(latencies.snapshot().is_empty());
        latencies.record(&key(), Duration::from_secs(1));
        assert_eq!(latencies.snapshot()[&key()], Duration::from_secs(1));
    }
}
