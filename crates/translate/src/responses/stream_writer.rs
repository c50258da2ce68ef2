//! Writes a stream's events as SSE.

use super::answer_fold::{AnswerFold, Sink};
use crate::form::Event;
use crate::json::ObjectWriter;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamWriter {
    fold: AnswerFold,
    /// The number of the next event.
    sequence: u64,
}

impl StreamWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self { fold: AnswerFold::new(context), sequence: 0 }
    }

    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.fold.push(event, &mut Sse { out, sequence: &mut self.sequence });
    }

    /// The stream ended as it should: the end marker, if the format has one.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.fold.finish(&mut Sse { out, sequence: &mut self.sequence });
    }
}

struct Sse<'a> {
    out: &'a mut Vec<u8>,
    sequence: &'a mut u64,
}

impl Sink for Sse<'_> {
    fn event(&mut self, kind: &str, fields: impl FnOnce(ObjectWriter) -> ObjectWriter) {
        let event = fields(ObjectWriter::of_type(kind).u64("sequence_number", *self.sequence));
        *self.sequence += 1;
        for piece in ["event: ", kind, "\ndata: ", &event.finish(), "\n\n"] {
            self.out.extend_from_slice(piece.as_bytes());
        }
    }
}
