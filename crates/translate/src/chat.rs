//! OpenAI Chat Completions, and what the many servers with that API make of it.
//!
//! ```text
//! request_reader ─▶ message_reader, tools ─▶ content, reasoning
//! request_writer ─▶ message_writer, tools ─▶ content, reasoning, results
//! response_reader, stream_reader ─▶ answer_reader ─▶ assembler ─▶ calls ─▶ usage, finish, failure
//! response_writer, stream_writer ─▶ pieces ─▶ usage, finish, failure
//! ```
//!
//! Plain and streamed answers share the code that makes events of a provider's pieces ([`assembler`]) and pieces of
//! events ([`pieces`]), so that the two cannot differ.

mod answer_reader;
mod assembler;
mod calls;
mod content;
mod failure;
mod finish;
mod message_reader;
mod message_writer;
mod pieces;
mod reasoning;
mod request_reader;
mod request_writer;
mod response_reader;
mod response_writer;
mod results;
mod stream_reader;
mod stream_writer;
#[cfg(test)]
mod testing;
mod tools;
mod usage;

pub(crate) use request_reader::read as read_request;
pub(crate) use request_writer::write as write_request;
pub(crate) use response_reader::read as read_response;
pub(crate) use response_writer::write as write_response;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;
