//! Reads a stream's chunks.

use super::assembler::Assembler;
use super::{answer_reader, failure};
use crate::form::Event;
use crate::json::Object;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamReader {
    assembler: Assembler,
    /// The index of the choice that is read: the first one that came.
    choice: Option<u64>,
}

impl StreamReader {
    pub(crate) fn new(context: &AnswerContext) -> Self {
        Self { assembler: Assembler::new(context), choice: None }
    }

    /// Takes one event: its SSE name, if it has one, and its data.
    pub(crate) fn push(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<Event>) {
        if self.assembler.failed() {
            return;
        }
        let Some(body) = Object::parse(data) else { return };
        answer_reader::read_head(&body, &mut self.assembler);
        for choice in body.objects("choices") {
            let index = choice.u64("index").unwrap_or(0);
            if *self.choice.get_or_insert(index) != index {
                continue;
            }
            answer_reader::read_choice(&body, &choice, false, &mut self.assembler, out);
            if choice.str("finish_reason").is_some_and(|reason| !reason.is_empty()) {
                // The reason itself waits for the end: some servers name another one later, or go on with calls.
                self.assembler.close(out);
            }
        }
        if let Some(error) = failure::read(&body) {
            self.assembler.error(error, out);
        } else if name == Some("error") || body.str("object").as_deref() == Some("error") {
            self.assembler.error(failure::read_whole(&body), out);
        }
    }

    /// The stream ended as it should.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        self.assembler.finish(out);
    }
}
