//! What was read of a body, and what is no HTTP.

use bytes::Bytes;

/// What was read of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes, which are never none.
    Data(Bytes),
    /// More has to be read.
    Incomplete,
    /// The body is complete.
    End,
}

/// It is no HTTP/1.1, or such that two readers could read it in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no HTTP/1.1 that everybody reads in the same way")]
pub struct Malformed;
