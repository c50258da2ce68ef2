//! Where a body ends (RFC 9112, section 6.3).

use bytes::{Buf as _, Bytes, BytesMut};

use crate::chunked::Chunked;
use crate::piece::{DataSlice, Malformed, Piece};

/// What was taken of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// The next bytes, which are never none.
    Data(Bytes),
    /// More has to be read.
    Incomplete,
    /// The body is complete.
    End,
}

/// How the end of a body is found.
#[derive(Debug)]
pub enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// In chunks, the last of which is empty.
    Chunked(Chunked),
    /// It ends with the connection.
    UntilClose,
}

impl Framing {
    /// In chunks.
    #[must_use]
    pub const fn chunked() -> Self {
        Self::Chunked(Chunked::new())
    }

    /// Takes the next piece out of what was read, without copying it.
    ///
    /// # Errors
    /// When what was read is no chunk.
    pub fn take(&mut self, unread: &mut BytesMut) -> Result<Taken, Malformed> {
        let (passed, taken) = match self.next(unread)? {
            Piece::Data(slice) => return Ok(Taken::Data(slice.take_from(unread))),
            Piece::Incomplete(passed) => (passed, Taken::Incomplete),
            Piece::End(passed) => (passed, Taken::End),
        };
        unread.advance(passed);
        Ok(taken)
    }

    /// Finds the next piece in what was read, which is then to be taken out of it.
    ///
    /// # Errors
    /// When what was read is no chunk.
    #[inline]
    pub fn next(&mut self, unread: &[u8]) -> Result<Piece, Malformed> {
        match self {
            Self::Length(0) => Ok(Piece::End(0)),
            Self::Chunked(chunked) => chunked.next(unread),
            _ if unread.is_empty() => Ok(Piece::Incomplete(0)),
            Self::Length(remaining) => {
                let length = usize::try_from(*remaining).unwrap_or(usize::MAX).min(unread.len());
                *remaining -= length as u64;
                Ok(Piece::Data(DataSlice { before: 0, length, after: 0 }))
            }
            Self::UntilClose => Ok(Piece::Data(DataSlice { before: 0, length: unread.len(), after: 0 })),
        }
    }

    /// Whether the body is complete where the connection ends.
    #[must_use]
    pub const fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    /// The bytes that are still to come, if that was announced.
    #[must_use]
    pub const fn remaining(&self) -> Option<u64> {
        match self {
            Self::Length(remaining) => Some(*remaining),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Whether nothing is to come any more, as far as it was read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Length(remaining) => *remaining == 0,
            Self::Chunked(chunked) => chunked.is_complete(),
            Self::UntilClose => false,
        }
    }
}
