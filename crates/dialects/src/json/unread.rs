//! Values of which little or nothing was read.

/// The most values that may differ. Those behind them must be the same.
pub(super) const MAX_VALUES: usize = 16;

/// A string or number of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unread {
    /// Where it stands, quotes included.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// What a value has to be that stands in the place of another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string that is passed over.
    String,
    /// A number that is passed over.
    Number,
    /// A string of which it is read that it is not empty.
    Filled,
}
