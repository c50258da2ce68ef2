//! Writes a plain response.

use super::answer_writer::{self, AnswerParts};
use crate::form::{Block, Event, Finish, FinishReason, Opaque, TokenUsage};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::AnswerContext;

pub(crate) fn write(events: &[Event], context: &AnswerContext) -> String {
    let mut answer = AnswerFold::default();
    for event in events {
        if let Event::Error(error) = event {
            return answer_writer::error(error).finish();
        }
        answer.push(event, context);
    }
    answer.close(context);
    let finish = answer.finish.unwrap_or(const { Finish::new(FinishReason::Stop) });
    let writer = ObjectWriter::new()
        .str("id", &answer_writer::id(answer.id.as_deref(), context))
        .str("type", "message")
        .str("role", "assistant")
        .str("model", answer.model.as_deref().unwrap_or(&context.owner.model))
        .array("content", answer.content);
    answer_writer::stop(writer, &finish, answer.parts)
        .object("usage", answer_writer::usage(answer.usage))
        .finish()
}

struct AnswerFold {
    id: Option<String>,
    model: Option<String>,
    content: ArrayWriter,
    open: Option<(Block, String)>,
    opaque: Option<Opaque>,
    parts: AnswerParts,
    finish: Option<Finish>,
    usage: TokenUsage,
}

impl Default for AnswerFold {
    fn default() -> Self {
        Self {
            id: None,
            model: None,
            content: ArrayWriter::new(),
            open: None,
            opaque: None,
            parts: AnswerParts::default(),
            finish: None,
            usage: TokenUsage::default(),
        }
    }
}

impl AnswerFold {
    fn push(&mut self, event: &Event, context: &AnswerContext) {
        match event {
            Event::Start { id, model, .. } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            Event::Open(block) => {
                self.close(context);
                self.open = Some((block.clone(), String::new()));
            }
            Event::Delta(piece) => {
                if let Some((_, text)) = &mut self.open {
                    text.push_str(piece);
                }
            }
            Event::Opaque(opaque) => self.opaque = Some(opaque.clone()),
            Event::Close => self.close(context),
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::Usage(usage) => self.usage = self.usage.updated_by(*usage),
            Event::Citation(_) | Event::Error(_) => {}
        }
    }

    fn close(&mut self, context: &AnswerContext) {
        let opaque = self.opaque.take();
        let Some((block, text)) = self.open.take() else { return };
        self.parts.refusal |= block == Block::Refusal;
        match block {
            Block::Text | Block::Refusal if text.is_empty() => {}
            Block::Text | Block::Refusal => {
                self.content.push(ObjectWriter::of_type("text").str("text", &text));
            }
            Block::Reasoning => match answer_writer::sealed(opaque.as_ref(), !text.is_empty(), context) {
                Some(sealed) if text.is_empty() => {
                    self.content.push(ObjectWriter::of_type("redacted_thinking").str("data", &sealed));
                }
                Some(sealed) => {
                    let thinking = ObjectWriter::of_type("thinking").str("thinking", &text);
                    self.content.push(thinking.str("signature", &sealed));
                }
                None => {}
            },
            Block::ToolCall { id, name, custom, .. } => {
                self.parts.calls = true;
                let input = if custom {
                    answer_writer::freeform_input(&text)
                } else {
                    answer_writer::input_object(&text)
                };
                self.content.push(answer_writer::call(&id, &name).json("input", &input));
            }
            Block::Media { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::form::{Block, Citation, Event, Finish, FinishReason, Opaque, OpaqueKind};
    use crate::target::AnswerContext;

    #[test]
    fn events_fold_up_to_a_message() {
        let plain = |kind| Event::Opaque(Opaque { kind, data: String::new(), id: None, owner: None });
        let delta = |text: &str| Event::Delta(text.to_owned());
        let call =
            Block::ToolCall { id: "c".to_owned(), name: "f".to_owned(), namespace: None, custom: false };
        let citation =
            Citation { url: "https://a.example".to_owned(), title: None, cited_text: None, span: None };
        let events = [
            Event::Start { id: Some("x".to_owned()), model: Some("n".to_owned()), created: None },
            Event::Open(Block::Reasoning),
            plain(OpaqueKind::PlainText),
            Event::Close,
            Event::Open(Block::Reasoning),
            delta("hm"),
            Event::Close,
            Event::Open(Block::Media { media_type: "image/png".to_owned() }),
            delta("QQ=="),
            Event::Close,
            Event::Open(Block::Text),
            delta("a"),
            delta("b"),
            Event::Citation(citation),
            Event::Close,
            Event::Open(call),
            Event::Close,
            Event::Finish(Finish {
                stop_sequence: Some("s".to_owned()),
                ..Finish::new(FinishReason::StopSequence)
            }),
        ];
        assert_eq!(
            write(&events, &AnswerContext::for_test()),
            r#"{"id":"x","type":"message","role":"assistant","model":"n","content":[{"type":"thinking","thinking":"hm","signature":"c3dpdGNoYm9hcmQ6djE6cGxhaW4KcAptCgo="},{"type":"text","text":"ab"},{"type":"tool_use","id":"c","name":"f","input":{}}],"stop_reason":"stop_sequence","stop_sequence":"s","usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#
        );
    }
}
