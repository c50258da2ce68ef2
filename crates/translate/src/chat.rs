//! OpenAI Chat Completions, and what the many servers with that API make of it.
//!
//! ```text
//! request_reader ─▶ message_reader ─▶ content, reasoning      response_reader ┬▶ answer_reader ─▶ assembler
//! request_writer ─▶ message_writer ─▶ content, reasoning      stream_reader   ┘
//!                └▶ tools                                     response_writer ┬▶ pieces
//!                                                             stream_writer   ┘
//! ```
//!
//! Plain and streamed answers share the code that makes events of a provider's pieces ([`assembler`]) and pieces of
//! events ([`pieces`]), so that the two cannot differ.

#[cfg(test)]
mod adhoc;
mod answer_reader;
mod assembler;
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
mod stream_reader;
mod stream_writer;
mod tools;
mod usage;

pub(crate) use request_reader::read as read_request;
pub(crate) use request_writer::write as write_request;
pub(crate) use response_reader::read as read_response;
pub(crate) use response_writer::write as write_response;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;
