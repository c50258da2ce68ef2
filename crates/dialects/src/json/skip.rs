//! Passing over values, by what is behind them.

use super::block::{BLOCK, Block};
use super::error::{NotJson, Result};
use super::nesting::Nesting;
use super::number::behind_number;
use super::text::{behind_text, split_short_name};

/// These bytes without the white space that they begin with.
#[inline]
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    match bytes {
        [byte, ..] if *byte > b' ' => bytes,
        _ => trim_any(bytes),
    }
}

/// The same of bytes that begin with some.
#[inline(never)]
pub(super) fn trim_any(mut bytes: &[u8]) -> &[u8] {
    // Nearly always it is a space, or a line end and spaces.
    if let [b' ' | b'\n', behind @ ..] = bytes {
        bytes = match behind.first_chunk() {
            Some(block) if behind[0] == b' ' => &behind[spaces(*block)..],
            _ => behind,
        };
    }
    while let [b' ' | b'\n' | b'\r' | b'\t', behind @ ..] = bytes {
        bytes = behind;
    }
    bytes
}

/// How many spaces a block begins with.
#[inline]
fn spaces(block: [u8; BLOCK]) -> usize {
    Block::new(&block).equal(b' ').high_bits().trailing_ones() as usize
}

/// The bytes behind the `true`, `false` or `null` that begins here.
#[inline]
pub(super) fn behind_literal(bytes: &[u8]) -> Result<&[u8]> {
    let Some((start, behind)) = bytes.split_first_chunk() else { return Err(NotJson) };
    if *start == *b"null" || *start == *b"true" {
        return Ok(behind);
    }
    match behind {
        [b'e', behind @ ..] if *start == *b"fals" => Ok(behind),
        _ => Err(NotJson),
    }
}

/// The bytes behind the array or object that begins here, of at most so many levels. Not by recursion, since there may be no bound
/// to the depth of what is passed over.
#[inline(never)]
pub(super) fn behind_nested<'a>(
    mut bytes: &'a [u8],
    max_depth: usize,
    outer: &mut Vec<u64>,
    has_non_ascii: &mut bool,
) -> Result<&'a [u8]> {
    let mut nesting = Nesting::new(outer);
    loop {
        if nesting.is_object() {
            bytes = behind_name(bytes, has_non_ascii)?;
        }
        bytes = trim(bytes);
        bytes = match bytes {
            [b'"', ..] => behind_text(bytes, has_non_ascii)?,
            [bracket @ (b'{' | b'['), inner @ ..] => {
                let is_object = *bracket == b'{';
                nesting.open(is_object);
                if nesting.depth() > max_depth {
                    return Err(NotJson);
                }
                bytes = trim(inner);
                if bytes.first() != Some(&closing_bracket(is_object)) {
                    continue;
                }
                bytes
            }
            [b'-' | b'0'..=b'9', ..] => behind_number(bytes)?,
            _ => behind_literal(bytes)?,
        };
        loop {
            if let [b',', behind @ ..] = bytes {
                bytes = behind;
                break;
            }
            let [byte, behind @ ..] = trim(bytes) else { return Err(NotJson) };
            bytes = behind;
            if *byte == b',' {
                break;
            }
            if *byte != closing_bracket(nesting.is_object()) {
                return Err(NotJson);
            }
            if !nesting.close() {
                return Ok(bytes);
            }
        }
    }
}

/// The bytes behind a field's name and its colon.
#[inline]
fn behind_name<'a>(bytes: &'a [u8], has_non_ascii: &mut bool) -> Result<&'a [u8]> {
    match split_short_name(bytes) {
        Some((_, behind)) => Ok(behind),
        None => behind_any_name(bytes, has_non_ascii),
    }
}

#[inline(never)]
fn behind_any_name<'a>(bytes: &'a [u8], has_non_ascii: &mut bool) -> Result<&'a [u8]> {
    match trim(behind_text(trim(bytes), has_non_ascii)?) {
        [b':', behind @ ..] => Ok(behind),
        _ => Err(NotJson),
    }
}

#[inline]
const fn closing_bracket(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}
