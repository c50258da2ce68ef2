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

    /// What follows a first zero is not looked at: a digit is no JSON there.
    #[inline]
    pub(super) fn skip_number(&mut self) -> Result<()> {
        let data = self.data;
        let mut at = self.at + usize::from(data.get(self.at) == Some(&b'-'));
        at = match data.get(at) {
            Some(b'0') => at + 1,
            Some(b'1'..=b'9') => digits_end(data, at + 1),
            _ => return Err(NotJson),
        };
        if let Some(b'.' | b'e' | b'E') = data.get(at) {
            at = fraction_and_exponent(data, at)?;
        }
        self.at = at;
        Ok(())
    }
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
