//! What is Bedrock's own: which API a model has, and how its requests, responses, streams and errors differ from those of
//! the formats that they hold. Bytes in, bytes out: nothing here does I/O.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html>
//!
//! An arrow means "uses".
//!
//! ```text
//! request ──▶ models        response ──▶ errors
//! events ──▶ event_stream, errors
//! ```

mod errors;
mod event_stream;
mod events;
mod models;
mod request;
mod response;

pub(crate) use events::{EventsError, StreamDecoder};
pub(crate) use models::{dialect, path_segments};
pub(crate) use request::{adapt_headers, count_body, invoke_body};
pub(crate) use response::{adapt_count, adapt_error, clock_problem, is_access_denied, with_error_type};
