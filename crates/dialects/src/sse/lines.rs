//! The lines of an event, and where its fields stand in them.

use std::borrow::Cow;

use memchr::memchr2;

/// What a stream may begin with.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line: its bytes without what ends it, and where the next one begins.
#[derive(Clone, Copy)]
pub(super) struct EventLine {
    pub(super) range: ByteRange,
    pub(super) next: usize,
}

/// A range of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ByteRange {
    start: usize,
    end: usize,
}

impl ByteRange {
    pub(super) const fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// The line that begins at `start`; `None`: nothing ends it. A line feed after a carriage return shows as one more, empty.
#[inline]
pub(super) fn next_line(bytes: &[u8], start: usize) -> Option<EventLine> {
    let rest = bytes.get(start..)?;
    // A blank line is found without a search.
    let length = if let Some(b'\n') = rest.first() { 0 } else { memchr2(b'\n', b'\r', rest)? };
    let end = start + length;
    Some(EventLine { range: ByteRange { start, end }, next: end + 1 })
}

/// Where the fields of an event stand.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The value of the last `event:`.
    pub(super) name: ByteRange,
    data: Data,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Data {
    #[default]
    Missing,
    /// The value of the only `data:`.
    Single(ByteRange),
    /// The value of the first of several.
    Several(ByteRange),
}

impl Fields {
    /// Adds what a line has.
    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8], line: EventLine) {
        if let Some(value) = value_of(bytes, line.range, *b"data") {
            self.data = match self.data {
                Data::Missing => Data::Single(value),
                Data::Single(first) | Data::Several(first) => Data::Several(first),
            };
        } else if let Some(value) = value_of(bytes, line.range, *b"event") {
            self.name = value;
        }
    }

    /// Where the value of the only `data:` begins.
    pub(super) const fn start_of_only_data(&self) -> Option<usize> {
        match self.data {
            Data::Single(value) => Some(value.start),
            Data::Missing | Data::Several(_) => None,
        }
    }

    /// All `data:` of the event that has these fields, joined by line feeds.
    #[inline]
    pub(super) fn data<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self.data {
            Data::Missing => None,
            Data::Single(value) => Some(Cow::Borrowed(value.of(bytes))),
            Data::Several(first) => Some(Cow::Owned(join_data(bytes, first))),
        }
    }
}

fn join_data(bytes: &[u8], first: ByteRange) -> Vec<u8> {
    let mut joined = first.of(bytes).to_vec();
    let mut start = first.end;
    while let Some(line) = next_line(bytes, start) {
        if let Some(value) = value_of(bytes, line.range, *b"data") {
            joined.push(b'\n');
            joined.extend_from_slice(value.of(bytes));
        }
        start = line.next;
    }
    joined
}

/// The value of a line with a field of this name.
#[inline]
fn value_of<const LENGTH: usize>(bytes: &[u8], line: ByteRange, name: [u8; LENGTH]) -> Option<ByteRange> {
    let (found, value) = line.of(bytes).split_first_chunk()?;
    if *found != name {
        return None;
    }
    let skipped = match value {
        [] => 0,
        [b':', b' ', ..] => 2,
        [b':', ..] => 1,
        _ => return None,
    };
    Some(ByteRange { start: line.start + LENGTH + skipped, end: line.end })
}
