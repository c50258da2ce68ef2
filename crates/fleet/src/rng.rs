//! Randomness and time of a run. All randomness comes from one seed, so a run can be repeated.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use breaker::{Timestamp, millis};
use circuits::{Rng, WallClock};
use tokio::time::Instant;

/// When virtual time begins (Unix ms).
pub const START_TIME: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A seeded source of randomness.
#[derive(Debug)]
pub struct SeededRng(Mutex<fastrand::Rng>);

impl SeededRng {
    /// The random numbers of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// An independent source, seeded from this one.
    #[must_use]
    pub fn fork(&self) -> Arc<Self> {
        Arc::new(Self::from_seed(self.with_rng(|rng| rng.u64(..))))
    }

    /// A number in the range.
    pub fn number(&self, range: RangeInclusive<u64>) -> u64 {
        self.with_rng(|rng| rng.u64(range))
    }

    /// A random index into this many parts.
    pub fn index(&self, parts: usize) -> usize {
        self.with_rng(|rng| rng.usize(..parts.max(1)))
    }

    /// True with this probability.
    pub fn chance(&self, share: f64) -> bool {
        share > 0.0 && self.with_rng(fastrand::Rng::f64) < share
    }

    /// A time of whole milliseconds in the range.
    pub fn millis(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// The time to the next random event, with this mean.
    pub fn exponential_delay(&self, mean: Duration) -> Duration {
        let share = 1.0 - self.with_rng(fastrand::Rng::f64);
        Duration::from_millis(millis(mean.mul_f64(-share.ln())))
    }

    fn with_rng<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rng for SeededRng {
    fn next_u128(&self) -> u128 {
        self.with_rng(|rng| rng.u128(..))
    }
}

/// A clock in virtual time, this many ms off.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    began: Instant,
    skew: i64,
}

impl VirtualClock {
    /// The correct time, which is [`START_TIME`] now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Instant::now(), skew: 0 }
    }

    /// The same time on a machine whose clock is off.
    #[must_use]
    pub fn skewed(&self, millis: i64) -> Self {
        Self { began: self.began, skew: millis }
    }
}

impl WallClock for VirtualClock {
    fn now(&self) -> Timestamp {
        let correct = START_TIME + self.began.elapsed();
        Timestamp::from_millis(correct.as_millis().saturating_add_signed(self.skew))
    }

    fn runs_with_timers(&self) -> bool {
        true
    }
}

/// Runs a future on one thread, in time that advances when all tasks wait.
///
/// # Errors
/// The runtime could not be built.
pub fn in_virtual_time<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(future))
}
