//! Numbers.

use super::error::{NotJson, Result};

/// A number, as far as anybody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// Written without sign, fraction and exponent, and no more than 64 bits.
    Unsigned(u64),
    /// Any other.
    Other,
}

impl Number {
    /// `None`: no `f64` can hold it.
    pub(super) fn of(written: &[u8]) -> Option<Self> {
        // So many digits are no more than 64 bits.
        if written.len() <= 19 && written.iter().all(u8::is_ascii_digit) {
            let number = written.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
            return Some(Self::Unsigned(number));
        }
        let written = str::from_utf8(written).ok()?;
        if let Ok(number) = written.parse() {
            return Some(Self::Unsigned(number));
        }
        // Rust reads all numbers of JSON, and what is too large as infinite.
        written.parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| Self::Other)
    }
}

/// The end of the number that begins at `at`. What follows a first zero is not looked at: a digit is no JSON there.
#[inline]
pub(super) fn number_end(data: &[u8], mut at: usize) -> Result<usize> {
    at += usize::from(data.get(at) == Some(&b'-'));
    at = match data.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits_end(data, at + 1),
        _ => return Err(NotJson),
    };
    if let Some(b'.' | b'e' | b'E') = data.get(at) { fraction_and_exponent(data, at) } else { Ok(at) }
}

/// The end of a number whose integer ends at `at`.
fn fraction_and_exponent(data: &[u8], mut at: usize) -> Result<usize> {
    if data.get(at) == Some(&b'.') {
        at = some_digits_end(data, at + 1)?;
    }
    if let Some(b'e' | b'E') = data.get(at) {
        at += 1 + usize::from(matches!(data.get(at + 1), Some(b'+' | b'-')));
        at = some_digits_end(data, at)?;
    }
    Ok(at)
}

fn some_digits_end(data: &[u8], at: usize) -> Result<usize> {
    let end = digits_end(data, at);
    if end > at { Ok(end) } else { Err(NotJson) }
}

#[inline]
fn digits_end(data: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = data.get(at) {
        at += 1;
    }
    at
}
