//! The cursor, which knows the structure of JSON.

use super::error::{NotJson, Result};
use super::number::{Number, behind_number, split_number};
use super::skip::{behind_literal, behind_nested, trim_any};
use super::text::{Text, behind_text, split_plain, split_short, split_short_name, split_text};
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
    /// What is behind this place.
    remaining: &'a [u8],
    /// Of the whole text, in bytes.
    length: usize,
    /// The levels around this place that are looked into.
    depth: usize,
    /// The most levels of a value that is passed over, those around it included.
    max_skipped_depth: usize,
    /// A string so far has bytes that are not ASCII.
    has_non_ascii: bool,
    /// The values of which little was read, where that is asked for.
    unread: Option<Vec<Unread>>,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self {
            remaining: data,
            length: data.len(),
            depth: 0,
            max_skipped_depth: usize::MAX,
            has_non_ascii: false,
            unread: None,
        }
    }

    /// The same, also refusing what is nested deeper than [`MAX_DEPTH`] in values that are passed over.
    pub(crate) const fn with_bounded_depth(data: &'a [u8]) -> Self {
        let mut cursor = Self::new(data);
        cursor.max_skipped_depth = MAX_DEPTH;
        cursor
    }

    /// The same as [`Cursor::new`], which also notes the values of which little is read.
    pub(super) fn noting_unread(data: &'a [u8], unread: Vec<Unread>) -> Self {
        let mut cursor = Self::new(data);
        cursor.unread = Some(unread);
        cursor
    }

    /// What was noted.
    pub(super) fn into_unread(self) -> Vec<Unread> {
        self.unread.unwrap_or_default()
    }

    /// The next byte that is no white space, 0 at the end: by it a value is of one type or no value.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        match self.remaining {
            [byte, ..] if *byte > b' ' => *byte,
            _ => self.peek_behind_whitespace(),
        }
    }

    #[inline(never)]
    fn peek_behind_whitespace(&mut self) -> u8 {
        self.remaining = trim_any(self.remaining);
        self.remaining.first().copied().unwrap_or_default()
    }

    /// Passes over this byte; false: it is not the next one that is no white space.
    #[inline]
    fn passes(&mut self, byte: u8) -> bool {
        match self.remaining {
            [first, rest @ ..] if *first == byte => {
                self.remaining = rest;
                true
            }
            [b'!'..=u8::MAX, ..] => false,
            _ => self.passes_behind_whitespace(byte),
        }
    }

    #[inline(never)]
    fn passes_behind_whitespace(&mut self, byte: u8) -> bool {
        self.remaining = trim_any(self.remaining);
        let Some(rest) = self.remaining.strip_prefix(&[byte]) else { return false };
        self.remaining = rest;
        true
    }

    /// Only white space may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.peek();
        if self.remaining.is_empty() { Ok(()) } else { Err(NotJson) }
    }

    /// Whether all that was read is ASCII.
    pub(crate) const fn is_ascii(&self) -> bool {
        !self.has_non_ascii
    }

    /// Reads the fields of the object that begins here. `field` gets each name and must read its value.
    #[inline]
    pub(crate) fn object(&mut self, mut field: impl FnMut(&[u8], &mut Self) -> Result<()>) -> Result<()> {
        self.open(b'{')?;
        if !self.remaining.starts_with(b"\"") && self.passes(b'}') {
            return self.close();
        }
        let mut decoded = Vec::new();
        loop {
            let name = match self.short_name() {
                Some(name) => name,
                None => self.any_name(&mut decoded)?,
            };
            field(name, self)?;
            if self.goes_on(b'}')? {
                continue;
            }
            return self.close();
        }
    }

    /// Reads a field's name and its colon, if nothing is around them and the name is short and plain, as nearly all are.
    #[inline(always)]
    fn short_name(&mut self) -> Option<&'a [u8]> {
        let (name, rest) = split_short_name(self.remaining)?;
        self.remaining = rest;
        Some(name)
    }

    /// The same of any name. `decoded` is where one with escapes is written.
    #[inline(never)]
    fn any_name<'n>(&mut self, decoded: &'n mut Vec<u8>) -> Result<&'n [u8]>
    where
        'a: 'n,
    {
        self.peek();
        if let Some(name) = self.short_name() {
            self.peek();
            return Ok(name);
        }
        if let Some((name, rest)) = split_plain(self.remaining) {
            self.remaining = rest;
            if !self.passes(b':') {
                return Err(NotJson);
            }
            self.peek();
            return Ok(name);
        }
        self.written_name(decoded)
    }

    /// The same of one that is not plain.
    #[inline(never)]
    fn written_name<'n>(&mut self, decoded: &'n mut Vec<u8>) -> Result<&'n [u8]>
    where
        'a: 'n,
    {
        let name = self.any_text()?;
        if !self.passes(b':') {
            return Err(NotJson);
        }
        if !name.has_escapes() {
            return Ok(name.as_written());
        }
        *decoded = name.decode().into_owned().into_bytes();
        Ok(decoded)
    }

    /// Passes over the fields of the object that begins here, but reads their names. Here once, and not in each reader.
    #[inline(never)]
    pub(crate) fn skip_fields(&mut self) -> Result<()> {
        self.object(|_, value| value.skip())
    }

    /// Passes over the items of the array that begins here.
    #[inline(never)]
    pub(crate) fn skip_items(&mut self) -> Result<()> {
        self.array(Self::skip)
    }

    /// Reads the items of the array that begins here. `item` must read one.
    #[inline]
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.open(b'[')?;
        if self.passes(b']') {
            return self.close();
        }
        loop {
            item(self)?;
            if self.goes_on(b']')? {
                continue;
            }
            return self.close();
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
        self.remaining = behind_literal(self.remaining)?;
        Ok(literal)
    }

    /// Passes over a value.
    #[inline(never)]
    pub(crate) fn skip(&mut self) -> Result<()> {
        if self.unread.is_some() {
            return self.skip_noting();
        }
        if let Some((_, rest)) = split_short(self.remaining) {
            self.remaining = rest;
            return Ok(());
        }
        self.skip_any()
    }

    /// The same of one that is no short string, or has white space ahead.
    #[inline(never)]
    fn skip_any(&mut self) -> Result<()> {
        self.remaining = match self.peek() {
            b'"' => behind_text(self.remaining, &mut self.has_non_ascii)?,
            b'{' | b'[' => self.behind_nested()?,
            b'-' | b'0'..=b'9' => behind_number(self.remaining)?,
            _ => behind_literal(self.remaining)?,
        };
        Ok(())
    }

    /// The bytes behind the array or object that begins here.
    #[inline(never)]
    fn behind_nested(&mut self) -> Result<&'a [u8]> {
        let max_depth = self.max_skipped_depth.saturating_sub(self.depth);
        behind_nested(self.remaining, max_depth, &mut Vec::new(), &mut self.has_non_ascii)
    }

    /// The same, where it is noted.
    #[inline(never)]
    fn skip_noting(&mut self) -> Result<()> {
        let byte = self.peek();
        let start = self.at();
        let unread = self.unread.take();
        let skipped = self.skip();
        self.unread = unread;
        match byte {
            b'"' => self.note_unread(start, Kind::String),
            b'-' | b'0'..=b'9' => self.note_unread(start, Kind::Number),
            _ => {}
        }
        skipped
    }

    /// The bytes of a value that is passed over.
    pub(crate) fn skip_raw(&mut self) -> Result<&'a [u8]> {
        self.peek();
        let value = self.remaining;
        self.skip()?;
        Ok(&value[..value.len() - self.remaining.len()])
    }

    /// The bytes of a value that is passed over, and the text that it is: if it is short and plain.
    pub(crate) fn skip_raw_and_short(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>)> {
        let value = self.remaining;
        match self.short_text() {
            Some(text) => Ok((&value[..text.len() + 2], Some(text))),
            None => self.skip_raw().map(|raw| (raw, None)),
        }
    }

    /// Reads a string. Unlike one that is passed over, it must be UTF-8 without lone surrogates.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>> {
        match self.short_text() {
            Some(written) => Ok(Text::plain(written)),
            None => self.any_text(),
        }
    }

    /// The same of one with no white space ahead that is short and plain, as most are.
    #[inline(always)]
    fn short_text(&mut self) -> Option<&'a [u8]> {
        let (written, rest) = split_short(self.remaining)?;
        self.remaining = rest;
        Some(written)
    }

    /// The same of any string.
    #[inline(never)]
    fn any_text(&mut self) -> Result<Text<'a>> {
        self.peek();
        if let Some((text, rest)) = split_plain(self.remaining) {
            self.remaining = rest;
            return Ok(Text::plain(text));
        }
        self.written_text()
    }

    /// The same of one that is not plain.
    #[inline(never)]
    fn written_text(&mut self) -> Result<Text<'a>> {
        self.peek();
        let (text, rest) = split_text(self.remaining, &mut self.has_non_ascii)?;
        self.remaining = rest;
        Ok(text)
    }

    /// Reads a number. One that no `f64` can hold is refused.
    pub(crate) fn number(&mut self) -> Result<Number> {
        self.peek();
        let (number, rest) = split_number(self.remaining)?;
        self.remaining = rest;
        Ok(number)
    }

    /// The index of this place in the text.
    #[inline]
    const fn at(&self) -> usize {
        self.length - self.remaining.len()
    }

    /// Notes that no more is read of the value that ends here than its kind says.
    #[inline]
    fn note_unread(&mut self, start: usize, kind: Kind) {
        if self.unread.is_some() {
            self.push_unread(start, kind);
        }
    }

    #[inline(never)]
    fn push_unread(&mut self, start: usize, kind: Kind) {
        let end = self.at();
        if let Some(unread) = &mut self.unread
            && unread.len() < MAX_VALUES
        {
            unread.push(Unread { start, end, kind });
        }
    }

    /// Notes that no more is read of the text that ends here than that it is not empty.
    #[inline]
    pub(crate) fn note_filled(&mut self, text: Text<'_>) {
        self.note_unread(self.at() - text.as_written().len() - 2, Kind::Filled);
    }

    /// Whether a comma follows, and not the closing bracket.
    #[inline]
    fn goes_on(&mut self, bracket: u8) -> Result<bool> {
        if self.passes(b',') {
            Ok(true)
        } else if self.passes(bracket) {
            Ok(false)
        } else {
            Err(NotJson)
        }
    }

    #[inline]
    fn open(&mut self, bracket: u8) -> Result<()> {
        if !self.passes(bracket) {
            return Err(NotJson);
        }
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn close(&mut self) -> Result<()> {
        self.depth -= 1;
        Ok(())
    }
}
