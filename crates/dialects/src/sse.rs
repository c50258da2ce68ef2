//! Server-sent events, byte for byte.
//!
//! The format is that of the WHATWG HTML standard, section 9.2. A browser's decoder gives the events and forgets the
//! bytes; a gateway passes the bytes on, so here a stream is cut into [`Frame`]s that together are the stream again,
//! comments, odd line ends and unknown fields included. How the bytes were split on their way makes no difference.

mod frame;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

pub use frame::Frame;

/// The largest frame that [`Decoder::default`] takes: 16 MiB.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// A frame larger than the decoder's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider's stream has an event of more than {limit} bytes")]
pub struct TooLarge {
    /// In bytes.
    pub limit: usize,
}

/// Cuts a stream into frames. A frame that came in one piece is not copied.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The beginning of a frame whose end has not come yet; already looked at.
    begun: BytesMut,
    /// What came and was not looked at yet.
    ahead: Bytes,
    place: Place,
    at_start: bool,
    failed: bool,
}

/// Where in the grammar the next byte stands. A carriage return is a line's end by itself, but a line feed right after
/// it belongs to it, so a frame that ends in one is complete only with the byte that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    InLine,
    AfterLineReturn,
    AfterBlankReturn,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(MAX_FRAME)
    }
}

impl Decoder {
    /// A decoder that takes frames of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            begun: BytesMut::new(),
            ahead: Bytes::new(),
            place: Place::LineStart,
            at_start: true,
            failed: false,
        }
    }

    /// Takes what came. Cheapest when [`Decoder::next_frame`] has given `None` before.
    pub fn push(&mut self, chunk: Bytes) {
        if self.ahead.is_empty() {
            self.ahead = chunk;
        } else {
            self.ahead = [&self.ahead[..], &chunk[..]].concat().into();
        }
    }

    /// The next whole frame; `None`: more bytes are needed.
    ///
    /// An error is final: what follows cannot be told apart any more, so the same error is given from then on.
    pub fn next_frame(&mut self) -> Option<Result<Frame, TooLarge>> {
        let end = self.find_end();
        let size = self.begun.len() + end.unwrap_or(self.ahead.len());
        if self.failed || size > self.limit {
            self.failed = true;
            return Some(Err(TooLarge { limit: self.limit }));
        }
        if let Some(end) = end {
            let tail = self.ahead.split_to(end);
            return Some(Ok(self.complete(tail)));
        }
        let piece = std::mem::take(&mut self.ahead);
        self.begun.extend_from_slice(&piece);
        None
    }

    /// The last frame, once the stream has ended, with the blank line that it may lack. Browsers drop a frame without
    /// one, but there are servers that forget it; whether such a frame can be trusted is seen from what it says.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.begun.is_empty() || self.failed {
            return None;
        }
        let missing: &'static [u8] = match self.place {
            Place::AfterBlankReturn => b"",
            Place::LineStart => b"\n",
            // The first one after a carriage return would belong to that.
            Place::InLine | Place::AfterLineReturn => b"\n\n",
        };
        Some(self.complete(Bytes::from_static(missing)))
    }

    /// Where in `ahead` the frame ends, if it does.
    fn find_end(&mut self) -> Option<usize> {
        let mut at = 0;
        while at < self.ahead.len() {
            let byte = self.ahead[at];
            match (self.place, byte) {
                (Place::AfterBlankReturn, b'\n') | (Place::LineStart, b'\n') => return Some(at + 1),
                (Place::AfterBlankReturn, _) => return Some(at),
                (Place::AfterLineReturn, b'\n') => (self.place, at) = (Place::LineStart, at + 1),
                (Place::AfterLineReturn, _) => self.place = Place::LineStart,
                (Place::LineStart, b'\r') => (self.place, at) = (Place::AfterBlankReturn, at + 1),
                (Place::LineStart, _) => self.place = Place::InLine,
                (Place::InLine, _) => {
                    let line_end = at + memchr2(b'\n', b'\r', &self.ahead[at..])?;
                    let is_return = self.ahead[line_end] == b'\r';
                    self.place = if is_return { Place::AfterLineReturn } else { Place::LineStart };
                    at = line_end + 1;
                }
            }
        }
        None
    }

    fn complete(&mut self, tail: Bytes) -> Frame {
        let raw = if self.begun.is_empty() {
            tail
        } else {
            self.begun.extend_from_slice(&tail);
            self.begun.split().freeze()
        };
        self.place = Place::LineStart;
        Frame::new(raw, std::mem::take(&mut self.at_start))
    }
}

#[cfg(test)]
mod tests;
