//! An announced end of life.

use jiff::{ToSpan as _, civil::Date};

/// A model that ends within this many days should be replaced: a release and its roll-out take weeks.
pub const NOTICE_DAYS: i32 = 90;

/// A provider that announces end-of-life dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcer {
    /// Its name.
    pub name: &'static str,
    /// Its deprecations page, which also names the successors.
    pub page: &'static str,
}

/// The announced end of life of some models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEnd {
    /// The first day on which the name fails, or means another model.
    pub date: Date,
    /// Who announced it.
    pub by: Announcer,
    /// The model names as in a request.
    pub models: &'static [&'static str],
}

impl ModelEnd {
    /// Whether the end is past on that day, or within [`NOTICE_DAYS`].
    #[must_use]
    pub fn is_near(&self, day: Date) -> bool {
        self.date <= day.saturating_add(NOTICE_DAYS.days())
    }
}
