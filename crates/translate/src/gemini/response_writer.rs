//! Writes a plain response.

use super::answer_writer::{AnswerPart, AnswerWriter, error_body};
use crate::form::Event;
use crate::target::AnswerContext;

pub(crate) fn write(events: &[Event], context: &AnswerContext) -> String {
    let mut writer = AnswerWriter::new(context.clone());
    let mut parts: Vec<AnswerPart> = Vec::new();
    let mut ready = Vec::new();
    for event in events {
        if let Event::Error(error) = event {
            return error_body(error);
        }
        writer.push(event, &mut ready);
        for part in ready.drain(..) {
            join(&mut parts, part, matches!(event, Event::Delta(_)));
        }
    }
    writer.chunk(&parts, true)
}

/// Pieces of one text become one part. Whether a piece goes on with the text before it only its block can say, but
/// blocks are no parts here: neighbours of a kind are one text, as in a stream.
fn join(parts: &mut Vec<AnswerPart>, part: AnswerPart, is_piece: bool) {
    if let AnswerPart::Text { text, is_thought, signature: None } = &part
        && is_piece
        && let Some(AnswerPart::Text { text: before, is_thought: kind, .. }) = parts.last_mut()
        && kind == is_thought
    {
        before.push_str(text);
        return;
    }
    parts.push(part);
}
