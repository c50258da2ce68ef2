//! Strings.

use std::borrow::Cow;

use memchr::memchr;

use super::block::{BLOCK, Block};
use super::error::{NotJson, Result};

/// A string, as it is written. It can be decoded: it is UTF-8, and its surrogates come in pairs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Text<'a> {
    /// Without the quotes.
    written: &'a [u8],
}

impl<'a> Text<'a> {
    /// Of ASCII without escapes.
    pub(super) const fn plain(written: &'a [u8]) -> Self {
        Self { written }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    pub(crate) fn has_escapes(&self) -> bool {
        memchr(b'\\', self.written).is_some()
    }

    /// The bytes between the quotes, which are the text if it [has no escapes](Self::has_escapes).
    pub(crate) const fn as_written(&self) -> &'a [u8] {
        self.written
    }

    /// Copies only what is written with escapes.
    pub(crate) fn decode(&self) -> Cow<'a, str> {
        if self.has_escapes() {
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
    surrogates: bool,
    non_ascii: bool,
}

/// The string that begins here with its quote, and what is behind it: if it is of ASCII without escapes and shorter than a block,
/// as most are. Inlined wherever it stands: it costs as much as a call.
#[inline(always)]
pub(super) fn split_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = bytes.first_chunk::<{ BLOCK + 2 }>()?;
    let end = short_end(start);
    if start[0] == b'"' && start[end] == b'"' { Some((&bytes[1..end], &bytes[end + 1..])) } else { None }
}

/// The same of a field's name, and what is behind the colon that follows it.
#[inline(always)]
pub(super) fn split_short_name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = bytes.first_chunk::<{ BLOCK + 3 }>()?;
    let end = short_end(start);
    let is_name = start[0] == b'"' && start[end..end + 2] == *b"\":";
    if is_name { Some((&bytes[1..end], &bytes[end + 2..])) } else { None }
}

/// Where the quote stands if these bytes are a short string.
#[inline(always)]
fn short_end<const LENGTH: usize>(start: &[u8; LENGTH]) -> usize {
    let block = start[1..].first_chunk().copied().unwrap_or_default();
    1 + plain_in_block(block).trailing_ones() as usize % BLOCK
}

/// The bytes behind the string that begins here with its quote.
#[inline]
pub(super) fn behind_text<'a>(bytes: &'a [u8], has_non_ascii: &mut bool) -> Result<&'a [u8]> {
    match split_short(bytes) {
        Some((_, behind)) => Ok(behind),
        None => behind_any_text(bytes, has_non_ascii),
    }
}

#[inline(never)]
fn behind_any_text<'a>(bytes: &'a [u8], has_non_ascii: &mut bool) -> Result<&'a [u8]> {
    let end = plain_end(bytes);
    match bytes.get(end..) {
        Some([b'"', behind @ ..]) if end > 0 => Ok(behind),
        _ => behind_written(bytes, end, has_non_ascii),
    }
}

#[inline(never)]
fn behind_written<'a>(bytes: &'a [u8], plain_end: usize, has_non_ascii: &mut bool) -> Result<&'a [u8]> {
    let (_, behind, seen) = split_written(bytes, plain_end)?;
    *has_non_ascii |= seen.non_ascii;
    Ok(behind)
}

/// The string that begins here with its quote, and what is behind it: if it is of ASCII without escapes, of any length.
#[inline]
pub(super) fn split_plain(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match bytes.split_at_checked(plain_end(bytes)) {
        Some(([_, text @ ..], [b'"', behind @ ..])) => Some((text, behind)),
        _ => None,
    }
}

/// Any string that begins here with its quote, and what is behind it. Unlike one that is passed over, it must be UTF-8 without
/// lone surrogates.
#[inline(never)]
pub(super) fn split_text<'a>(bytes: &'a [u8], has_non_ascii: &mut bool) -> Result<(Text<'a>, &'a [u8])> {
    let (written, behind, seen) = split_written(bytes, plain_end(bytes))?;
    *has_non_ascii |= seen.non_ascii;
    let is_paired = !seen.surrogates || unescape(written).is_ok();
    let is_utf8 = !seen.non_ascii || str::from_utf8(written).is_ok();
    if is_paired && is_utf8 { Ok((Text { written }, behind)) } else { Err(NotJson) }
}

