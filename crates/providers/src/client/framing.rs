//! Where the body of a response ends (RFC 9112, section 6.3).

use super::chunked::Chunked;
use super::piece::{DataSlice, Malformed, Piece};

/// How the end of a body is found.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
    /// It ends with the connection.
    UntilClose,
}

impl Framing {
    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunked::new())
    }

    /// Finds the next piece in what was read, which is then to be taken out of it.
    #[inline]
    pub(super) fn next(&mut self, unread: &[u8]) -> Result<Piece, Malformed> {
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
    pub(super) const fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    /// The bytes that are still to come, if that was announced.
    pub(super) const fn remaining(&self) -> Option<u64> {
        match self {
            Self::Length(remaining) => Some(*remaining),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }
}
