//! How deep a body is nested. Parsers differ in how much they bear, and a provider whose parser fails says so with a 500.

use memchr::memchr2;

/// The most levels of arrays and objects, the outermost included: the scan reads no deeper where it looks into a value.
pub(super) const MAX_DEPTH: usize = 127;

/// Whether a body has more levels than [`MAX_DEPTH`]. Of a body that is not JSON it may say either.
pub(super) fn is_too_deep(body: &str) -> bool {
    let body = body.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            // Most of a body is text, so strings are passed over by many bytes at a time.
            b'"' => at = string_end(body, at),
            _ => {}
        }
    }
    false
}

/// The index behind the closing quote of the string that begins here.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(found) = body.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if body[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    body.len()
}
