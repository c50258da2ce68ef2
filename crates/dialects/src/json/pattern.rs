//! Texts that differ only where nobody looks.
//!
//! Nearly every event of a stream is the one before it with other words: the same names in the same order, the same id and
//! model, and a text of which its reader asked no more than whether it is empty. To read the first of them is to know what the
//! others mean, so these are only compared.

use std::ops::Range;

use super::cursor::{Cursor, read_with};
use super::error::{NotJson, Result};
use super::unread::Unread;

/// The longest text that is kept, in bytes.
const MAX_BYTES: usize = 4 * 1024;

/// A JSON text that was read, and its values that may be others without any reader noticing.
#[derive(Debug, Default)]
pub(crate) struct Pattern {
    /// The JSON, and what stands around it where that is known.
    text: Vec<u8>,
    /// Where the JSON stands in it; empty: there is none.
    json: Range<usize>,
    /// Whether what stands around it is known.
    is_surrounded: bool,
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
            self.json = 0..data.len();
        }
        self.values = cursor.into_unread();
        Ok(read)
    }

    /// Nothing matches.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.json = 0..0;
        self.is_surrounded = false;
        self.values.clear();
        self.has_matched = false;
    }

    /// The text that was read is a part of `whole`, from `start` on. So a later one is found by [`Pattern::match_start`].
    pub(crate) fn surround(&mut self, whole: &[u8], start: usize) {
        if self.json.is_empty() || whole.len() > MAX_BYTES {
            return;
        }
        self.text.clear();
        self.text.extend_from_slice(whole);
        self.json = start..start + self.json.len();
        for value in &mut self.values {
            value.start += start;
            value.end += start;
        }
        self.is_surrounded = true;
    }

    /// Whether whoever has read the pattern would read the same here. It then is JSON, too.
    pub(crate) fn matches(&mut self, data: &[u8]) -> bool {
        if self.json.is_empty() || !self.behind_same(self.json.clone(), data).is_ok_and(<[u8]>::is_empty) {
            return false;
        }
        if !self.has_matched {
            self.keep_different_values(data, self.json.start);
        }
        true
    }

    /// The same of the beginning of these bytes, with what stands around the text: its length, if it is all there.
    #[inline]
    pub(crate) fn match_start(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.is_surrounded {
            return None;
        }
        let behind = self.behind_same(0..self.text.len(), bytes).ok()?.len();
        if !self.has_matched {
            self.keep_different_values(bytes, 0);
        }
        Some(bytes.len() - behind)
    }

    /// Few of the values do differ. Those that are the same in the first match are a part of what is compared from then on.
    /// `other` matches from `start` on.
    #[cold]
    fn keep_different_values(&mut self, other: &[u8], mut start: usize) {
        self.has_matched = true;
        let text = &self.text;
        let mut rest = other;
        self.values.retain(|value| {
            let other_value = rest.get(value.start - start..).unwrap_or_default();
            rest = value.kind.after(other_value).unwrap_or_default();
            start = value.end;
            other_value.get(..other_value.len() - rest.len()) != text.get(value.start..value.end)
        });
    }

    /// Compares this part of the text with what `bytes` begin with; what is behind that.
    #[inline]
    fn behind_same<'a>(&self, part: Range<usize>, mut bytes: &'a [u8]) -> Result<&'a [u8]> {
        let mut start = part.start;
        for value in &self.values {
            bytes = bytes.strip_prefix(&self.text[start..value.start]).ok_or(NotJson)?;
            bytes = value.kind.after(bytes)?;
            start = value.end;
        }
        bytes.strip_prefix(&self.text[start..part.end]).ok_or(NotJson)
    }
}
