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
    fn of(written: &[u8]) -> Option<Self> {
        let written = str::from_utf8(written).ok()?;
        if let Ok(number) = written.parse() {
            return Some(Self::Unsigned(number));
        }
        // Rust reads all numbers of JSON, and what is too large as infinite.
        written.parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| Self::Other)
    }
}

/// A number, and what is behind it. One that no `f64` can hold is refused.
#[inline]
pub(super) fn split_number(bytes: &[u8]) -> Result<(Number, &[u8])> {
    let mut number = 0;
    let mut behind = bytes;
    while let [digit @ b'0'..=b'9', next @ ..] = behind {
        number = u64::wrapping_add(u64::wrapping_mul(number, 10), u64::from(digit - b'0'));
        behind = next;
    }
    let digits = bytes.len() - behind.len();
    let goes_on = matches!(behind, [b'.' | b'e' | b'E', ..]);
    // So many digits are no more than 64 bits.
    if (1..=19).contains(&digits) && !goes_on && (digits == 1 || bytes[0] != b'0') {
        return Ok((Number::Unsigned(number), behind));
    }
    split_any_number(bytes)
}

#[inline(never)]
fn split_any_number(bytes: &[u8]) -> Result<(Number, &[u8])> {
    let behind = behind_number(bytes)?;
    let written = &bytes[..bytes.len() - behind.len()];
    Number::of(written).map(|number| (number, behind)).ok_or(NotJson)
}

/// The bytes behind the number that begins here. What follows a first zero is not looked at: a digit is no JSON there.
#[inline]
pub(super) fn behind_number(bytes: &[u8]) -> Result<&[u8]> {
    let integer = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let behind = match integer {
        [b'0', behind @ ..] => behind,
        [b'1'..=b'9', ..] => behind_digits(integer),
        _ => return Err(NotJson),
    };
    if let [b'.' | b'e' | b'E', ..] = behind { behind_fraction(behind) } else { Ok(behind) }
}

/// Of a number, from behind its integer on.
#[inline(never)]
fn behind_fraction(mut bytes: &[u8]) -> Result<&[u8]> {
    if let [b'.', fraction @ ..] = bytes {
        bytes = behind_some_digits(fraction)?;
    }
    match bytes {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            behind_some_digits(exponent)
        }
        _ => Ok(bytes),
    }
}

fn behind_some_digits(bytes: &[u8]) -> Result<&[u8]> {
    let behind = behind_digits(bytes);
    if behind.len() < bytes.len() { Ok(behind) } else { Err(NotJson) }
}

#[inline]
fn behind_digits(mut bytes: &[u8]) -> &[u8] {
    while let Some((chunk, behind)) = bytes.split_first_chunk() {
        let digits = leading_digits(u64::from_le_bytes(*chunk));
        if digits < 8 {
            return &bytes[digits..];
        }
        bytes = behind;
    }
    while let [b'0'..=b'9', behind @ ..] = bytes {
        bytes = behind;
    }
    bytes
}

/// A one in each byte.
const EACH: u64 = u64::from_le_bytes([1; 8]);

/// How many digits these bytes begin with, the lowest first.
#[inline]
const fn leading_digits(bytes: u64) -> usize {
    // The highest bit of a byte is set by the first for what is above '9', and by the second for what is below '0' or is not ASCII.
    // Neither carries into the next byte behind a digit.
    let above = bytes.wrapping_add(EACH * (0x7f - b'9' as u64));
    let below = bytes.wrapping_sub(EACH * b'0' as u64);
    ((above | below) & EACH << 7).trailing_zeros() as usize / 8
}
