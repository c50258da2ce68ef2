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
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// A frame larger than the decoder's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider's stream has an event of more than {limit} bytes")]
pub struct FrameTooLarge {
    /// In bytes.
    pub limit: usize,
}

/// Cuts a stream into frames. A frame that came in one piece is not copied.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The beginning of a frame whose end has not come yet; already looked at.
    partial: BytesMut,
    /// What came and was not looked at yet.
    pending: Bytes,
    state: ParseState,
    at_start: bool,
    failed: bool,
}

/// Where in the grammar the next byte stands. A carriage return is a line's end by itself, but a line feed right after
/// it belongs to it, so a frame that ends in one is complete only with the byte that follows.
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
    /// A decoder that takes frames of up to `limit` bytes.
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

    /// Takes what came. Cheapest when [`Decoder::next_frame`] has given `None` before.
    pub fn push(&mut self, chunk: Bytes) {
        if self.pending.is_empty() {
            self.pending = chunk;
        } else {
            self.pending = [&self.pending[..], &chunk[..]].concat().into();
        }
    }

    /// The next whole frame; `None`: more bytes are needed.
    ///
    /// An error is final: what follows cannot be told apart any more, so the same error is given from then on.
    pub fn next_frame(&mut self) -> Option<Result<Frame, FrameTooLarge>> {
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

    /// The last frame, once the stream has ended, with the blank line that it may lack. Browsers drop a frame without
    /// one, but there are servers that forget it; whether such a frame can be trusted is seen from what it says.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.partial.is_empty() || self.failed {
            return None;
        }
        let missing: &'static [u8] = match self.state {
            ParseState::AfterEmptyLineCr => b"",
            ParseState::LineStart => b"\n",
            // The first one after a carriage return would belong to that.
            ParseState::InLine | ParseState::AfterLineCr => b"\n\n",
        };
        Some(self.complete(Bytes::from_static(missing)))
    }

    /// Where in `ahead` the frame ends, if it does.
    fn find_end(&mut self) -> Option<usize> {
        let mut at = 0;
        while at < self.pending.len() {
            let byte = self.pending[at];
            match (self.state, byte) {
                (ParseState::AfterEmptyLineCr, b'\n') | (ParseState::LineStart, b'\n') => {
                    return Some(at + 1);
                }
                (ParseState::AfterEmptyLineCr, _) => return Some(at),
                (ParseState::AfterLineCr, b'\n') => (self.state, at) = (ParseState::LineStart, at + 1),
                (ParseState::AfterLineCr, _) => self.state = ParseState::LineStart,
                (ParseState::LineStart, b'\r') => (self.state, at) = (ParseState::AfterEmptyLineCr, at + 1),
                (ParseState::LineStart, _) => self.state = ParseState::InLine,
                (ParseState::InLine, _) => {
                    let line_end = at + memchr2(b'\n', b'\r', &self.pending[at..])?;
                    let is_return = self.pending[line_end] == b'\r';
                    self.state = if is_return { ParseState::AfterLineCr } else { ParseState::LineStart };
                    at = line_end + 1;
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
