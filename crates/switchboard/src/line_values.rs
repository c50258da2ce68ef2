//! Values in a line of the log, written for less than the formatters of the standard library would.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

/// Whether the text is the same within quotes, as text and as JSON: printable ASCII without `"` and `\`.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    // In blocks of one size, which are looked at in a few instructions each.
    let (blocks, rest) = text.as_chunks::<16>();
    let mut last = [b' '; 16];
    last[..rest.len()].copy_from_slice(rest);
    blocks.iter().all(is_plain_block) && is_plain_block(&last)
}

#[inline]
fn is_plain_block(block: &[u8; 16]) -> bool {
    // Without a branch, so that all bytes are looked at at once.
    block
        .iter()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (*byte != b'"') & (*byte != b'\\'))
}

/// Adds a number.
pub(crate) fn push_number(line: &mut Vec<u8>, number: u64) {
    if number < 10 {
        return line.push(digit(number));
    }
    // As many digits as the largest number has.
    let mut digits = [0; 20];
    let (mut start, mut rest) = (digits.len(), number);
    while rest > 0 && start > 0 {
        start -= 1;
        digits[start] = digit(rest % 10);
        rest /= 10;
    }
    line.extend_from_slice(&digits[start..]);
}

fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

/// A second as text, which changes rarely: `2026-01-01T00:00:00.`.
struct Second {
    since_1970: u64,
    text: Vec<u8>,
}

thread_local! {
    static SECOND: RefCell<Second> = const { RefCell::new(Second { since_1970: 0, text: Vec::new() }) };
}

/// Adds the time in UTC, to the microsecond: `2026-01-01T00:00:00.000000Z`.
pub(crate) fn push_time(line: &mut Vec<u8>) {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|second| {
        if second.since_1970 != since_1970.as_secs() || second.text.is_empty() {
            *second = Second::new(since_1970.as_secs());
        }
        line.extend_from_slice(&second.text);
    });
    let (mut micros, mut rest) = (*b"000000Z", u64::from(since_1970.subsec_micros()));
    for place in micros[..6].iter_mut().rev() {
        *place = digit(rest % 10);
        rest /= 10;
    }
    line.extend_from_slice(&micros);
}

impl Second {
    fn new(since_1970: u64) -> Self {
        let time = i64::try_from(since_1970).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
        let text = time.unwrap_or_default().to_string();
        Self { since_1970, text: format!("{}.", text.trim_end_matches('Z')).into_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        let powers = (0..20).map(|exponent| 10_u64.pow(exponent));
        let numbers = powers.flat_map(|power| [power - 1, power, power + 1]).chain([u64::MAX]);
        for number in numbers {
            let mut line = Vec::new();
            push_number(&mut line, number);
            assert_eq!(String::from_utf8(line).unwrap(), number.to_string());
        }
    }

    #[test]
    fn a_character_that_needs_an_escape_is_found_at_any_place() {
        for length in 0..40 {
            let text = "a~ z!#[]".repeat(5)[..length].to_owned();
            assert!(is_plain(text.as_bytes()), "{text}");
            for (place, byte) in (0..length)
                .flat_map(|place| [0, 0x1f, b'"', b'\\', 0x7f, 0x80, 0xff].map(|byte| (place, byte)))
            {
                let mut text = text.clone().into_bytes();
                text[place] = byte;
                assert!(!is_plain(&text), "{byte} at {place} of {length}");
            }
        }
    }

    #[test]
    fn a_time_is_now() {
        let before = jiff::Timestamp::now();
        let mut line = Vec::new();
        push_time(&mut line);
        let text = String::from_utf8(line).unwrap();
        assert_eq!(text.len(), "2026-01-01T00:00:00.000000Z".len());
        let time: jiff::Timestamp = text.parse().unwrap();
        assert!((time.as_microsecond() - before.as_microsecond()).abs() < 60_000_000, "{text}");
    }
}
