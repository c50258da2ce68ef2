//! Writes a plain response.

use super::answer_writer::{self, Seen};
use crate::envelope;
use crate::form::{Block, Event, Finish, FinishReason, OpaqueKind, TokenUsage};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::AnswerContext;

pub(crate) fn write(events: &[Event], context: &AnswerContext) -> String {
    let mut answer = Answer::default();
    for event in events {
        if let Event::Error(error) = event {
            return answer_writer::error(error).finish();
        }
        answer.push(event, context);
    }
    answer.close();
    let finish = answer.finish.unwrap_or(const { Finish::new(FinishReason::Stop) });
    let writer = ObjectWriter::new()
        .str("id", &answer_writer::id(answer.id.as_deref(), context))
        .str("type", "message")
        .str("role", "assistant")
        .str("model", answer.model.as_deref().unwrap_or(&context.owner.model))
        .array("content", answer.content);
    answer_writer::stop(writer, &finish, answer.seen)
        .object("usage", answer_writer::usage(answer.usage))
        .finish()
}

struct Answer {
    id: Option<String>,
    model: Option<String>,
    content: ArrayWriter,
    open: Option<(Block, String)>,
    sealed: Option<String>,
    seen: Seen,
    finish: Option<Finish>,
    usage: TokenUsage,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            id: None,
            model: None,
            content: ArrayWriter::new(),
            open: None,
            sealed: None,
            seen: Seen::default(),
            finish: None,
            usage: TokenUsage::default(),
        }
    }
}

impl Answer {
    fn push(&mut self, event: &Event, context: &AnswerContext) {
        match event {
            Event::Start { id, model, .. } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            Event::Open(block) => {
                self.close();
                self.open = Some((block.clone(), String::new()));
            }
            Event::Delta(piece) => {
                if let Some((_, text)) = &mut self.open {
                    text.push_str(piece);
                }
            }
            Event::Opaque(opaque) => {
                // Text that its maker wants back is nothing without the text.
                let has_text = self.open.as_ref().is_some_and(|(_, text)| !text.is_empty());
                if has_text || opaque.kind != OpaqueKind::Plain {
                    self.sealed = Some(envelope::seal(opaque, &context.owner));
                }
            }
            Event::Close => self.close(),
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::Usage(usage) => self.usage = self.usage.updated_by(*usage),
            Event::Citation(_) | Event::Error(_) => {}
        }
    }

    fn close(&mut self) {
        let sealed = self.sealed.take();
        let Some((block, text)) = self.open.take() else { return };
        self.seen.refusal |= block == Block::Refusal;
        match block {
            Block::Text | Block::Refusal if text.is_empty() => {}
            Block::Text | Block::Refusal => {
                self.content.push(ObjectWriter::of_type("text").str("text", &text))
            }
            Block::Reasoning if text.is_empty() => {
                if let Some(sealed) = sealed {
                    self.content.push(ObjectWriter::of_type("redacted_thinking").str("data", &sealed));
                }
            }
            Block::Reasoning => {
                let thinking = ObjectWriter::of_type("thinking").str("thinking", &text);
                self.content.push(thinking.str("signature", &sealed.unwrap_or_default()));
            }
            Block::ToolCall { id, name, custom, .. } => {
                self.seen.calls = true;
                let input = if custom {
                    answer_writer::freeform_input(&text)
                } else {
                    answer_writer::input_object(&text)
                };
                let call = ObjectWriter::of_type("tool_use").str("id", &id).str("name", &name);
                self.content.push(call.json("input", &input));
            }
            Block::Media { .. } => {}
        }
    }
}
