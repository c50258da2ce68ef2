//! How long each model takes at the moment until a stream's first content.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use breaker::ModelKey;
use tokio::time::Instant;

/// A new stream weighs so much against all before it: the last ten or so make the figure.
const WEIGHT: f64 = 0.2;

/// An older figure says nothing about now.
const LASTS: Duration = Duration::from_secs(300);

/// What streams have taken lately, by model.
#[derive(Debug, Default)]
pub(crate) struct Latencies(RwLock<HashMap<ModelKey, Mutex<Typical>>>);

#[derive(Debug, Clone, Copy)]
struct Typical {
    seconds: f64,
    at: Instant,
}

impl Latencies {
    /// A stream of this model took so long. Whose models are kept is for the caller to bound.
    pub(crate) fn note(&self, key: &ModelKey, took: Duration) {
        let new = Typical { seconds: took.as_secs_f64(), at: Instant::now() };
        if let Some(typical) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            let mut typical = typical.lock().unwrap_or_else(PoisonError::into_inner);
            *typical = typical.with(new);
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Mutex::new(new));
    }

    /// Models that had a stream lately, each with what its streams take.
    pub(crate) fn now(&self) -> BTreeMap<ModelKey, Duration> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let lately = all.iter().filter_map(|(key, typical)| {
            let typical = *typical.lock().unwrap_or_else(PoisonError::into_inner);
            let took = Duration::try_from_secs_f64(typical.seconds).ok()?;
            (typical.at.elapsed() < LASTS).then(|| (key.clone(), took))
        });
        lately.collect()
    }
}

impl Typical {
    fn with(self, new: Self) -> Self {
        let forgotten = self.at.elapsed() >= LASTS;
        let weight = if forgotten { 1.0 } else { WEIGHT };
        Self { seconds: self.seconds + weight * (new.seconds - self.seconds), at: new.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ModelKey {
        "openai:gpt-5".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_figure_follows_the_last_streams() {
        let latencies = Latencies::default();
        assert!(latencies.now().is_empty());
        latencies.note(&key(), Duration::from_millis(500));
        assert_eq!(latencies.now()[&key()], Duration::from_millis(500));
        for _ in 0..20 {
            latencies.note(&key(), Duration::from_secs(4));
        }
        let now = latencies.now()[&key()];
        assert!(now > Duration::from_millis(3900) && now < Duration::from_secs(4), "{now:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_figure_is_not_told_and_weighs_nothing() {
        let latencies = Latencies::default();
        latencies.note(&key(), Duration::from_secs(30));
        tokio::time::advance(LASTS).await;
        assert!(latencies.now().is_empty());
        latencies.note(&key(), Duration::from_secs(1));
        assert_eq!(latencies.now()[&key()], Duration::from_secs(1));
    }
}
