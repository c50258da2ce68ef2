//! Reads a plain response.

use super::assembler::Assembler;
use super::{answer_reader, failure};
use crate::form::Event;
use crate::json::{Object, items};
use crate::target::AnswerContext;

/// `None`: the body is no chat completion, nor an error.
pub(crate) fn read(body: &[u8], context: &AnswerContext) -> Option<Vec<Event>> {
    // OpenRouter sends blanks ahead of the JSON, which the parser takes.
    let body = Object::parse(body)?;
    let mut out = Vec::new();
    let mut assembler = Assembler::new(context);
    let Some(choices) = body.raw("choices").and_then(items) else {
        assembler.error(failure::read(&body)?, &mut out);
        return Some(out);
    };
    answer_reader::read_head(&body, &mut assembler);
    let choices: Vec<Object<'_>> = choices.into_iter().filter_map(Object::of).collect();
    // A caller of another format asked for one answer.
    let first = choices.iter().find(|choice| choice.u64("index") == Some(0)).or_else(|| choices.first());
    if let Some(choice) = first {
        answer_reader::read_choice(&body, choice, true, &mut assembler, &mut out);
    }
    match failure::read(&body) {
        Some(error) => assembler.error(error, &mut out),
        None => assembler.finish(&mut out),
    }
    Some(out)
}
