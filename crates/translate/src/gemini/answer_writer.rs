//! Turns an answer's events into parts, and into the fields around them.
//!
//! Reasoning is shown only to those who ask for it, as Gemini does. Its signature goes out in an envelope on the next
//! part that is no thought, since clients drop thoughts from what they send back (Gemini's own CLI does).

use super::grounding::Sources;
use super::{finish, signature, tools_writer, usage};
use crate::form::{Block, Event, FinishReason, Opaque, OpaqueKind, StreamError, TokenUsage};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::AnswerContext;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AnswerPart {
    Text {
        text: String,
        is_thought: bool,
        signature: Option<String>,
    },
    /// Any other, as JSON.
    Whole(String),
}

impl AnswerPart {
    pub(super) fn write(&self) -> String {
        match self {
            Self::Whole(json) => json.clone(),
            Self::Text { text, is_thought, signature } => {
                let out = ObjectWriter::new().str("text", text);
                let out = if *is_thought { out.bool("thought", true) } else { out };
                out.maybe(signature.as_deref(), |out, value| out.str("thoughtSignature", value)).finish()
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct AnswerWriter {
    context: AnswerContext,
    id: String,
    model: String,
    block: Option<Block>,
    /// Of a call, the arguments so far; of media, the data; of text and reasoning, the text.
    content: String,
    opaque: Option<Opaque>,
    /// The envelope for the next part.
    envelope: Option<String>,
    /// Bytes of text before the open block.
    text_before: usize,
    sources: Sources,
    is_refused: bool,
    has_called: bool,
    finish: Option<FinishReason>,
    detail: Option<String>,
    usage: TokenUsage,
}

impl AnswerWriter {
    pub(super) fn new(context: AnswerContext) -> Self {
        Self {
            id: context.request_id.clone(),
            model: context.owner.model.clone(),
            context,
            block: None,
            content: String::new(),
            opaque: None,
            envelope: None,
            text_before: 0,
            sources: Sources::default(),
            is_refused: false,
            has_called: false,
            finish: None,
            detail: None,
            usage: TokenUsage::default(),
        }
    }

    /// Takes an event, and adds the parts that are ready.
    pub(super) fn push(&mut self, event: &Event, out: &mut Vec<AnswerPart>) {
        match event {
            Event::Start { id, model, .. } => {
                self.id = id.as_ref().filter(|id| !id.is_empty()).unwrap_or(&self.id).clone();
                self.model = model.as_ref().filter(|model| !model.is_empty()).unwrap_or(&self.model).clone();
            }
            Event::Open(block) => self.open(block, out),
            Event::Delta(text) => self.delta(text, out),
            Event::Opaque(opaque) => self.opaque = Some(opaque.clone()),
            Event::Citation(citation) => self.sources.add(citation, &self.content, self.text_before),
            Event::Close => self.close(out),
            Event::Finish(finish) => {
                self.finish = Some(finish.reason);
                self.detail.clone_from(&finish.detail);
                self.flush_envelope(out);
            }
            Event::Usage(usage) => self.usage = self.usage.updated_by(*usage),
            Event::Error(_) => {}
        }
    }

    fn open(&mut self, block: &Block, out: &mut Vec<AnswerPart>) {
        if *block == Block::Reasoning {
            self.flush_envelope(out);
        }
        self.is_refused |= *block == Block::Refusal;
        self.block = Some(block.clone());
        self.content.clear();
    }

    fn delta(&mut self, text: &str, out: &mut Vec<AnswerPart>) {
        if text.is_empty() {
            return;
        }
        self.content.push_str(text);
        match self.block {
            Some(Block::Text | Block::Refusal) => {
                let signature = self.envelope.take();
                out.push(AnswerPart::Text { text: text.to_owned(), is_thought: false, signature });
            }
            Some(Block::Reasoning) if self.context.show_reasoning => {
                out.push(AnswerPart::Text { text: text.to_owned(), is_thought: true, signature: None });
            }
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<AnswerPart>) {
        match self.block.take() {
            Some(Block::Text | Block::Refusal) => self.text_before += self.content.len(),
            Some(Block::Reasoning) => {
                if let Some(opaque) = self.opaque.take() {
                    self.envelope = Some(signature::seal(&opaque, &self.content, &self.context.owner));
                }
            }
            // A client of Gemini's has no namespaces, so it knows the tool by its name alone.
            Some(Block::ToolCall { id, name, custom, .. }) => {
                let args = if custom {
                    ObjectWriter::new().str("input", &self.content).finish()
                } else {
                    tools_writer::arguments(&self.content)
                };
                let call = ObjectWriter::new().str("id", &id).str("name", &name).json("args", &args);
                self.sign_first_call();
                self.whole(ObjectWriter::new().object("functionCall", call), out);
            }
            Some(Block::Media { media_type }) => {
                let blob = ObjectWriter::new().str("mimeType", &media_type).str("data", &self.content);
                self.whole(ObjectWriter::new().object("inlineData", blob), out);
            }
            None => {}
        }
    }

    /// Gemini 3 refuses a turn whose first call has no signature, should the conversation go on there. An envelope with
    /// nothing in it says that the call is another's, and becomes there what Google has for that
    /// ([`signature::SKIP_VALIDATOR`]).
    fn sign_first_call(&mut self) {
        if !self.has_called && self.envelope.is_none() {
            let nothing = Opaque { kind: OpaqueKind::PlainText, data: String::new(), id: None, owner: None };
            self.envelope = Some(signature::seal(&nothing, "", &self.context.owner));
        }
        self.has_called = true;
    }

    fn whole(&mut self, part: ObjectWriter, out: &mut Vec<AnswerPart>) {
        let part = part.maybe(self.envelope.take(), |out, value| out.str("thoughtSignature", &value));
        out.push(AnswerPart::Whole(part.finish()));
    }

    /// An envelope that no part takes gets an empty one, as Gemini does it.
    fn flush_envelope(&mut self, out: &mut Vec<AnswerPart>) {
        if let Some(value) = self.envelope.take() {
            out.push(AnswerPart::Text { text: String::new(), is_thought: false, signature: Some(value) });
        }
    }

    /// A response with these parts.
    pub(super) fn chunk(&self, parts: &[AnswerPart], is_last: bool) -> String {
        let mut list = ArrayWriter::new();
        for part in parts {
            list.push_json(&part.write());
        }
        if list.is_empty() {
            // Google's SDKs take a content without parts for no content, and forget the turn.
            list.push(ObjectWriter::new().str("text", ""));
        }
        let content = ObjectWriter::new().array("parts", list).str("role", "model");
        let candidate = ObjectWriter::new().object("content", content);
        let candidate = if is_last { self.ending(candidate) } else { candidate };
        let mut candidates = ArrayWriter::new();
        candidates.push(candidate.u64("index", 0));
        let out = ObjectWriter::new().array("candidates", candidates);
        let usage = usage::write(self.usage);
        let out = if is_last && !usage.is_empty() { out.object("usageMetadata", usage) } else { out };
        out.str("modelVersion", &self.model).str("responseId", &self.id).finish()
    }

    fn ending(&self, candidate: ObjectWriter) -> ObjectWriter {
        let reason = if self.is_refused { Some(FinishReason::Filtered) } else { self.finish };
        candidate
            .maybe(reason, |out, reason| out.str("finishReason", finish::write(reason)))
            .maybe(self.detail.as_deref(), |out, detail| out.str("finishMessage", detail))
            .maybe(self.sources.write(), |out, sources| out.object("groundingMetadata", sources))
    }

    /// Whether the answer came to its end.
    pub(super) const fn is_finished(&self) -> bool {
        self.finish.is_some()
    }
}

/// An error's body. `error` comes first: Google's Python SDK knows it by that.
pub(super) fn error_body(error: &StreamError) -> String {
    let status = match error.error_type.as_deref() {
        Some(word)
            if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') =>
        {
            word
        }
        _ => status_word(error.status),
    };
    let inner = ObjectWriter::new()
        .u64("code", error.status.into())
        .str("message", &error.message)
        .str("status", status);
    ObjectWriter::new().object("error", inner).finish()
}

/// Google's word for an HTTP status.
const fn status_word(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        400..500 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}
