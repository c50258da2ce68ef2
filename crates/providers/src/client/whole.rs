//! Reads a response from pieces without a connection, for tests and for the crate `fuzz`.

use bytes::{Buf as _, BytesMut};
use http::HeaderMap;

use super::piece::{Malformed, Piece};
use super::response_head::{HeadReader, IsKept};

/// A response that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct WholeResponse {
    /// Its status.
    pub status: u16,
    /// Its headers, of which a success has only those that are kept.
    pub headers: HeaderMap,
    /// The bytes of its body.
    pub body: Vec<u8>,
    /// Whether another request may follow it on its connection.
    pub is_reusable: bool,
}

/// Why a response was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoResponse {
    /// It is no HTTP/1.1, or can be read in two ways.
    Malformed,
    /// The connection ended before.
    Truncated,
}

impl From<Malformed> for NoResponse {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Reads a response, as a connection does that ends after these pieces.
///
/// # Errors
/// When it is not one, or not a whole one.
pub fn read_response<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    is_kept: IsKept,
    is_to_head: bool,
) -> Result<WholeResponse, NoResponse> {
    let mut pieces = pieces.into_iter();
    let mut unread = BytesMut::new();
    let mut reader = HeadReader::new(is_kept, is_to_head);
    let mut head = loop {
        unread.extend_from_slice(pieces.next().ok_or(NoResponse::Truncated)?);
        if let Some(head) = reader.next(&mut unread)? {
            break head;
        }
    };
    let mut body = Vec::new();
    loop {
        match head.framing.next(&unread)? {
            Piece::Data(slice) => body.extend_from_slice(&slice.take_from(&mut unread)),
            Piece::End(passed) => {
                unread.advance(passed);
                break;
            }
            Piece::Incomplete(passed) => {
                unread.advance(passed);
                match pieces.next() {
                    Some(piece) => unread.extend_from_slice(piece),
                    None if head.framing.ends_with_connection() => break,
                    None => return Err(NoResponse::Truncated),
                }
            }
        }
    }
    // What follows belongs to no request.
    let is_last = unread.is_empty() && pieces.all(<[u8]>::is_empty);
    let is_reusable = head.is_reusable && is_last;
    Ok(WholeResponse { status: head.status.as_u16(), headers: head.headers, body, is_reusable })
}
