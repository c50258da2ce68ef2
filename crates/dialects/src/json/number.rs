//! Numbers.

use super::{Cursor, NotJson, Result};

/// A number, as far as anybody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// Written without sign, fraction and exponent, and no more than 64 bits.
    Unsigned(u64),
    /// Any other.
    Other,
}

impl Cursor<'_> {
    /// Reads a number. One that no `f64` can hold is refused.
    pub(crate) fn number(&mut self) -> Result<Number> {
        self.peek();
        let start = self.at;
        self.skip_number()?;
        if let [digit] = &self.data[start..self.at] {
            return Ok(Number::Unsigned(u64::from(digit - b'0')));
        }
        let written = str::from_utf8(&self.data[start..self.at]).map_err(|_| NotJson)?;
        if let Ok(number) = written.parse() {
            return Ok(Number::Unsigned(number));
        }
        // Rust reads all numbers of JSON, and what is too large as infinite.
        match written.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Other),
            _ => Err(NotJson),
        }
    }

    #[inline]
    pub(super) fn skip_number(&mut self) -> Result<()> {
        let number = self.rest();
        let mut at = usize::from(number.first() == Some(&b'-'));
        let integer = digits(number, at);
        if integer == 0 || (integer > 1 && number[at] == b'0') {
            return Err(NotJson);
        }
        at += integer;
        if let Some(b'.' | b'e' | b'E') = number.get(at) {
            at = fraction_and_exponent(number, at)?;
        }
        self.at += at;
        Ok(())
    }
}

/// The end of a number whose integer ends at `at`.
fn fraction_and_exponent(number: &[u8], mut at: usize) -> Result<usize> {
    if number.get(at) == Some(&b'.') {
        let fraction = digits(number, at + 1);
        if fraction == 0 {
            return Err(NotJson);
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = number.get(at) {
        at += 1;
        at += usize::from(matches!(number.get(at), Some(b'+' | b'-')));
        let exponent = digits(number, at);
        if exponent == 0 {
            return Err(NotJson);
        }
        at += exponent;
    }
    Ok(at)
}

/// How many digits there are from `at` on.
#[inline]
fn digits(number: &[u8], at: usize) -> usize {
    let rest = number.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}
