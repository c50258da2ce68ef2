//! Points in time as Redis has them.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// Milliseconds since the Unix epoch, by the store's clock (B7); 0 means never.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The value that stands for "never".
    pub const NEVER: Self = Self(0);

    /// The latest time that JavaScript's `Date` can hold. A later one makes no sense, and Redis could not expire a key at
    /// it, so nothing that is read or computed goes beyond.
    pub const MAX: Self = Self(8_640_000_000_000_000);

    /// A point in time this many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The same moment by a clock that is this many ms ahead of the one it was read from. Never stays never.
    #[must_use]
    pub const fn shifted_by(self, millis: i64) -> Self {
        if self.0 == 0 { self } else { Self(self.0.saturating_add_signed(millis)) }
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Whole milliseconds of a duration; one too long for 64 bits becomes the longest.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration))).min(Self::MAX)
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
