//! The format of OpenAI's Responses API.
//!
//! ```text
//! request_reader ─▶ content, tools     request_writer ─▶ input, tools ─▶ schema
//! response_reader, stream_reader ─▶ item_reader     what comes is read item by item
//! response_writer, stream_writer ─▶ answer_fold ─▶ item, snapshot     a plain response is what a stream ends with
//! ```

mod answer_fold;
mod content;
mod draft;
mod echo;
mod input;
mod item;
mod item_reader;
mod losses;
mod request_reader;
mod request_writer;
mod response_reader;
mod response_writer;
mod schema;
mod snapshot;
mod stream_reader;
mod stream_writer;
mod terminal;
mod tools;

#[cfg(test)]
mod tests;

pub(crate) use echo::echo;
pub(crate) use request_reader::read as read_request;
pub(crate) use request_writer::write as write_request;
pub(crate) use response_reader::read as read_response;
pub(crate) use response_writer::write as write_response;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;

use crate::json::Object;

/// Stands between the parts of a reasoning item, which are paragraphs.
const PARAGRAPH: &str = "\n\n";

/// The readable text of a reasoning item: its summary, or else what open models tell in full.
fn reasoning_text(item: &Object<'_>) -> String {
    let joined = |field: &str| {
        let texts: Vec<String> = item
            .objects(field)
            .iter()
            .filter_map(|part| part.string("text"))
            .filter(|text| !text.is_empty())
            .collect();
        texts.join(PARAGRAPH)
    };
    let summary = joined("summary");
    if summary.is_empty() { joined("content") } else { summary }
}
