//! The common form: what the API formats have in common, so that n readers and n writers do for n² pairs.
//!
//! Everything is made of parts in one order, since signatures, interleaved thinking and caches depend on it. JSON that
//! must survive byte for byte stays a `RawValue`. Opaque reasoning names its owner, so that a writer can tell its own
//! from another maker's (T5).

mod events;
mod opaque;
mod request;

pub(crate) use events::{Block, Citation, Event, Finish, FinishReason, StreamError, TokenUsage};
pub(crate) use opaque::{Opaque, OpaqueKind, Owner};
pub(crate) use request::{
    CacheTtl, Effort, Format, Media, MediaKind, MediaSource, Message, Part, PartKind, Reasoning, Request,
    Role, Sampling, Tool, ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult, Unmapped,
};
