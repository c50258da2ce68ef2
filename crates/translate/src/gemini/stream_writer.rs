//! Writes a stream: SSE, or one JSON array for those who do not say `alt=sse`.

use super::answer_writer::{AnswerWriter, error_body};
use crate::form::Event;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamWriter {
    answer: AnswerWriter,
    json_array: bool,
    has_begun: bool,
    has_ended: bool,
}

impl StreamWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            json_array: context.json_array,
            answer: AnswerWriter::new(context),
            has_begun: false,
            has_ended: false,
        }
    }

    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        if let Event::Error(error) = event {
            self.chunk(&error_body(error), out);
            self.end(out);
            return;
        }
        let mut parts = Vec::new();
        self.answer.push(event, &mut parts);
        if !parts.is_empty() {
            let chunk = self.answer.chunk(&parts, false);
            self.chunk(&chunk, out);
        }
    }

    /// The stream ended as it should: the last chunk, with the reason and the usage.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        if self.answer.is_finished() {
            let chunk = self.answer.chunk(&[], true);
            self.chunk(&chunk, out);
        }
        self.end(out);
    }

    /// Google's framing, which its SDKs take to the letter: `data: `, JSON, a blank line; nothing else.
    fn chunk(&mut self, json: &str, out: &mut Vec<u8>) {
        let (before, behind): (&[u8], &[u8]) = match (self.json_array, self.has_begun) {
            (false, _) => (b"data: ", b"\r\n\r\n"),
            (true, false) => (b"[", b""),
            (true, true) => (b",\r\n", b""),
        };
        self.has_begun = true;
        out.extend_from_slice(before);
        out.extend_from_slice(json.as_bytes());
        out.extend_from_slice(behind);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.has_ended = true;
        if self.json_array {
            out.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
        }
    }
}
