//! Server-sent events, byte for byte.
//!
//! The format is that of the WHATWG HTML standard, section 9.2. A browser's decoder returns the events and drops the
//! bytes. A gateway passes the bytes on, so here a stream is split into [`Frame`]s that together are the stream again,
//! including comments, odd line ends and unknown fields. The chunks in which the bytes arrive make no difference.

mod frame;
mod lines;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

pub use frame::Frame;
use lines::{BYTE_ORDER_MARK, Fields, next_line};

/// The largest frame that [`Decoder::default`] accepts: 16 MiB.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// A frame larger than the decoder's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider's stream has an event of more than {limit} bytes")]
pub struct FrameTooLarge {
    /// In bytes.
    pub limit: usize,
}

/// Whether these bytes, the first ones of a body, are the beginning of a stream of events and of nothing else.
#[must_use]
pub fn begins_events(start: &[u8]) -> bool {
    const FIELDS: [&[u8]; 6] = [b"data:", b"event:", b"id:", b"retry:", b":", BYTE_ORDER_MARK];
    let rest = start.strip_prefix(BYTE_ORDER_MARK).filter(|rest| !rest.is_empty()).unwrap_or(start);
    let rest = rest.trim_ascii_start();
    let line = rest.get(..b"retry:".len()).unwrap_or(rest);
    // Maybe a part of the name is all that is there yet. No JSON begins like it.
    !line.is_empty() && FIELDS.iter().any(|field| line.starts_with(field) || field.starts_with(line))
}

/// Splits a stream into frames. A frame that arrived in one chunk is not copied.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The beginning of a frame whose end has not arrived yet; already scanned.
    partial: BytesMut,
    /// Bytes that were not scanned yet.
    pending: Bytes,
    state: ParseState,
    at_start: bool,
    failed: bool,
}

/// The position of the next byte in the grammar. A carriage return ends a line, but a line feed right after it belongs
/// to it, so a frame that ends in a carriage return is complete only with the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParseState {
    LineStart,
    InLine,
    AfterLineCr,
    AfterEmptyLineCr,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(MAX_FRAME_BYTES)
    }
}

impl Decoder {
    /// A decoder that accepts frames of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            partial: BytesMut::new(),
            pending: Bytes::new(),
            state: ParseState::LineStart,
            at_start: true,
            failed: false,
        }
    }

    /// Adds a chunk. Cheapest when [`Decoder::next_frame`] has returned `None` before.
    #[inline]
    pub fn push(&mut self, chunk: Bytes) {
        if self.pending.is_empty() {
            self.pending = chunk;
        } else {
            self.append(&chunk);
        }
    }

    #[cold]
    fn append(&mut self, chunk: &[u8]) {
        self.pending = [&self.pending[..], chunk].concat().into();
    }

    /// Nothing can come of what was added so far.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pending.is_empty() && !self.failed
    }

    /// The next complete frame; `None`: more bytes are needed.
    ///
    /// An error is final: the bytes that follow cannot be split any more, so every further call returns the same error.
    pub fn next_frame(&mut self) -> Option<Result<Frame, FrameTooLarge>> {
        if self.is_empty() {
            return None;
        }
        if let Some((end, fields)) = self.whole_frame() {
            self.at_start = false;
            return Some(Ok(Frame::with_fields(self.pending.split_to(end), fields)));
        }
        let end = self.find_end();
        let size = self.partial.len() + end.unwrap_or(self.pending.len());
        if self.failed || size > self.limit {
            self.failed = true;
            return Some(Err(FrameTooLarge { limit: self.limit }));
        }
        if let Some(end) = end {
            let tail = self.pending.split_to(end);
            return Some(Ok(self.complete(tail)));
        }
        let piece = std::mem::take(&mut self.pending);
        self.partial.extend_from_slice(&piece);
        None
    }

    /// The bytes that come next, if a frame begins with them; none: there are none, or a frame has begun before.
    #[inline]
    pub(crate) fn next_bytes(&self) -> &[u8] {
        if self.partial.is_empty() && !self.failed { &self.pending } else { &[] }
    }

    /// Takes the frame of this length off the bytes that come next; `None`: that is too large.
    #[inline]
    pub(crate) fn take_frame(&mut self, length: usize) -> Option<Bytes> {
        if length > self.limit {
            return None;
        }
        self.at_start = false;
        let is_all = length == self.pending.len();
        Some(if is_all { std::mem::take(&mut self.pending) } else { self.pending.split_to(length) })
    }

    /// The last frame, once the stream has ended, with the blank line that it may lack. Browsers drop a frame without
    /// one, but some servers omit it; whether such a frame can be trusted depends on its data.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.partial.is_empty() || self.failed {
            return None;
        }
        let missing: &'static [u8] = match self.state {
            ParseState::AfterEmptyLineCr => b"",
            ParseState::LineStart => b"\n",
            // The first line feed after a carriage return would belong to it.
            ParseState::InLine | ParseState::AfterLineCr => b"\n\n",
        };
        Some(self.complete(Bytes::from_static(missing)))
    }

    /// The end of a frame that is in `pending` from its first byte to its last, and its fields. Nearly all are.
    #[inline]
    fn whole_frame(&self) -> Option<(usize, Fields)> {
        let bytes = &self.pending[..];
        // What a byte order mark changes, `find_end` and `complete` know.
        if !self.partial.is_empty() || self.failed || (self.at_start && bytes.starts_with(BYTE_ORDER_MARK)) {
            return None;
        }
        let mut fields = Fields::default();
        let mut start = 0;
        loop {
            let line = next_line(bytes, start)?;
            start = line.next;
            // A line feed that is yet to come would belong to it.
            if bytes[start - 1] == b'\r' && *bytes.get(start)? == b'\n' {
                start += 1;
            }
            if line.range.is_empty() {
                return (start <= self.limit).then_some((start, fields));
            }
            fields.add(bytes, line);
        }
    }

    /// The end of the frame in `pending`, if it is there.
    fn find_end(&mut self) -> Option<usize> {
        let mut pos = 0;
        while pos < self.pending.len() {
            let byte = self.pending[pos];
            match (self.state, byte) {
                (ParseState::AfterEmptyLineCr, b'\n') | (ParseState::LineStart, b'\n') => {
                    return Some(pos + 1);
                }
                (ParseState::AfterEmptyLineCr, _) => return Some(pos),
                (ParseState::AfterLineCr, b'\n') => (self.state, pos) = (ParseState::LineStart, pos + 1),
                (ParseState::AfterLineCr, _) => self.state = ParseState::LineStart,
                (ParseState::LineStart, b'\r') => (self.state, pos) = (ParseState::AfterEmptyLineCr, pos + 1),
                (ParseState::LineStart, _) => self.state = ParseState::InLine,
                (ParseState::InLine, _) => {
                    let line_end = pos + memchr2(b'\n', b'\r', &self.pending[pos..])?;
                    let is_return = self.pending[line_end] == b'\r';
                    self.state = if is_return { ParseState::AfterLineCr } else { ParseState::LineStart };
                    pos = line_end + 1;
                }
            }
        }
        None
    }

    fn complete(&mut self, tail: Bytes) -> Frame {
        let raw = if self.partial.is_empty() {
            tail
        } else {
            self.partial.extend_from_slice(&tail);
            self.partial.split().freeze()
        };
        self.state = ParseState::LineStart;
        Frame::new(raw, std::mem::take(&mut self.at_start))
    }
}

#[cfg(test)]
mod tests;
