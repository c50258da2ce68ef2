//! Strings.

use std::borrow::Cow;

use super::{Cursor, NotJson, Result};

/// A string, as it is written. It can be decoded: it is UTF-8, and its surrogates come in pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// Without the quotes.
    written: &'a [u8],
    has_escapes: bool,
}

impl<'a> Text<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    pub(crate) const fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// The bytes between the quotes, which are the text if it [has no escapes](Self::has_escapes).
    pub(crate) const fn as_written(&self) -> &'a [u8] {
        self.written
    }

    /// Copies only what is written with escapes.
    pub(crate) fn decode(&self) -> Cow<'a, str> {
        if self.has_escapes {
            Cow::Owned(unescape(self.written).unwrap_or_default())
        } else {
            String::from_utf8_lossy(self.written)
        }
    }
}

#[cold]
fn unescape(written: &[u8]) -> serde_json::Result<String> {
    serde_json::from_slice(&[b"\"", written, b"\""].concat())
}

/// What a string was seen to have.
#[derive(Clone, Copy, Default)]
struct Seen {
    escapes: bool,
    surrogates: bool,
    non_ascii: bool,
}

impl<'a> Cursor<'a> {
    /// Reads a string. Unlike one that is passed over, it must be UTF-8 without lone surrogates.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>> {
        let start = self.behind_quote()?;
        let (end, seen) = string_end(self.data, start)?;
        self.at = end + 1;
        let text = Text { written: &self.data[start..end], has_escapes: seen.escapes };
        if seen.non_ascii || seen.surrogates {
            check_characters(text, seen)?;
        }
        Ok(text)
    }

    #[inline]
    pub(super) fn skip_text(&mut self) -> Result<()> {
        let start = self.behind_quote()?;
        let (end, _) = string_end(self.data, start)?;
        self.at = end + 1;
        Ok(())
    }

    #[inline]
    fn behind_quote(&mut self) -> Result<usize> {
        if self.peek() == b'"' { Ok(self.at + 1) } else { Err(NotJson) }
    }
}

/// The index of the quote that ends the string whose first byte is at `at`.
#[inline]
fn string_end(data: &[u8], mut at: usize) -> Result<(usize, Seen)> {
    // Most strings are nothing but plain ASCII.
    loop {
        let word = word_at(data, at);
        let special = (special_bytes(word) | word) & HIGH_BITS;
        if special != 0 {
            at += special.trailing_zeros() as usize / 8;
            break;
        }
        at += 8;
    }
    if data.get(at) == Some(&b'"') { Ok((at, Seen::default())) } else { end_of_any_string(data, at) }
}

#[inline(never)]
fn end_of_any_string(data: &[u8], mut at: usize) -> Result<(usize, Seen)> {
    let mut seen = Seen::default();
    let mut bits = 0;
    loop {
        let word = word_at(data, at);
        let special = special_bytes(word) & !word & HIGH_BITS;
        if special == 0 {
            bits |= word;
            at += 8;
            continue;
        }
        // Those before the first special byte.
        bits |= word & (special ^ (special - 1));
        at += special.trailing_zeros() as usize / 8;
        match data.get(at) {
            Some(b'"') => break,
            Some(b'\\') => {
                seen.escapes = true;
                at += escape_length(&data[at..], &mut seen)?;
            }
            _ => return Err(NotJson),
        }
    }
    seen.non_ascii = bits & HIGH_BITS != 0;
    Ok((at, seen))
}

const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES << 7;

/// Eight bytes, the first one lowest. Behind the end are zeros, which no string may have.
#[inline]
fn word_at(data: &[u8], at: usize) -> u64 {
    match data.get(at..).and_then(<[u8]>::first_chunk) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(data, at),
    }
}

#[cold]
fn last_word(data: &[u8], at: usize) -> u64 {
    let rest = data.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Of bytes below 128, those have a high bit that are a quote, a backslash or a control character. Only the lowest one is sure: a
/// borrow goes upwards from it.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    // With its second bit turned over, a quote is what follows the control characters.
    let below = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    below | backslashes
}

/// Of the escape that begins here, in bytes.
fn escape_length(escape: &[u8], seen: &mut Seen) -> Result<usize> {
    match escape {
        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(2),
        [_, b'u', digits @ ..] => match digits.first_chunk() {
            Some(digits @ [first, second, _, _]) if digits.iter().all(u8::is_ascii_hexdigit) => {
                seen.surrogates |=
                    matches!((first, second), (b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F'));
                Ok(6)
            }
            _ => Err(NotJson),
        },
        _ => Err(NotJson),
    }
}

#[cold]
fn check_characters(text: Text<'_>, seen: Seen) -> Result<()> {
    let is_paired = !seen.surrogates || unescape(text.written).is_ok();
    if is_paired && str::from_utf8(text.written).is_ok() { Ok(()) } else { Err(NotJson) }
}