/// Where the plain beginning of the string ends that begins here with its quote, or a byte of it: all before that index are ASCII
/// characters standing for themselves. 0: no string begins here.
#[inline]
fn plain_end(bytes: &[u8]) -> usize {
    let [b'"', text @ ..] = bytes else { return 0 };
    let Some(last) = text.last_chunk() else { return 1 + plain_in_last(text) };
    let all = text.as_chunks().0;
    let mut blocks = all.iter();
    while let Some(two) = blocks.next() {
        let plain = plain_in_two(*two);
        if plain != u32::MAX {
            let before = all.len() - blocks.len() - 1;
            return 1 + before * 2 * BLOCK + plain.trailing_ones() as usize;
        }
    }
    // What it has of the two before is plain.
    bytes.len() - 2 * BLOCK + plain_in_two(*last).trailing_ones() as usize
}

/// How many of the last bytes of a JSON text, which are no two blocks, are such characters before the first that is none. By two
/// halves that overlap.
#[inline]
fn plain_in_last(bytes: &[u8]) -> usize {
    let (plain, half) = if let (Some(first), Some(last)) = (bytes.first_chunk::<BLOCK>(), bytes.last_chunk())
    {
        (plain_in_two(joined(first, last)), BLOCK)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<{ BLOCK / 2 }>(), bytes.last_chunk()) {
        (plain_in_block(joined(first, last)), BLOCK / 2)
    } else {
        return 0;
    };
    let plain = plain.trailing_ones() as usize;
    if plain < half { plain } else { plain + bytes.len() - 2 * half }
}

#[inline]
fn joined<const HALF: usize, const WHOLE: usize>(first: &[u8; HALF], last: &[u8; HALF]) -> [u8; WHOLE] {
    let mut whole = [0; WHOLE];
    whole[..HALF].copy_from_slice(first);
    whole[HALF..].copy_from_slice(last);
    whole
}

/// A bit for each byte that is an ASCII character standing for itself.
#[inline]
fn plain_in_two(blocks: [u8; 2 * BLOCK]) -> u32 {
    let [first, second] = blocks.as_chunks().0 else { return 0 };
    plain_in_block(*first) | plain_in_block(*second) << BLOCK
}

/// The same of one block.
#[inline]
fn plain_in_block(block: [u8; BLOCK]) -> u32 {
    let block = Block::new(&block);
    // The bit that a quote has and a space lacks brings the quote to the bytes below the space, and of those each to another.
    // As signed numbers, what is not ASCII is below them all.
    let plain = block.flip(b'"' ^ b' ').above(b' ');
    plain.without(block.equal(b'\\')).high_bits()
}

/// Any string that begins here with its quote, and what is behind it.
fn split_written(bytes: &[u8], plain_end: usize) -> Result<(&[u8], &[u8], Traits)> {
    if plain_end == 0 {
        return Err(NotJson);
    }
    let mut seen = Traits::default();
    let mut start = plain_end;
    loop {
        let block = Block::new(&block_at(bytes, start));
        let non_ascii = block.high_bits();
        let special = block.equal(b'"') | block.equal(b'\\');
        let mut special = special.high_bits() | block.below(b' ').high_bits() & !non_ascii;
        let mut next = start + BLOCK;
        while special != 0 {
            let in_block = special.trailing_zeros();
            let at = start + in_block as usize;
            match bytes.get(at) {
                Some(b'"') => {
                    seen.non_ascii |= non_ascii & ((1 << in_block) - 1) != 0;
                    return Ok((&bytes[1..at], &bytes[at + 1..], seen));
                }
                Some(b'\\') => {
                    let behind = at + escape_length(&bytes[at..], &mut seen)?;
                    if behind >= next {
                        next = behind;
                        break;
                    }
                    special &= u32::MAX << (behind - start);
                }
                _ => return Err(NotJson),
            }
        }
        seen.non_ascii |= non_ascii != 0;
        start = next;
    }
}

/// Behind the end are zeros, which no string may have.
#[inline]
fn block_at(bytes: &[u8], at: usize) -> [u8; BLOCK] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| last_block(rest))
}

#[cold]
#[inline(never)]
fn last_block(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..bytes.len()].copy_from_slice(bytes);
    block
}

/// Of the escape that begins here, in bytes.
#[inline]
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
