//! HTTP/1.1 as bytes (RFC 9112): what the client of providers and the server of clients read in the same way.
//!
//! A body is taken out of what was read as slices of it, so it is never copied. Both sides have their own heads: a client
//! keeps few fields of a response, a server all of a request.
//!
//! Invariants:
//! - No I/O and no clock: pure functions of the bytes that came. However they were cut, the result is the same.
//! - What two readers could read in two ways is [`Malformed`].
//!
//! An arrow means "uses".
//!
//! ```text
//! framing ──▶ chunked ──▶ piece ◀── head    write
//! ```

mod chunked;
mod framing;
mod head;
mod piece;
mod write;

pub use chunked::Chunked;
pub use framing::{Framing, Taken};
pub use head::{BodyFields, blank_lines, head_length, request_head_length};
pub use piece::{DataSlice, Malformed, Piece};
pub use write::{push_content_length, push_field, push_number_field};
