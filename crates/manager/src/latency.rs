//! The recent time to first token of each model.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use breaker::ModelKey;
use tokio::time::Instant;

/// The weight of a new stream: the average follows about the last ten.
const EWMA_ALPHA: f64 = 0.2;

/// An older average is ignored.
const EWMA_TTL: Duration = Duration::from_secs(300);

/// The recent time to first token, by model.
#[derive(Debug, Default)]
pub(crate) struct Latencies(RwLock<HashMap<ModelKey, Mutex<Ewma>>>);

#[derive(Debug, Clone, Copy)]
struct Ewma {
    seconds: f64,
    updated_at: Instant,
}

impl Latencies {
    /// Adds a stream of this model. The caller bounds the number of models.
    pub(crate) fn record(&self, key: &ModelKey, first_token: Duration) {
        let new = Ewma { seconds: first_token.as_secs_f64(), updated_at: Instant::now() };
        if let Some(ewma) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            let mut ewma = ewma.lock().unwrap_or_else(PoisonError::into_inner);
            *ewma = ewma.updated_with(new);
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Mutex::new(new));
    }

    /// The models with a recent stream, and their averages.
    pub(crate) fn snapshot(&self) -> BTreeMap<ModelKey, Duration> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let recent = all.iter().filter_map(|(key, ewma)| {
            let ewma = *ewma.lock().unwrap_or_else(PoisonError::into_inner);
            let average = Duration::try_from_secs_f64(ewma.seconds).ok()?;
            (ewma.updated_at.elapsed() < EWMA_TTL).then(|| (key.clone(), average))
        });
        recent.collect()
    }
}

impl Ewma {
    fn updated_with(self, new: Self) -> Self {
        let expired = self.updated_at.elapsed() >= EWMA_TTL;
        let weight = if expired { 1.0 } else { EWMA_ALPHA };
        Self { seconds: self.seconds + weight * (new.seconds - self.seconds), updated_at: new.updated_at }
    }
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
