//! The lines of an event, and where its fields stand in them.

use std::borrow::Cow;

use memchr::memchr2;

/// What a stream may begin with.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line: its bytes without what ends it, and where the next one begins.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) next: usize,
}

/// A range of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    start: usize,
    end: usize,
}

impl Place {
    pub(super) const fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// The line that begins at `start`; `None`: nothing ends it. A line feed after a carriage return shows as one more, empty.
#[inline]
pub(super) fn next_line(bytes: &[u8], start: usize) -> Option<Line> {
    let rest = bytes.get(start..)?;
    // A blank line is found without a search.
    let length = if let Some(b'\n') = rest.first() { 0 } else { memchr2(b'\n', b'\r', rest)? };
    let end = start + length;
    Some(Line { place: Place { start, end }, next: end + 1 })
}

/// Where the fields of an event stand.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The value of the last `event:`.
    pub(super) name: Place,
    data: Data,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Data {
    #[default]
    Missing,
    /// The value of the only `data:`.
    Single(Place),
    /// The value of the first of several.
    Several(Place),
}

impl Fields {
    /// Adds what a line has.
    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8], line: Line) {
        if let Some(value) = value_of(bytes, line.place, *b"data") {
            self.data = match self.data {
                Data::Missing => Data::Single(value),
                Data::Single(first) | Data::Several(first) => Data::Several(first),
            };
        } else if let Some(value) = value_of(bytes, line.place, *b"event") {
            self.name = value;
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

fn join_data(bytes: &[u8], first: Place) -> Vec<u8> {
    let mut joined = first.of(bytes).to_vec();
    let mut start = first.end;
    while let Some(line) = next_line(bytes, start) {
        if let Some(value) = value_of(bytes, line.place, *b"data") {
            joined.push(b'\n');
            joined.extend_from_slice(value.of(bytes));
        }
        start = line.next;
    }
    joined
}

/// The value of a line with a field of this name.
#[inline]
fn value_of<const LENGTH: usize>(bytes: &[u8], line: Place, name: [u8; LENGTH]) -> Option<Place> {
    let (found, value) = line.of(bytes).split_first_chunk()?;
    let skipped = match (*found == name, value) {
        (false, _) => return None,
        (true, []) => 0,
        (true, [b':', b' ', ..]) => 2,
        (true, [b':', ..]) => 1,
        (true, _) => return None,
    };
    Some(Place { start: line.start + LENGTH + skipped, end: line.end })
}
