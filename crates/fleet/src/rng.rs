//! Chance and time of a run. All chance comes from one seed, so a run can be run again.

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

/// A seeded source of chance.
#[derive(Debug)]
pub struct SeededRng(Mutex<fastrand::Rng>);

impl SeededRng {
    /// The dice of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Other dice, which roll on their own from here on.
    #[must_use]
    pub fn fork(&self) -> Arc<Self> {
        Arc::new(Self::from_seed(self.with_rng(|rng| rng.u64(..))))
    }

    /// A number in the range.
    pub fn number(&self, range: RangeInclusive<u64>) -> u64 {
        self.with_rng(|rng| rng.u64(range))
    }

    /// An index of something that has so many parts.
    pub fn index(&self, parts: usize) -> usize {
        self.with_rng(|rng| rng.usize(..parts.max(1)))
    }

    /// True in this share of all cases.
    pub fn chance(&self, share: f64) -> bool {
        share > 0.0 && self.with_rng(fastrand::Rng::f64) < share
    }

    /// A time of whole milliseconds in the range.
    pub fn millis(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// The time to the next of events that come by chance, on average so often.
    pub fn exponential_delay(&self, mean: Duration) -> Duration {
        let share = 1.0 - self.with_rng(fastrand::Rng::f64);
        Duration::from_millis(millis(mean.mul_f64(-share.ln())))
    }

    fn with_rng<T>(&self, roll: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        roll(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rng for SeededRng {
    fn next_u128(&self) -> u128 {
        self.with_rng(|rng| rng.u128(..))
    }
}

/// A clock that goes with virtual time, and is so many ms off.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    began: Instant,
    skew: i64,
}

impl VirtualClock {
    /// The right time, which is [`BEGINNING`] now.
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
        let right = START_TIME + self.began.elapsed();
        Timestamp::from_millis(right.as_millis().saturating_add_signed(self.skew))
    }
}

/// Runs something on one thread, in time that moves when nobody has anything left to do.
///
/// # Errors
/// The machine gives no runtime.
pub fn in_virtual_time<T>(what: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(what))
}
