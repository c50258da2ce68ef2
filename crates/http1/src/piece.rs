//! What was found of a body, and what is no HTTP.

use bytes::{Buf as _, Bytes, BytesMut};

/// What was found of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes, which are never none.
    Data(DataSlice),
    /// More has to be read. So many bytes are passed over.
    Incomplete(usize),
    /// The body is complete. So many bytes are passed over.
    End(usize),
}

/// Where some bytes of a body stand in what was read, and how many before and after them are none of it.
#[derive(Debug, PartialEq, Eq)]
pub struct DataSlice {
    pub(crate) before: usize,
    pub(crate) length: usize,
    pub(crate) after: usize,
}

impl DataSlice {
    /// Takes the bytes out of what was read, without copying them.
    #[inline]
    #[must_use]
    pub fn take_from(self, unread: &mut BytesMut) -> Bytes {
        let end = self.before + self.length;
        let mut bytes = unread.split_to(end + self.after).freeze();
        bytes.truncate(end);
        bytes.advance(self.before);
        bytes
    }
}

/// It is no HTTP/1.1, or such that two readers could read it in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no HTTP/1.1 that everybody reads in the same way")]
pub struct Malformed;
