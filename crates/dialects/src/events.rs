//! What an event of a stream means.
//!
//! Every event of every stream is read here, so it is read once, into borrowed structures that hold only what counts.
//! What a provider may add later (a new kind of delta, a new field) must not break a stream: a delta with a value under
//! any name is content, and an event of an unknown type is passed on, as Anthropic's versioning rules require. So are pings,
//! `null` and trace data in formats that have none.

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error_body::ErrorBody;
use crate::format::UnexpectedShape;
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::sse::Frame;

/// What an event means for its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventClass {
    /// A valid event.
    Progress(Progress),
    /// The provider reports that the call has failed.
    Error(ErrorBody),
    /// An event that does not have the shape of the format: what follows cannot be trusted either (C1).
    Invalid,
}

/// The format's end marker, for a stream that lacks nothing else (C3).
#[must_use]
pub fn end_marker(dialect: Dialect) -> Bytes {
    Bytes::from_static(dialect.format().end_marker().as_bytes())
}

/// An event without content, which keeps the connection of a waiting stream alive.
#[must_use]
pub fn keep_alive(dialect: Dialect) -> Bytes {
    Bytes::from_static(dialect.format().keep_alive().as_bytes())
}

/// The last event of a stream that its caller gets as a JSON array (Gemini without `alt=sse`): an item, and the array's
/// end. `is_first`: nothing of the array was sent yet.
#[must_use]
pub fn last_array_item(event: &[u8], is_first: bool) -> Bytes {
    let data = event.strip_prefix(b"data: ").unwrap_or(event).trim_ascii();
    let before: &[u8] = if is_first { b"[" } else { b",\n" };
    [before, data, b"]"].concat().into()
}

/// Classifies a frame. What it says about the response goes into `meta`.
///
/// Only data that cannot be read is invalid (C6): JSON that is no piece of an answer brings nothing and is passed on.
pub fn classify_event(dialect: Dialect, frame: &Frame, meta: &mut ResponseMeta) -> EventClass {
    // Without data it is no event: a comment, a blank line, a lone name.
    let Some(data) = frame.data().filter(|data| !data.trim_ascii().is_empty()) else {
        return EventClass::Progress(Progress::default());
    };
    match dialect.format().read_event(&data, meta) {
        // Its name says it, whatever its data looks like.
        Ok(Some(progress)) if frame.event() == b"error" && progress.brings_nothing() => {
            EventClass::Error(ErrorBody::from_ok_body(&data))
        }
        Ok(Some(progress)) => EventClass::Progress(progress),
        Ok(None) => EventClass::Error(ErrorBody::from_ok_body(&data)),
        Err(UnexpectedShape) => EventClass::Invalid,
    }
}

#[cfg(test)]
mod tests;
