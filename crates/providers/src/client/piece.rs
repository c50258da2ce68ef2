//! What was read of a body, and what is no response.

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::ClientError;

/// What was read of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(DataSlice),
    /// More has to be read. So many bytes are passed over.
    Incomplete(usize),
    /// The body is complete. So many bytes are passed over.
    End(usize),
}

/// Where some bytes of a body stand in what was read, and how many before and after them are none of it.
#[derive(Debug)]
pub(super) struct DataSlice {
    pub(super) before: usize,
    pub(super) length: usize,
    pub(super) after: usize,
}

impl DataSlice {
    /// Takes the bytes out of what was read, without copying them.
    #[inline]
    pub(super) fn take_from(self, unread: &mut BytesMut) -> Bytes {
        let end = self.before + self.length;
        let mut bytes = unread.split_to(end + self.after).freeze();
        bytes.truncate(end);
        bytes.advance(self.before);
        bytes
    }
}

/// It is no HTTP/1.1, or such that two readers could read it in two ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Malformed> for ClientError {
    fn from(_: Malformed) -> Self {
        Self::Interrupted
    }
}
