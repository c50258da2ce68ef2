//! Where a head begins and ends, and what its fields say of the body and the connection.

use crate::piece::Malformed;

/// The length of the empty lines that come first (RFC 9112, section 2.2).
#[must_use]
pub fn blank_lines(bytes: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += match bytes.get(length..) {
            Some([b'\n', ..]) => 1,
            Some([b'\r', b'\n', ..]) => 2,
            _ => return length,
        };
    }
}

/// The length of a head with the empty line that ends it; `None`: more has to come. Its first `scanned` bytes were looked at
/// before.
#[must_use]
pub fn head_length(bytes: &[u8], scanned: usize) -> Option<usize> {
    // The line's end before an empty line may be among what was looked at.
    let from = scanned.saturating_sub(2);
    memchr::memchr_iter(b'\n', bytes.get(from..)?).find_map(|at| match bytes.get(from + at + 1..) {
        Some([b'\n', ..]) => Some(from + at + 2),
        Some([b'\r', b'\n', ..]) => Some(from + at + 3),
        _ => None,
    })
}

/// The same of the head of a request. A line that ends with LF alone is refused, which RFC 9112 leaves open (section 2.2): what
/// a proxy before this server takes for one field could be two of them, the second of which is about the body.
///
/// # Errors
/// When there is such a line.
pub fn request_head_length(bytes: &[u8], scanned: usize) -> Result<Option<usize>, Malformed> {
    let from = scanned.saturating_sub(2);
    for at in memchr::memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()).map(|at| from + at) {
        if at == 0 || bytes.get(at - 1) != Some(&b'\r') {
            return Err(Malformed);
        }
        if bytes.get(at + 1..at + 3) == Some(b"\r\n") {
            return Ok(Some(at + 3));
        }
    }
    Ok(None)
}

/// What the fields of a head say of its body and connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BodyFields {
    /// The length of the body in bytes.
    pub length: Option<u64>,
    /// Whether the last transfer coding is `chunked`; `None`: there is none.
    pub is_chunked: Option<bool>,
    /// There are transfer codings besides the last one.
    pub has_other_coding: bool,
    /// `connection: close`.
    pub is_closing: bool,
    /// `connection: keep-alive`.
    pub is_keeping_alive: bool,
}

impl BodyFields {
    /// Reads a field, whose name may be in any case.
    ///
    /// # Errors
    /// When it is a length that is none, or another one than before.
    #[inline]
    pub fn read(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        // Most fields say nothing of it.
        match (name.len(), name.as_bytes()) {
            (10 | 14, [b'c' | b'C', ..]) | (17, [b't' | b'T', ..]) => self.read_named(name, value),
            _ => Ok(()),
        }
    }

    fn read_named(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            10 if is("connection") => {
                for option in elements(value) {
                    self.is_closing |= option.eq_ignore_ascii_case(b"close");
                    self.is_keeping_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is("content-length") => {
                for number in elements(value) {
                    let length = digits(number).ok_or(Malformed)?;
                    if self.length.is_some_and(|other| other != length) {
                        return Err(Malformed);
                    }
                    self.length = Some(length);
                }
            }
            17 if is("transfer-encoding") => {
                for coding in elements(value) {
                    self.has_other_coding |= self.is_chunked.is_some();
                    self.is_chunked = Some(coding.eq_ignore_ascii_case(b"chunked"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The elements of a list.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A number of nothing but digits.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_however_it_came() {
        for (bytes, expected) in [
            ("", None),
            ("GET / HTTP/1.1\r\n", None),
            ("GET / HTTP/1.1\r\n\r", None),
            ("GET / HTTP/1.1\r\n\r\nrest", Some(18)),
            ("GET / HTTP/1.1\n\nrest", Some(16)),
            ("GET / HTTP/1.1\na: b\n\r\nrest", Some(22)),
            ("GET / HTTP/1.1\r\na: b\r\n\nrest", Some(23)),
        ] {
            assert_eq!(head_length(bytes.as_bytes(), 0), expected, "{bytes:?}");
            // In single bytes.
            let mut found = None;
            for length in 1..=bytes.len() {
                found = found.or_else(|| head_length(&bytes.as_bytes()[..length], length - 1));
            }
            assert_eq!(found, expected, "{bytes:?}");
        }
        assert_eq!(blank_lines(b"\r\n\n\r\nGET"), 5);
        assert_eq!(blank_lines(b"\rGET"), 0);
    }

    #[test]
    fn the_lines_of_a_request_end_with_cr_lf() {
        for (bytes, expected) in [
            ("", Ok(None)),
            ("GET / HTTP/1.1\r\n\r", Ok(None)),
            ("GET / HTTP/1.1\r\n\r\nrest\n", Ok(Some(18))),
            ("GET / HTTP/1.1\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\na: b\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\na: b\r\n\n", Err(Malformed)),
            ("\nGET / HTTP/1.1\r\n\r\n", Err(Malformed)),
        ] {
            assert_eq!(request_head_length(bytes.as_bytes(), 0), expected, "{bytes:?}");
            // In single bytes.
            let found = (1..=bytes.len())
                .map(|length| request_head_length(&bytes.as_bytes()[..length], length - 1))
                .find(|found| *found != Ok(None));
            assert_eq!(found.unwrap_or(Ok(None)), expected, "{bytes:?}");
        }
    }

    #[test]
    fn fields_say_what_follows() {
        let read = |fields: &[(&str, &str)]| {
            let mut read = BodyFields::default();
            fields.iter().try_for_each(|(name, value)| read.read(name, value.as_bytes())).map(|()| read)
        };
        for (fields, expected) in [
            (&[("Content-Length", "12")][..], BodyFields { length: Some(12), ..BodyFields::default() }),
            (&[("content-length", "5, 5")], BodyFields { length: Some(5), ..BodyFields::default() }),
            (
                &[("transfer-encoding", "gzip, Chunked")],
                BodyFields { is_chunked: Some(true), has_other_coding: true, ..BodyFields::default() },
            ),
            (
                &[("transfer-encoding", "chunked"), ("transfer-encoding", "gzip")],
                BodyFields { is_chunked: Some(false), has_other_coding: true, ..BodyFields::default() },
            ),
            (
                &[("connection", "Upgrade, close"), ("Connection", "Keep-Alive")],
                BodyFields { is_closing: true, is_keeping_alive: true, ..BodyFields::default() },
            ),
        ] {
            assert_eq!(read(fields), Ok(expected), "{fields:?}");
        }
        for value in ["", "-1", "+1", "1 2", "0x1", "1,", "99999999999999999999"] {
            assert_eq!(read(&[("content-length", value)]), Err(Malformed), "{value:?}");
        }
        assert_eq!(read(&[("content-length", "1"), ("content-length", "2")]), Err(Malformed));
    }
}
