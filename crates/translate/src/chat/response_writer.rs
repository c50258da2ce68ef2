//! Writes a plain response.

use super::pieces::{Piece, Pieces};
use super::{failure, finish, usage};
use crate::form::{Event, FinishReason, TokenUsage};
use crate::json::ObjectWriter;
use crate::names::derived_id;
use crate::target::AnswerContext;

pub(crate) fn write(events: &[Event], context: &AnswerContext) -> String {
    let mut head = Head::default();
    let mut pieces = Pieces::new(context.owner.clone());
    let mut message = Message::default();
    let (mut reason, mut tokens) = (FinishReason::Stop, TokenUsage::default());
    let mut out = Vec::new();
    for event in events {
        match event {
            Event::Start { id, model, created } => {
                head = Head::of(id.as_deref(), model.as_deref(), *created, context);
            }
            Event::Finish(finish) => reason = finish.reason,
            Event::Usage(update) => tokens = tokens.updated_by(*update),
            Event::Error(error) => return failure::write(error),
            other => pieces.push(other, &mut out),
        }
        out.drain(..).for_each(|piece| message.push(piece));
    }
    if head.id.is_empty() {
        head = Head::of(None, None, None, context);
    }
    let choice = ObjectWriter::new()
        .u64("index", 0)
        .object("message", message.finish())
        .null("logprobs")
        .str("finish_reason", finish::as_str(reason));
    let body = head.write("chat.completion").array("choices", [choice].into_iter().collect());
    body.maybe(usage::write(tokens), |body, tokens| body.object("usage", tokens)).finish()
}

/// What heads an answer and each chunk of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) id: String,
    model: String,
    created: u64,
}

impl Head {
    pub(super) fn of(
        id: Option<&str>,
        model: Option<&str>,
        created: Option<u64>,
        context: &AnswerContext,
    ) -> Self {
        let derived = || derived_id("chatcmpl-", &[&context.request_id]);
        Self {
            id: id.filter(|id| !id.is_empty()).map_or_else(derived, ToOwned::to_owned),
            model: model.filter(|model| !model.is_empty()).unwrap_or(&context.owner.model).to_owned(),
            created: created.unwrap_or(context.created),
        }
    }

    pub(super) fn write(&self, object: &str) -> ObjectWriter {
        let head = ObjectWriter::new().str("id", &self.id).str("object", object);
        head.u64("created", self.created).str("model", &self.model)
    }
}

/// The message that the pieces add up to.
#[derive(Debug, Default)]
struct Message {
    text: String,
    refusal: String,
    reasoning: String,
    details: Vec<ObjectWriter>,
    annotations: Vec<ObjectWriter>,
    images: Vec<ObjectWriter>,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    custom: bool,
    arguments: String,
}

impl Message {
    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.text.push_str(&text),
            Piece::Refusal(text) => self.refusal.push_str(&text),
            Piece::Reasoning(text) => self.reasoning.push_str(&text),
            Piece::Detail(item) => self.details.push(item),
            Piece::Annotation(item) => self.annotations.push(item),
            Piece::Image(item) => self.images.push(item),
            Piece::Call { id, name, custom } => {
                self.calls.push(Call { id, name, custom, arguments: String::new() });
            }
            Piece::Arguments { text, .. } => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text);
                }
            }
        }
    }

    fn finish(self) -> ObjectWriter {
        let no_content = self.text.is_empty() && (!self.calls.is_empty() || !self.refusal.is_empty());
        let message = ObjectWriter::new().str("role", "assistant");
        let message = if no_content { message.null("content") } else { message.str("content", &self.text) };
        let mut message = match self.refusal.as_str() {
            "" => message.null("refusal"),
            refusal => message.str("refusal", refusal),
        };
        if !self.reasoning.is_empty() {
            message = message.str("reasoning_content", &self.reasoning);
        }
        let lists =
            [("reasoning_details", self.details), ("annotations", self.annotations), ("images", self.images)];
        for (field, list) in lists {
            if !list.is_empty() {
                message = message.array(field, list.into_iter().collect());
            }
        }
        if !self.calls.is_empty() {
            message = message.array("tool_calls", self.calls.iter().map(Call::write).collect());
        }
        message
    }
}

impl Call {
    fn write(&self) -> ObjectWriter {
        let inner = ObjectWriter::new().str("name", &self.name);
        let call = ObjectWriter::new().str("id", &self.id);
        if self.custom {
            call.str("type", "custom").object("custom", inner.str("input", &self.arguments))
        } else {
            call.str("type", "function").object("function", inner.str("arguments", &self.arguments))
        }
    }
}
