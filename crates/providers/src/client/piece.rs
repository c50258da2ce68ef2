//! What was read of a body, and what is no response.

use bytes::Bytes;

use super::error::ClientError;

/// What was read of a body.
pub(super) enum Piece {
    Data(Bytes),
    /// More has to be read.
    Incomplete,
    End,
}

/// It is no HTTP/1.1, or such that two readers could read it in two ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Malformed> for ClientError {
    fn from(_: Malformed) -> Self {
        Self::Interrupted
    }
}
