//! One event as it came over the wire.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use memchr::memchr2;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event as it came over the wire: its lines and the blank line that ends it. A lone comment and a superfluous blank
/// line are frames, too, although they are no events.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    raw: Bytes,
    /// Where the first line begins: after the byte order mark that a stream may start with.
    start: usize,
}

impl Frame {
    pub(super) fn new(raw: Bytes, first_of_stream: bool) -> Self {
        let has_bom = first_of_stream && raw.starts_with(BYTE_ORDER_MARK);
        Self { raw, start: if has_bom { BYTE_ORDER_MARK.len() } else { 0 } }
    }

    /// A piece of a stream of bytes, which is no event.
    #[must_use]
    pub const fn of_bytes(raw: Bytes) -> Self {
        Self { raw, start: 0 }
    }

    /// All its bytes, with the blank line that ends it.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// All its bytes, with the blank line that ends it.
    #[must_use]
    pub fn into_raw(self) -> Bytes {
        self.raw
    }

    /// The event's name: the last `event:`; empty if there is none.
    #[must_use]
    pub fn event(&self) -> &[u8] {
        self.values(b"event").last().unwrap_or_default()
    }

    /// The event's data: all `data:`, joined by line feeds; `None`: it has none, so it is no event.
    #[must_use]
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        let mut values = self.values(b"data");
        let first = values.next()?;
        let Some(second) = values.next() else { return Some(Cow::Borrowed(first)) };
        let mut joined = first.to_vec();
        for value in std::iter::once(second).chain(values) {
            joined.push(b'\n');
            joined.extend_from_slice(value);
        }
        Some(Cow::Owned(joined))
    }

    fn values(&self, name: &'static [u8]) -> impl Iterator<Item = &[u8]> {
        let lines = Lines { rest: &self.raw[self.start..] };
        lines.filter_map(move |line| match line.strip_prefix(name)? {
            [] => Some(&[][..]),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            _ => None,
        })
    }
}

/// Without the bytes: they hold the model's output.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("bytes", &self.raw.len()).finish_non_exhaustive()
    }
}

/// The lines, without their ends. A line feed after a carriage return shows as one more empty line, which has no effect.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr2(b'\n', b'\r', self.rest)?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line)
    }
}
