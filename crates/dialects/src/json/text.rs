//! Strings.

use std::borrow::Cow;

use super::{
    block::{BLOCK, Block},
    error::{NotJson, Result},
};

/// A string, as it is written. It can be decoded: it is UTF-8, and its surrogates come in pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// Without the quotes.
    written: &'a [u8],
    has_escapes: bool,
}

impl<'a> Text<'a> {
    /// Of ASCII without escapes.
    pub(super) const fn plain(written: &'a [u8]) -> Self {
        Self { written, has_escapes: false }
    }

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
            Cow::Borrowed(str::from_utf8(self.written).unwrap_or_default())
        }
    }
}

#[cold]
fn unescape(written: &[u8]) -> serde_json::Result<String> {
    serde_json::from_slice(&[b"\"", written, b"\""].concat())
}

/// What a string has beside plain ASCII.
#[derive(Clone, Copy, Default)]
struct Traits {
    escapes: bool,
    surrogates: bool,
    non_ascii: bool,
}

/// The index of the quote that ends the string whose first byte is at `start`.
#[inline]
pub(super) fn text_end(data: &[u8], start: usize) -> Result<usize> {
    let end = plain_end(data, start);
    if data.get(end) == Some(&b'"') { Ok(end) } else { any_end(data, end).map(|(end, _)| end) }
}

/// The same of a string that has to be UTF-8 without lone surrogates, and not empty.
#[inline]
pub(super) fn filled_text_end(data: &[u8], start: usize) -> Result<usize> {
    let end = plain_end(data, start);
    match data.get(end) {
        Some(b'"') if end > start => Ok(end),
        Some(b'"') => Err(NotJson),
        _ => text_with_more(data, start, end).map(|(_, end)| end),
    }
}

/// The string whose first byte is at `start`, which is plain up to a byte before its end, and the index of the quote that ends it.
/// Unlike one that is passed over, it must be UTF-8 without lone surrogates.
pub(super) fn text_with_more(data: &[u8], start: usize, plain_end: usize) -> Result<(Text<'_>, usize)> {
    let (end, seen) = any_end(data, plain_end)?;
    let text = Text { written: &data[start..end], has_escapes: seen.escapes };
    let is_paired = !seen.surrogates || unescape(text.written).is_ok();
    let is_utf8 = !seen.non_ascii || str::from_utf8(text.written).is_ok();
    if is_paired && is_utf8 { Ok((text, end)) } else { Err(NotJson) }
}

/// The index of the first byte from `at` on that is no ASCII character standing for itself: most strings have none before the
/// quote that ends them.
#[inline]
pub(super) fn plain_end(data: &[u8], start: usize) -> usize {
    let (blocks, last) = data.get(start..).unwrap_or_default().as_chunks();
    let mut at = start;
    for block in blocks {
        let special = more_than_plain(Block::new(block));
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    at + last_plain_end(last)
}

/// A bit for each byte that is no ASCII character standing for itself.
#[inline]
fn more_than_plain(block: Block) -> u32 {
    (special_bytes(block) | block.below(b' ')).high_bits()
}

/// The same index in the last bytes of a text, which are no block.
#[cold]
#[inline(never)]
fn last_plain_end(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'\x7f') && !matches!(byte, b'"' | b'\\');
    bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len())
}

/// The index of the quote that ends a string, from some byte of it on.
#[inline(never)]
fn any_end(data: &[u8], mut at: usize) -> Result<(usize, Traits)> {
    let mut seen = Traits::default();
    loop {
        let block = block_at(data, at);
        let non_ascii = block.high_bits();
        let special = special_bytes(block).high_bits() | block.below(b' ').high_bits() & !non_ascii;
        if special == 0 {
            seen.non_ascii |= non_ascii != 0;
            at += BLOCK;
            continue;
        }
        // Of those before the first special byte.
        seen.non_ascii |= non_ascii & (special ^ (special - 1)) != 0;
        at += special.trailing_zeros() as usize;
        match data.get(at) {
            Some(b'"') => return Ok((at, seen)),
            Some(b'\\') => {
                seen.escapes = true;
                at += escape_length(&data[at..], &mut seen)?;
            }
            _ => return Err(NotJson),
        }
    }
}

/// Behind the end are zeros, which no string may have.
#[inline]
fn block_at(data: &[u8], at: usize) -> Block {
    match data.get(at..).and_then(<[u8]>::first_chunk) {
        Some(block) => Block::new(block),
        None => Block::new(&last_block(data, at)),
    }
}

#[cold]
#[inline(never)]
fn last_block(data: &[u8], at: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    for (to, byte) in block.iter_mut().zip(data.get(at..).unwrap_or_default()) {
        *to = *byte;
    }
    block
}

/// Those that are a quote or a backslash.
#[inline]
fn special_bytes(block: Block) -> Block {
    block.equal(b'"') | block.equal(b'\\')
}

/// Of the escape that begins here, in bytes.
fn escape_length(escape: &[u8], seen: &mut Traits) -> Result<usize> {
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
