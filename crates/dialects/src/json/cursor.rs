//! The cursor, which knows the structure of JSON.

use super::error::{NotJson, Result};
use super::number::{Number, number_end};
use super::skip::{literal_end, nested_end, token_at};
use super::text::{Text, plain_end, text_end, text_with_more};
use super::unread::{Kind, MAX_VALUES, Unread};

/// The most levels of arrays and objects that a reader looks into, the outermost included: `serde_json`'s.
pub(crate) const MAX_DEPTH: usize = 127;

/// Reads a text that holds one value and nothing else.
pub(crate) fn read<'a, T>(data: &'a [u8], value: impl FnOnce(&mut Cursor<'a>) -> Result<T>) -> Result<T> {
    read_with(&mut Cursor::new(data), value)
}

pub(super) fn read_with<'a, T>(
    cursor: &mut Cursor<'a>,
    value: impl FnOnce(&mut Cursor<'a>) -> Result<T>,
) -> Result<T> {
    let read = value(cursor)?;
    cursor.end()?;
    Ok(read)
}

/// A place in a JSON text: before a value, for whoever gets one.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    /// The levels around this place that are looked into.
    depth: usize,
    /// The most levels of a value that is passed over, those around it included.
    max_skipped_depth: usize,
    /// The values of which little was read, where that is asked for.
    unread: Option<Vec<Unread>>,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, depth: 0, max_skipped_depth: usize::MAX, unread: None }
    }

    /// The same, also refusing what is nested deeper than [`MAX_DEPTH`] in values that are passed over.
    pub(crate) const fn with_bounded_depth(data: &'a [u8]) -> Self {
        Self { data, at: 0, depth: 0, max_skipped_depth: MAX_DEPTH, unread: None }
    }

    /// The same as [`Cursor::new`], which also notes the values of which little is read.
    pub(super) const fn noting_unread(data: &'a [u8], unread: Vec<Unread>) -> Self {
        Self { data, at: 0, depth: 0, max_skipped_depth: usize::MAX, unread: Some(unread) }
    }

    /// What was noted.
    pub(super) fn into_unread(self) -> Vec<Unread> {
        self.unread.unwrap_or_default()
    }

    /// The next byte that is no white space, 0 at the end: by it a value is of one type or no value.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        let (byte, at) = token_at(self.data, self.at);
        self.at = at;
        byte
    }

    /// Only white space may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.peek();
        if self.at == self.data.len() { Ok(()) } else { Err(NotJson) }
    }

    /// Reads the fields of the object that begins here. `field` gets each name and must read its value.
    #[inline]
    pub(crate) fn object(&mut self, mut field: impl FnMut(&[u8], &mut Self) -> Result<()>) -> Result<()> {
        self.open(b'{')?;
        if self.peek() == b'}' {
            return self.close();
        }
        loop {
            let name = self.text()?;
            self.colon()?;
            let decoded;
            let name = if name.has_escapes() {
                decoded = name.decode();
                decoded.as_bytes()
            } else {
                name.as_written()
            };
            field(name, self)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => return self.close(),
                _ => return Err(NotJson),
            }
        }
    }

    /// Reads the items of the array that begins here. `item` must read one.
    #[inline]
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.open(b'[')?;
        if self.peek() == b']' {
            return self.close();
        }
        loop {
            item(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => return self.close(),
                _ => return Err(NotJson),
            }
        }
    }

    /// Reads `true`, `false` or `null`; `None`: null.
    #[inline]
    pub(crate) fn literal(&mut self) -> Result<Option<bool>> {
        let literal = match self.peek() {
            b'n' => None,
            b't' => Some(true),
            _ => Some(false),
        };
        self.at = literal_end(self.data, self.at)?;
        Ok(literal)
    }

    /// Passes over a value.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<()> {
        match self.peek() {
            b'{' | b'[' => self.skip_nested(),
            b'"' => {
                let start = self.at;
                self.skip_text()?;
                self.note_unread(start, Kind::String);
                Ok(())
            }
            b'-' | b'0'..=b'9' => {
                let start = self.at;
                self.skip_number()?;
                self.note_unread(start, Kind::Number);
                Ok(())
            }
            _ => self.literal().map(|_| ()),
        }
    }

    /// The bytes of a value that is passed over.
    pub(crate) fn skip_raw(&mut self) -> Result<&'a [u8]> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(&self.data[start..self.at])
    }

    fn skip_nested(&mut self) -> Result<()> {
        let max_depth = self.max_skipped_depth.saturating_sub(self.depth);
        self.at = nested_end(self.data, self.at, max_depth)?;
        Ok(())
    }

    /// Reads a string. Unlike one that is passed over, it must be UTF-8 without lone surrogates.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>> {
        let start = self.behind_quote()?;
        let end = plain_end(self.data, start);
        if self.data.get(end) != Some(&b'"') {
            return self.text_with_more(start, end);
        }
        self.at = end + 1;
        Ok(Text::plain(self.data.get(start..end).unwrap_or_default()))
    }

    #[inline(never)]
    fn text_with_more(&mut self, start: usize, plain_end: usize) -> Result<Text<'a>> {
        let (text, end) = text_with_more(self.data, start, plain_end)?;
        self.at = end + 1;
        Ok(text)
    }

    #[inline]
    fn skip_text(&mut self) -> Result<()> {
        self.at = text_end(self.data, self.behind_quote()?)? + 1;
        Ok(())
    }

    #[inline]
    fn behind_quote(&mut self) -> Result<usize> {
        if self.peek() == b'"' { Ok(self.at + 1) } else { Err(NotJson) }
    }

    /// Reads a number. One that no `f64` can hold is refused.
    pub(crate) fn number(&mut self) -> Result<Number> {
        self.peek();
        let start = self.at;
        self.skip_number()?;
        Number::of(&self.data[start..self.at]).ok_or(NotJson)
    }

    #[inline]
    fn skip_number(&mut self) -> Result<()> {
        self.at = number_end(self.data, self.at)?;
        Ok(())
    }

    /// Notes that no more is read of the value that ends here than its kind says.
    #[inline]
    fn note_unread(&mut self, start: usize, kind: Kind) {
        if let Some(unread) = &mut self.unread
            && unread.len() < MAX_VALUES
        {
            unread.push(Unread { start, end: self.at, kind });
        }
    }

    /// Notes that no more is read of the text that ends here than that it is not empty.
    #[inline]
    pub(crate) fn note_filled(&mut self, text: Text<'_>) {
        self.note_unread(self.at - text.as_written().len() - 2, Kind::Filled);
    }

    #[inline]
    fn colon(&mut self) -> Result<()> {
        if self.peek() != b':' {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn open(&mut self, bracket: u8) -> Result<()> {
        if self.peek() != bracket || self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.at += 1;
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn close(&mut self) -> Result<()> {
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }
}
