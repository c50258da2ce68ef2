//! The wire formats of the LLM APIs.
//!
//! A gateway that passes calls through untouched still has to read a little of them: which model is asked for,
//! whether the answer is to be streamed, whether the stream has said something yet, whether it came to its end,
//! and what an error means. This crate knows those things for each [`Dialect`], and how to write the few messages
//! of the gateway's own (an error, a list of models) so that the official SDKs understand them.
//!
//! What holds here:
//!
//! - No I/O, no clock, no other crate of the workspace: bytes in, facts out.
//! - Bytes that are passed on are never re-serialised. [`Request::with_model`] replaces the model's name and nothing
//!   else; [`sse::Frame::raw`] is what came over the wire.
//! - One pass, no document tree: every event of every stream comes through [`classify`].
//! - Nothing that may quote a prompt leaves this crate by way of an error: messages of providers are looked at and
//!   dropped, parse errors give a position and no content (C5).

pub mod error;
pub mod events;
pub mod models;
mod request;
pub mod response;
mod response_meta;
pub mod sse;
mod usage;

pub use events::{Choices, EventClass, Progress, classify_event};
pub use request::{Request, RequestError};
pub use response_meta::ResponseMeta;
pub use usage::Usage;

/// A wire format: how requests, answers, streams and errors look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions, which many others speak as well.
    OpenAiChat,
    /// Anthropic's messages.
    Anthropic,
}

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/messages`.
    Messages,
}

impl Endpoint {
    /// Where the gateway serves it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
        }
    }

    /// The dialect that is spoken there.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions => Dialect::OpenAiChat,
            Self::Messages => Dialect::Anthropic,
        }
    }
}
