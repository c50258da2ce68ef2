//! The API formats of LLM providers.
//!
//! A gateway that passes calls through unchanged still reads a little of them: the requested model, whether the
//! response is streamed, what the request refers to, whether the stream has produced a token, whether it is complete,
//! and what an error means. This crate knows that for each [`Dialect`]. It also writes the gateway's own messages (an
//! error, a list of models) in the form that the official SDKs expect.
//!
//! # Files
//!
//! An arrow means "uses". A new format is a folder beside `openai_chat`, a variant of [`Dialect`] and one or more of
//! [`Endpoint`]; else only `request` (the fields that a format has) and `error` match on the dialect.
//!
//! ```text
//! events   response   error   models        request        for callers: what all formats have in common
//!    └────────┴──────────┴───────┘              │
//!                 ▼                             ▼
//!              dialect ◀──────────────────── endpoint      the names; the table of formats
//!                 │
//!       ┌─────────┴────┬──────────────┬──────────┐
//!       ▼              ▼              ▼          ▼
//! openai_responses   anthropic     gemini    converse      a folder for each format
//! openai_call          │              │          │         OpenAI's calls that are no conversation: one table
//!       │              │              │          │
//!       ▼              │              │          │
//!  openai_chat         │              │          │
//!       └─────────┬────┴──────────────┴──────────┘
//!                 ▼
//!               format                                    what each format provides (a trait)
//!                 ▼
//!    progress   usage   response_meta   has_content        parts that know no format
//!    error_body   sse   form
//!                 ▼
//!              lenient                                    a value of any type; objects as a table of their fields
//!                 ▼
//!               json                                      a cursor over bytes, which makes no tree
//! ```
//!
//! Callers have four formats, and OpenAI's calls that are no conversation (embeddings, images, audio, …), which pass through in
//! OpenAI's shape: [`OpenAiCall`] is the table of what differs between them. Amazon Bedrock's Converse is one that only providers have.
//!
//! # Errors
//!
//! A provider's error for a caller of another format is rewritten by [`error::translate`].
//!
//! This crate is the first step of the scheme for failures: [`error::ErrorBody`] holds what the provider's words mean
//! ([`error::ErrorCategory`]). The crate `providers` decides from it who is responsible.
//!
//! # Invariants
//!
//! - No I/O, no clock, no other crate of the workspace: bytes in, facts out.
//! - Bytes that are passed on are never re-serialised. [`Request::with_model`] replaces the model's name and nothing
//!   else; [`sse::Frame::raw`] is what came over the wire.
//! - One pass, no document tree: what has to be read quickly (requests, answers, events) is read by the cursor of `json`. It takes
//!   and refuses what `serde_json` does, which explains a bad request and reads errors. Only an event that has nothing of an
//!   answer is read a second time, as it may be an error without the usual field.
//! - An event of a stream that differs from the one before it only in values that nobody reads is compared and not read
//!   ([`EventReader`]), and its end is found by that. Which values those are, the reading itself notes: no format knows of it.
//! - Nothing that may quote a prompt leaves this crate in an error: the text of a provider's message is matched and
//!   dropped, parse errors give a position and no content (C5). Only the caller gets it, by [`error::translate`].

mod anthropic;
mod converse;
mod dialect;
mod endpoint;
pub mod error;
mod error_body;
pub mod events;
mod form;
mod format;
mod gemini;
mod has_content;
mod json;
mod lenient;
pub mod models;
mod openai_call;
mod openai_chat;
mod openai_responses;
mod progress;
mod request;
pub mod response;
mod response_meta;
pub mod sse;
mod usage;

pub use dialect::Dialect;
pub use endpoint::Endpoint;
pub use events::{EventClass, EventReader, StreamFormat, classify_event};
pub use form::{Form, FormError, is_form};
pub use openai_call::OpenAiCall;
pub use progress::{Choices, Progress};
pub use request::{Conversation, Request, RequestError, StoredReference};
pub use response_meta::ResponseMeta;
pub use usage::Usage;
