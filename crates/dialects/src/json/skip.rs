//! Passing over values, by the places in their bytes.

use super::error::{NotJson, Result};
use super::nesting::Nesting;
use super::number::number_end;
use super::text::text_end;

/// The next byte that is no white space, from `at` on, and where it is; 0 at the end.
#[inline]
pub(super) fn token_at(data: &[u8], at: usize) -> (u8, usize) {
    match data.get(at) {
        Some(byte) if *byte > b' ' => (*byte, at),
        _ => token_behind_whitespace(data, at),
    }
}

#[cold]
fn token_behind_whitespace(data: &[u8], mut at: usize) -> (u8, usize) {
    while let Some(byte) = data.get(at) {
        if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return (*byte, at);
        }
        at += 1;
    }
    (0, at)
}

/// The end of the `true`, `false` or `null` that begins at `at`.
#[inline]
pub(super) fn literal_end(data: &[u8], at: usize) -> Result<usize> {
    let rest = data.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(b"null" | b"true") => Ok(at + 4),
        _ if rest.first_chunk() == Some(b"false") => Ok(at + 5),
        _ => Err(NotJson),
    }
}

/// The end of the array or object that begins at `at`, of at most so many levels. Not by recursion, since there may be no bound
/// to the depth of what is passed over.
pub(super) fn nested_end(data: &[u8], mut at: usize, max_depth: usize) -> Result<usize> {
    let mut nesting = Nesting::default();
    loop {
        if nesting.is_object() {
            at = name_end(data, at)?;
        }
        let (byte, start) = token_at(data, at);
        at = match byte {
            b'{' | b'[' => {
                let is_object = byte == b'{';
                nesting.open(is_object);
                if nesting.depth() > max_depth {
                    return Err(NotJson);
                }
                let (byte, next) = token_at(data, start + 1);
                if byte != closing_bracket(is_object) {
                    at = next;
                    continue;
                }
                next
            }
            b'"' => text_end(data, start + 1)? + 1,
            b'-' | b'0'..=b'9' => number_end(data, start)?,
            _ => literal_end(data, start)?,
        };
        loop {
            let (byte, start) = token_at(data, at);
            at = start + 1;
            if byte == b',' {
                break;
            }
            if byte != closing_bracket(nesting.is_object()) {
                return Err(NotJson);
            }
            nesting.close();
            if nesting.depth() == 0 {
                return Ok(at);
            }
        }
    }
}

/// The end of a field's name and its colon.
#[inline]
fn name_end(data: &[u8], at: usize) -> Result<usize> {
    let (b'"', start) = token_at(data, at) else { return Err(NotJson) };
    let (b':', colon) = token_at(data, text_end(data, start + 1)? + 1) else { return Err(NotJson) };
    Ok(colon + 1)
}

#[inline]
const fn closing_bracket(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}
