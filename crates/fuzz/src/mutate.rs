//! Changes one input into another: bytes, tokens, lines, and JSON where there is some.

use std::ops::Range;

use fastrand::Rng;

use crate::dictionary::TOKENS;
use crate::mutate_json;

/// Numbers at which integers and limits end.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "127",
    "255",
    "65536",
    "2147483648",
    "4294967296",
    "9007199254740992",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "0.0000000000000000001",
];

/// The most changes of one input.
const MAX_CHANGES: u32 = 6;

/// An input made from `input` and, for splices, `other`; at most `max_bytes` long.
pub(crate) fn mutate(rng: &mut Rng, input: &[u8], other: &[u8], max_bytes: usize) -> Vec<u8> {
    let mut bytes = input.to_vec();
    // Few changes most of the time: many leave nothing of what made the input interesting.
    for _ in 0..1 + rng.u32(0..MAX_CHANGES).min(rng.u32(0..MAX_CHANGES)) {
        let changed = if rng.u8(0..3) == 0 { mutate_json::mutate(rng, &bytes, other) } else { None };
        match changed {
            Some(json) => bytes = json,
            None => change(rng, &mut bytes, other),
        }
    }
    bytes.truncate(max_bytes);
    bytes
}

/// The input with one of its pieces repeated until it has `length` bytes.
pub(crate) fn repeat_piece(input: &[u8], piece: Range<usize>, length: usize) -> Vec<u8> {
    let piece_bytes = &input[piece.clone()];
    let times = length.saturating_sub(input.len()) / piece_bytes.len().max(1);
    [&input[..piece.end], &piece_bytes.repeat(times), &input[piece.end..]].concat()
}

/// A piece of the input to repeat: a few bytes, a line, or an event.
pub(crate) fn choose_piece(rng: &mut Rng, input: &[u8]) -> Range<usize> {
    if input.is_empty() {
        return 0..0;
    }
    let at = rng.usize(0..input.len());
    let is_line_end = |byte: &u8| *byte == b'\n';
    match rng.u8(0..3) {
        0 => {
            let start = input[..at].iter().rposition(is_line_end).map_or(0, |end| end + 1);
            let end = input[at..].iter().position(is_line_end).map_or(input.len(), |end| at + end + 1);
            start..end
        }
        1 => json_item(input, at).unwrap_or(at..at + 1),
        _ => at..(at + 1 + rng.usize(0..24)).min(input.len()),
    }
}

/// From a comma behind `at` to the next one at the same level.
fn json_item(input: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + input[at..].iter().position(|byte| *byte == b',')?;
    let mut depth = 0_i32;
    for (offset, byte) in input[start + 1..].iter().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return Some(start..start + 1 + offset),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = rng.usize(0..=bytes.len());
    match rng.u8(0..14) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => bytes.insert(at, rng.u8(..)),
        3 => {
            let range = range(rng, bytes);
            bytes.drain(range);
        }
        4 => {
            let copied = bytes[range(rng, bytes)].to_vec();
            insert(bytes, at, &copied);
        }
        5 => insert(bytes, at, rng.choice(TOKENS).copied().unwrap_or_default()),
        6 => {
            let token = rng.choice(TOKENS).copied().unwrap_or_default();
            let end = (at + token.len()).min(bytes.len());
            bytes.splice(at..end, token.iter().copied());
        }
        7 => bytes.truncate(at),
        8 => {
            // The beginning of one, the end of another.
            bytes.truncate(at);
            bytes.extend_from_slice(&other[rng.usize(0..=other.len())..]);
        }
        9 => {
            let piece = &other[range(rng, other)];
            insert(bytes, at, piece);
        }
        10 => replace_number(rng, bytes),
        11 => change_line_end(rng, bytes),
        12 => {
            let repeated = bytes[range(rng, bytes)].repeat(rng.usize(1..40));
            insert(bytes, at, &repeated);
        }
        _ => {
            // Two pieces change places.
            let piece = bytes.drain(range(rng, bytes)).collect::<Vec<_>>();
            let at = rng.usize(0..=bytes.len());
            insert(bytes, at, &piece);
        }
    }
}

/// A short range of the bytes more often than a long one.
fn range(rng: &mut Rng, bytes: &[u8]) -> Range<usize> {
    let start = rng.usize(0..=bytes.len());
    let longest = if rng.bool() { 16 } else { 512 };
    start..(start + rng.usize(0..=longest)).min(bytes.len())
}

fn insert(bytes: &mut Vec<u8>, at: usize, inserted: &[u8]) {
    bytes.splice(at..at, inserted.iter().copied());
}

fn replace_number(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let from = rng.usize(0..=bytes.len());
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit).map(|start| from + start) else {
        return;
    };
    let end =
        bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |end| start + end);
    let number = rng.choice(NUMBERS).unwrap_or("0");
    bytes.splice(start..end, number.bytes());
}

fn change_line_end(rng: &mut Rng, bytes: &mut Vec<u8>) {
    const ENDS: [&[u8]; 6] = [b"\r\n", b"\r", b"", b"\n\n", b"\n\r", b"\r\r\n"];
    let from = rng.usize(0..=bytes.len());
    let Some(at) = bytes[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) else { return };
    let end = rng.choice(ENDS).unwrap_or_default();
    bytes.splice(at..=at, end.iter().copied());
}
