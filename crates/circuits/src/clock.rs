//! The store's time, as an instance knows it (B7).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use breaker::{Timestamp, millis};
use tokio::time::Instant;

/// This machine's clock. Once it was synchronized with the store, only differences of its readings matter.
pub trait WallClock: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since the Unix epoch, according to this machine.
    fn now(&self) -> Timestamp;

    /// Whether it runs as tokio's timers do, so that a timer can stand for reading it again and again.
    fn runs_with_timers(&self) -> bool {
        false
    }
}

/// The machine's clock as it was at the start, and steady from then on: adjusting the clock changes nothing.
#[derive(Debug)]
pub struct SystemClock {
    start_time: Timestamp,
    started_at: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        Self { start_time: Timestamp::from_millis(started), started_at: Instant::now() }
    }
}

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        self.start_time + self.started_at.elapsed()
    }

    fn runs_with_timers(&self) -> bool {
        true
    }
}

/// A wall clock, corrected by the store's time.
#[derive(Debug)]
pub(crate) struct StoreClock {
    wall: Arc<dyn WallClock>,
    offset: AtomicI64,
    created_at: Instant,
    /// When the store last responded, in ms since `created_at`; 0: not yet.
    last_sync: AtomicU64,
}

impl StoreClock {
    pub(crate) fn new(wall: Arc<dyn WallClock>) -> Self {
        Self { wall, offset: AtomicI64::new(0), created_at: Instant::now(), last_sync: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp::from_millis(self.wall.now().as_millis().saturating_add_signed(offset))
    }

    /// Whether it runs as timers do, apart from what a synchronization moves it by.
    pub(crate) fn runs_with_timers(&self) -> bool {
        self.wall.runs_with_timers()
    }

    /// Synchronizes with the store's time from a response that took `elapsed`. The time was read somewhere in between, so
    /// half of that has passed since. A slow response is inaccurate, and is used only if the clock is further off than that.
    /// Returns by how many ms the clock moved.
    pub(crate) fn sync(&self, time: Timestamp, elapsed: Duration) -> i64 {
        self.last_sync.store(millis(self.created_at.elapsed()).max(1), Ordering::Relaxed);
        let store_time = time + elapsed / 2;
        let drift = signed(store_time).saturating_sub(signed(self.now()));
        let uncertainty = i64::try_from(elapsed.as_millis() / 2).unwrap_or(i64::MAX);
        if drift.abs() <= uncertainty {
            return 0;
        }
        self.offset.store(signed(store_time).saturating_sub(signed(self.wall.now())), Ordering::Relaxed);
        drift
    }

    /// How long ago the store last responded; `None`: not yet.
    pub(crate) fn since_last_sync(&self) -> Option<Duration> {
        let last_sync = Some(self.last_sync.load(Ordering::Relaxed)).filter(|last_sync| *last_sync > 0)?;
        Some(self.created_at.elapsed().saturating_sub(Duration::from_millis(last_sync)))
    }
}

fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Stopped(Timestamp);

    impl WallClock for Stopped {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    #[test]
    fn an_hour_off_is_corrected_by_one_response() {
        let clock = StoreClock::new(Arc::new(Stopped(Timestamp::from_millis(5_000_000))));
        clock.sync(Timestamp::from_millis(1_400_000), Duration::from_millis(4));
        assert_eq!(clock.now(), Timestamp::from_millis(1_400_002));
    }

    #[test]
    fn a_slow_response_does_not_spoil_a_good_reading() {
        let clock = StoreClock::new(Arc::new(Stopped(Timestamp::from_millis(1_000_000))));
        clock.sync(Timestamp::from_millis(1_000_000), Duration::ZERO);
        clock.sync(Timestamp::from_millis(1_000_000 - 40), Duration::from_millis(90));
        assert_eq!(clock.now(), Timestamp::from_millis(1_000_000));
    }
}
