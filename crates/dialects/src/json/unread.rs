//! Values of which little or nothing was read.

use super::error::{NotJson, Result};
use super::number::number_end;
use super::text::{filled_text_end, text_end};

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

impl Kind {
    /// The end of the value that begins at `at`, which must be one of this kind.
    #[inline]
    pub(super) fn end(self, bytes: &[u8], at: usize) -> Result<usize> {
        let is_text = bytes.get(at) == Some(&b'"');
        match self {
            Self::Number => number_end(bytes, at),
            Self::Filled if is_text => filled_text_end(bytes, at + 1).map(|quote| quote + 1),
            Self::String if is_text => text_end(bytes, at + 1).map(|quote| quote + 1),
            Self::Filled | Self::String => Err(NotJson),
        }
    }
}
