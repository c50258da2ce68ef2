//! Gemini's `generateContent`.
//!
//! Requests and answers are made of the same parts, so what a part says is read in one place each:
//!
//! ```text
//! request_reader ─▶ contents_reader, config_reader, tools_reader ─▶ schema, media, signature
//! request_writer ─▶ contents_writer, config_writer, tools_writer ─▶ media, signature
//! response_reader ─▶ stream_reader ─▶ finish, grounding, usage
//! response_writer ─▶ stream_writer ─▶ answer_writer ─▶ finish, grounding, usage
//! ```
//!
//! The wire's names are in camel case. The API takes snake case too, and some clients send it, so [`fields`] reads both.

mod answer_writer;
mod config_reader;
mod config_writer;
mod contents_reader;
mod contents_writer;
mod fields;
mod finish;
mod grounding;
mod media;
mod request_reader;
mod request_writer;
mod response_reader;
mod response_writer;
mod schema;
pub(crate) mod signature;
mod stream_reader;
mod stream_writer;
mod tools_reader;
mod tools_writer;
mod usage;

pub(crate) use request_reader::read as read_request;
pub(crate) use request_writer::write as write_request;
pub(crate) use response_reader::read as read_response;
pub(crate) use response_writer::write as write_response;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;
