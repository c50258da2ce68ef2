//! Texts that differ only where nobody looks.
//!
//! Nearly every event of a stream is the one before it with other words: the same names in the same order, the same id and
//! model, and a text of which its reader asked no more than whether it is empty. To read the first of them is to know what the
//! others mean, so these are only compared.

use super::{Cursor, NotJson, Result, read_with};

/// The longest text that is kept, in bytes.
const MAX_BYTES: usize = 4 * 1024;

/// The most values that may differ. Those behind them must be the same.
const MAX_VALUES: usize = 16;

/// A JSON text that was read, and its values that may be others without any reader noticing.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    text: Vec<u8>,
    values: Vec<Unread>,
    /// Another text has matched.
    is_settled: bool,
}

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

impl Pattern {
    /// Reads a text like [`read`](super::read), and keeps it as the pattern.
    pub(crate) fn read<'a, T>(
        &mut self,
        data: &'a [u8],
        value: impl FnOnce(&mut Cursor<'a>) -> Result<T>,
    ) -> Result<T> {
        self.clear();
        let mut cursor = Cursor { unread: Some(std::mem::take(&mut self.values)), ..Cursor::new(data) };
        let read = read_with(&mut cursor, value)?;
        if data.len() <= MAX_BYTES {
            self.text.extend_from_slice(data);
        }
        self.values = cursor.unread.unwrap_or_default();
        Ok(read)
    }

    /// Nothing matches.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
        self.is_settled = false;
    }

    /// Whether whoever has read the pattern would read the same here. It then is JSON, too.
    pub(crate) fn matches(&mut self, data: &[u8]) -> bool {
        let is_match = !self.text.is_empty() && self.compare(data).is_ok();
        if is_match && !self.is_settled {
            self.settle(data);
        }
        is_match
    }

    /// Few of the values do differ. Those that are the same in the first match are a part of what is compared from then on.
    #[cold]
    fn settle(&mut self, data: &[u8]) {
        self.is_settled = true;
        let text = &self.text;
        let mut cursor = Cursor::new(data);
        let mut start = 0;
        self.values.retain(|value| {
            cursor.at += value.start - start;
            start = value.end;
            let value_start = cursor.at;
            let is_read = cursor.skip().is_ok();
            let is_same = is_read && text.get(value.start..value.end) == data.get(value_start..cursor.at);
            !is_same
        });
    }

    #[inline]
    fn compare(&self, data: &[u8]) -> Result<()> {
        let mut cursor = Cursor::new(data);
        let mut start = 0;
        for value in &self.values {
            cursor.same(&self.text[start..value.start])?;
            match value.kind {
                Kind::String => cursor.skip_text()?,
                Kind::Number => cursor.skip_number()?,
                Kind::Filled if cursor.text()?.is_empty() => return Err(NotJson),
                Kind::Filled => {}
            }
            start = value.end;
        }
        if cursor.rest() == &self.text[start..] { Ok(()) } else { Err(NotJson) }
    }
}

impl Cursor<'_> {
    /// Notes that no more is read of the value that ends here than its kind says.
    #[inline]
    pub(super) fn note_unread(&mut self, start: usize, kind: Kind) {
        if let Some(unread) = &mut self.unread
            && unread.len() < MAX_VALUES
        {
            unread.push(Unread { start, end: self.at, kind });
        }
    }

    /// Notes that no more is read of the text that ends here than that it is not empty.
    #[inline]
    pub(crate) fn note_filled(&mut self, text: super::Text<'_>) {
        self.note_unread(self.at - text.as_written().len() - 2, Kind::Filled);
    }

    #[inline]
    fn same(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.rest().starts_with(bytes) {
            return Err(NotJson);
        }
        self.at += bytes.len();
        Ok(())
    }
}
