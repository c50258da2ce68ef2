//! What an event of a stream means.
//!
//! Every event of every stream is read here, so it is read once, into borrowed structures that hold only what counts.
//! What the provider may add later (a new kind of delta, a new field) must not break a stream: a delta that says
//! anything under any name is content, and an Anthropic event of an unknown type is let through, as Anthropic's
//! versioning rules ask.

mod anthropic;
mod has_content;
mod openai;

use bytes::Bytes;

use crate::error::ErrorBody;
use crate::sse::Frame;
use crate::{Dialect, ResponseMeta, Usage};

/// What an event means for the call it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventClass {
    /// The stream goes its way.
    Progress(Progress),
    /// The provider says that the call has failed.
    Error(ErrorBody),
    /// Not what the dialect promises: what follows cannot be trusted either (C1).
    Invalid,
}

/// What a valid event brings; one event may bring several things. The default brings nothing: a preamble, such as a
/// role, a ping or a comment (C3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The model says something: text, a refusal, thinking, tool input.
    pub content: bool,
    /// The choices that this event belongs to.
    pub choices: Choices,
    /// Those of them that have come to their end: a finish or stop reason was given.
    pub finished: Choices,
    /// The dialect's end marker: `[DONE]`, `message_stop`.
    pub done: bool,
    /// Tokens it reports.
    pub usage: Usage,
}

impl Progress {
    /// Whether a choice has come to its end.
    #[must_use]
    pub const fn has_finish_reason(&self) -> bool {
        !self.finished.is_empty()
    }
}

/// A set of the choices of an answer: OpenAI's `n` asks for several, which are streamed side by side; Anthropic's
/// answers have one. Choices from the 64th on count as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices(u64);

impl Choices {
    /// The set of one.
    #[must_use]
    pub fn single(index: u32) -> Self {
        Self(1 << index.min(u64::BITS - 1))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in either.
    #[must_use]
    pub const fn merge(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in here.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The dialect's end marker, for a stream that lacks nothing else (C3).
#[must_use]
pub const fn end_marker(dialect: Dialect) -> Bytes {
    Bytes::from_static(match dialect {
        Dialect::OpenAiChat => b"data: [DONE]\n\n",
        Dialect::Anthropic => b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    })
}

/// What keeps a connection alive and says nothing, for a stream that has nothing to say yet.
#[must_use]
pub const fn keep_alive(dialect: Dialect) -> Bytes {
    Bytes::from_static(match dialect {
        Dialect::OpenAiChat => b": waiting\n\n",
        Dialect::Anthropic => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
    })
}

/// Says what a frame means. What it tells of the answer's origin goes into `origin`.
pub fn classify_event(dialect: Dialect, frame: &Frame, meta: &mut ResponseMeta) -> EventClass {
    // Without data it is no event: a comment, a blank line, a lone name.
    let Some(data) = frame.data() else { return EventClass::Progress(Progress::default()) };
    let parsed = match dialect {
        Dialect::OpenAiChat => openai::parse(&data, meta),
        Dialect::Anthropic => anthropic::parse(&data, meta),
    };
    match parsed {
        Ok(Some(progress)) => EventClass::Progress(progress),
        Ok(None) => EventClass::Error(ErrorBody::from_ok_body(&data)),
        Err(UnexpectedShape) => EventClass::Invalid,
    }
}

/// Data that is not of the promised shape.
#[derive(Debug)]
struct UnexpectedShape;

impl From<serde_json::Error> for UnexpectedShape {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// `None`: an error of the provider's.
type Parsed = Result<Option<Progress>, UnexpectedShape>;

#[cfg(test)]
mod tests;
