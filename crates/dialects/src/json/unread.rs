//! Values of which little or nothing was read.

use super::error::{NotJson, Result};
use super::number::behind_number;
use super::text::{behind_text, split_short, split_text};

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
    /// The bytes behind the value that begins here, which must be one of this kind.
    #[inline]
    pub(super) fn after(self, bytes: &[u8]) -> Result<&[u8]> {
        match self {
            Self::Number => behind_number(bytes),
            Self::String => behind_text(bytes, &mut false),
            Self::Filled => match split_short(bytes) {
                Some((text, behind)) if !text.is_empty() => Ok(behind),
                _ => behind_filled(bytes),
            },
        }
    }
}

#[inline(never)]
fn behind_filled(bytes: &[u8]) -> Result<&[u8]> {
    let (text, behind) = split_text(bytes, &mut false)?;
    if text.is_empty() { Err(NotJson) } else { Ok(behind) }
}
