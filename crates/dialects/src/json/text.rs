//! Strings.

use std::borrow::Cow;

use super::{Cursor, NotJson, Result};

/// A string, as it is written. It can be decoded: it is UTF-8, and its surrogates come in pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// Quotes included.
    quoted: &'a [u8],
    has_escapes: bool,
}

impl<'a> Text<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.quoted.len() == 2
    }

    pub(crate) const fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// The bytes between the quotes, which are the text if it [has no escapes](Self::has_escapes).
    #[inline]
    pub(crate) fn as_written(&self) -> &'a [u8] {
        &self.quoted[1..self.quoted.len() - 1]
    }

    /// Copies only what is written with escapes.
    pub(crate) fn decode(&self) -> Cow<'a, str> {
        if self.has_escapes {
            Cow::Owned(serde_json::from_slice(self.quoted).unwrap_or_default())
        } else {
            String::from_utf8_lossy(self.as_written())
        }
    }
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
        let start = self.at_quote()?;
        let seen = self.string()?;
        let text = Text { quoted: &self.data[start..self.at], has_escapes: seen.escapes };
        if seen.non_ascii || seen.surrogates {
            check_characters(text, seen)?;
        }
        Ok(text)
    }

    #[inline]
    pub(super) fn skip_text(&mut self) -> Result<()> {
        self.at_quote()?;
        self.string().map(|_| ())
    }

    #[inline]
    fn at_quote(&mut self) -> Result<usize> {
        if self.peek() == b'"' { Ok(self.at) } else { Err(NotJson) }
    }

    /// Goes behind the string that begins here.
    #[inline]
    fn string(&mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut bits = 0;
        let mut at = self.at + 1;
        loop {
            let word = word_at(self.data, at);
            let special = special_bytes(word);
            if special == 0 {
                bits |= word;
                at += 8;
                continue;
            }
            // Those before the first special byte.
            bits |= word & (special ^ (special - 1));
            at += special.trailing_zeros() as usize / 8;
            match self.data.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    seen.escapes = true;
                    at += escape_length(&self.data[at..], &mut seen)?;
                }
                _ => return Err(NotJson),
            }
        }
        seen.non_ascii = bits & HIGH_BITS != 0;
        self.at = at + 1;
        Ok(seen)
    }
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

/// The high bit of each byte that is a quote, a backslash or a control character. Only the lowest one is sure: a borrow goes
/// upwards from it.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    let quotes = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let controls = word.wrapping_sub(ONES * b' ' as u64);
    (quotes | backslashes | controls) & !word & HIGH_BITS
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
    let is_paired = !seen.surrogates || serde_json::from_slice::<String>(text.quoted).is_ok();
    if is_paired && str::from_utf8(text.quoted).is_ok() { Ok(()) } else { Err(NotJson) }
}
