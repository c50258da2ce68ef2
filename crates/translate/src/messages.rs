//! Anthropic Messages (`POST /v1/messages`), as of the API version 2023-06-01.

mod answer_reader;
mod answer_writer;
mod block_reader;
mod block_writer;
mod request_reader;
mod request_writer;
mod response_reader;
mod response_writer;
mod schema;
mod stream_reader;
mod stream_writer;
mod thinking_writer;
mod tool_reader;
mod tool_writer;
mod turn_writer;

pub(crate) use request_reader::read as read_request;
pub(crate) use request_writer::write as write_request;
pub(crate) use response_reader::read as read_response;
pub(crate) use response_writer::write as write_response;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;

/// The format's name for people.
const FORMAT: &str = "Anthropic Messages";
