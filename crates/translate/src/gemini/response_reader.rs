//! Reads a plain response: a stream of one chunk.

use super::stream_reader::StreamReader;
use crate::form::Event;
use crate::target::AnswerContext;

pub(crate) fn read(body: &[u8], context: &AnswerContext) -> Option<Vec<Event>> {
    let mut reader = StreamReader::new(context);
    let mut events = Vec::new();
    reader.push(None, body, &mut events);
    reader.finish(&mut events);
    (reader.has_started() || !events.is_empty()).then_some(events)
}
