//! Texts that differ only where nobody looks.
//!
//! Nearly every event of a stream is the one before it with other words: the same names in the same order, the same id and
//! model, and a text of which its reader asked no more than whether it is empty. To read the first of them is to know what the
//! others mean, so these are only compared.

use super::cursor::{Cursor, read_with};
use super::error::{NotJson, Result};
use super::unread::{Kind, Unread};

/// The longest text that is kept, in bytes.
const MAX_BYTES: usize = 4 * 1024;

/// A JSON text that was read, and its values that may be others without any reader noticing.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    text: Vec<u8>,
    values: Vec<Unread>,
    /// Another text has matched.
    has_matched: bool,
}

impl Pattern {
    /// Reads a text like [`read`](super::read), and keeps it as the pattern.
    pub(crate) fn read<'a, T>(
        &mut self,
        data: &'a [u8],
        value: impl FnOnce(&mut Cursor<'a>) -> Result<T>,
    ) -> Result<T> {
        self.clear();
        let mut cursor = Cursor::noting_unread(data, std::mem::take(&mut self.values));
        let read = read_with(&mut cursor, value)?;
        if data.len() <= MAX_BYTES {
            self.text.extend_from_slice(data);
        }
        self.values = cursor.into_unread();
        Ok(read)
    }

    /// Nothing matches.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
        self.has_matched = false;
    }

    /// Whether whoever has read the pattern would read the same here. It then is JSON, too.
    pub(crate) fn matches(&mut self, data: &[u8]) -> bool {
        let is_match = !self.text.is_empty() && self.compare(data).is_ok();
        if is_match && !self.has_matched {
            self.keep_different_values(data);
        }
        is_match
    }

    /// Few of the values do differ. Those that are the same in the first match are a part of what is compared from then on.
    #[cold]
    fn keep_different_values(&mut self, data: &[u8]) {
        self.has_matched = true;
        let text = &self.text;
        let mut cursor = Cursor::new(data);
        let mut start = 0;
        self.values.retain(|value| {
            let before = text.get(start..value.start).unwrap_or_default();
            start = value.end;
            let other = cursor.expect_bytes(before).and_then(|()| cursor.skip_raw());
            other.ok() != text.get(value.start..value.end)
        });
    }

    #[inline]
    fn compare(&self, data: &[u8]) -> Result<()> {
        let mut cursor = Cursor::new(data);
        let mut start = 0;
        for value in &self.values {
            cursor.expect_bytes(&self.text[start..value.start])?;
            match value.kind {
                Kind::String => cursor.skip_text()?,
                Kind::Number => cursor.skip_number()?,
                Kind::Filled if cursor.text()?.is_empty() => return Err(NotJson),
                Kind::Filled => {}
            }
            start = value.end;
        }
        cursor.expect_bytes(&self.text[start..])?;
        if cursor.position() == data.len() { Ok(()) } else { Err(NotJson) }
    }
}
