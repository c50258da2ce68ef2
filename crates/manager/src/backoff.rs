//! Delays between two attempts at one model.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use crate::Retry;

/// The delay after failed attempt number `attempt`, counted from 1. It doubles with each, minus a random part of up to a
/// half, so that callers that failed together do not retry together.
pub(crate) fn backoff(retry: &Retry, attempt: u32) -> Duration {
    let doubled = retry.initial_backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.mul_f64(1.0 - random_unit() / 2.0)
}

/// A random number in [0, 1).
fn random_unit() -> f64 {
    let bits = u32::try_from(random_bits() >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// The keys of the standard library's hasher are random enough to spread retries and calls.
pub(crate) fn random_bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_and_is_jittered_downwards() {
        let retry = Retry { initial_backoff: Duration::from_millis(100), ..Retry::default() };
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50 {
            for (attempt, longest) in [(1, 100), (2, 200), (3, 400)] {
                let delay = backoff(&retry, attempt);
                assert!(delay <= Duration::from_millis(longest), "{attempt}: {delay:?}");
                assert!(delay >= Duration::from_millis(longest / 2), "{attempt}: {delay:?}");
                seen.insert(delay);
            }
        }
        assert!(seen.len() > 100, "no jitter: {}", seen.len());
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let retry = Retry { initial_backoff: Duration::MAX / 4, ..Retry::default() };
        assert!(backoff(&retry, u32::MAX) > Duration::ZERO);
    }
}
