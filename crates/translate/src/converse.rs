//! Amazon Bedrock's Converse and ConverseStream: requests are written and answers read, as no caller uses it.
//!
//! Source: botocore 1.44.8, `bedrock-runtime` 2023-09-30.

mod answer_reader;
mod block;
mod block_writer;
mod media_writer;
mod models;
mod request_writer;
mod response_reader;
mod settings_writer;
mod stream_reader;
mod tool_writer;
mod turn_writer;

pub(crate) use request_writer::write as write_request;
pub(crate) use response_reader::read as read_response;
pub(crate) use stream_reader::StreamReader;

/// The format's name for people.
const FORMAT: &str = "Amazon Bedrock Converse";
