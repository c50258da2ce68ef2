//! From one API format to another: requests, responses, streams, errors.
//!
//! A chain crosses makers, so a caller's request may have to be answered by a model of another API format. Used only
//! then: where both sides speak the same format, bytes pass through untouched, but for envelopes
//! ([`restore_envelopes`]).
//!
//! ```text
//!  caller's request ──reader──▶ form::Request ──writer──▶ provider's request
//!  provider's answer ─reader──▶ form::Event…  ──writer──▶ caller's answer       (plain or streamed)
//! ```
//!
//! A format is a folder (`chat`, `responses`, `messages`, `gemini`) with a reader and a writer each of
//! requests, responses and streams. None knows another; they meet in `form`. No caller uses `converse`, which writes
//! requests and reads answers only. [`Bridge`] joins a stream's reader and writer. A plain response is read into the same
//! events as a stream, so the two cannot differ.
//!
//! What holds here:
//!
//! - No I/O, no clock, no chance, no order of a hash map: the same request and target give the same bytes (T4).
//! - Readers accept, writers refuse: a reader takes whatever a client or provider sends; a writer says what its target
//!   cannot carry ([`CannotCarry`]) and what it left out without harm (T3).
//! - Tool inputs, schemas, ids and text stay byte for byte.
//! - Opaque reasoning leaves only in an `envelope` and comes back only to its maker (T5).
//! - Nothing panics, whatever comes; what is kept is bounded by what came.
//!
//! ```text
//! lib ─▶ own_format ─▶ envelope, json
//! lib ─▶ bridge ─▶ restore ─▶ names        chat, responses, messages, gemini, converse ─▶ target ─▶ abilities, names
//!            └───▶ caller, caller_fields, chat, …                                              └─▶ envelope, form, json
//!                                         messages, converse ─▶ tool_rules ─▶ form, target
//! ```

mod abilities;
mod bridge;
mod caller;
mod caller_fields;
mod chat;
mod claude_thinking;
mod converse;
mod count;
mod envelope;
mod form;
mod gemini;
mod json;
#[cfg(test)]
mod laws;
mod messages;
mod names;
mod own_format;
mod request_error;
mod responses;
mod restore;
mod target;
mod tool_rules;

pub use bridge::{Bridge, CallerOptions, CallerRequest, Translation};
pub use own_format::{restore_envelopes, strip_reasoning};
pub use request_error::RequestError;
pub use target::{CannotCarry, Target};
