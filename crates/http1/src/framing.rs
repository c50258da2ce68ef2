//! Where a body ends (RFC 9112, section 6.3).

use bytes::BytesMut;

use crate::chunked::Chunked;
use crate::piece::{Malformed, Piece};

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
    pub fn next(&mut self, unread: &mut BytesMut) -> Result<Piece, Malformed> {
        match self {
            Self::Length(0) => Ok(Piece::End),
            Self::Chunked(chunked) => chunked.next(unread),
            _ if unread.is_empty() => Ok(Piece::Incomplete),
            Self::Length(remaining) => {
                let length = usize::try_from(*remaining).unwrap_or(usize::MAX).min(unread.len());
                *remaining -= length as u64;
                Ok(Piece::Data(unread.split_to(length).freeze()))
            }
            Self::UntilClose => Ok(Piece::Data(unread.split().freeze())),
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
