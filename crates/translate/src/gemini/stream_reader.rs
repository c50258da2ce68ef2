//! Reads a stream's chunks, each a response with what is new.
//!
//! Only the end of the stream ends the answer: the reason may come ahead of the last parts, behind them, or with every
//! chunk.

use std::collections::HashSet;

use super::fields::{Fields, list};
use super::{finish, grounding, signature, usage};
use crate::form::{
    Block, Citation, Event, Finish, FinishReason, Opaque, OpaqueKind, StreamError, TokenUsage,
};
use crate::json::items;
use crate::names::derived_id;
use crate::target::AnswerContext;

/// Parts of tools that the provider runs.
const HOSTED: [&str; 4] = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

#[derive(Debug)]
pub(crate) struct StreamReader {
    request_id: String,
    response_id: Option<String>,
    has_started: bool,
    has_ended: bool,
    open: Open,
    /// The open block of text so far, which sources point into.
    text: String,
    /// Sources for that block, so far, and which they are: later chunks repeat what earlier ones said.
    sources: Vec<Citation>,
    known_sources: HashSet<(String, Option<(u64, u64)>)>,
    /// A signature on an empty text. It is told when the text before it is over.
    signature: Option<String>,
    calls: usize,
    usage: TokenUsage,
    finish: Option<String>,
    /// Why it was blocked or stopped, in words.
    detail: Option<String>,
    blocked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Reasoning,
}

impl StreamReader {
    pub(crate) fn new(context: &AnswerContext) -> Self {
        Self {
            request_id: context.request_id.clone(),
            response_id: None,
            has_started: false,
            has_ended: false,
            open: Open::Nothing,
            text: String::new(),
            sources: Vec::new(),
            known_sources: HashSet::new(),
            signature: None,
            calls: 0,
            usage: TokenUsage::default(),
            finish: None,
            detail: None,
            blocked: false,
        }
    }

    /// Takes one event: its SSE name, if it has one, and its data. A chunk may also be a list of chunks.
    pub(crate) fn push(&mut self, _name: Option<&str>, data: &[u8], out: &mut Vec<Event>) {
        if let Some(chunk) = Fields::parse(data) {
            self.chunk(&chunk, out);
        } else if let Ok(raw) = serde_json::from_slice::<&serde_json::value::RawValue>(data) {
            for chunk in items(raw).unwrap_or_default().into_iter().filter_map(Fields::of) {
                self.chunk(&chunk, out);
            }
        }
    }

    /// Whether anything of an answer has come.
    pub(super) const fn has_started(&self) -> bool {
        self.has_started
    }

    /// The stream ended as it should.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        if self.has_ended || !self.has_started {
            return;
        }
        self.has_ended = true;
        self.end_block(out);
        self.tell_signature(out);
        let reason = match self.finish.take() {
            None if self.blocked => FinishReason::Filtered,
            reason => finish::read(reason.as_deref().unwrap_or_default(), self.calls > 0),
        };
        out.push(Event::Finish(Finish { detail: self.detail.take(), ..Finish::new(reason) }));
    }

    fn chunk(&mut self, chunk: &Fields<'_>, out: &mut Vec<Event>) {
        if self.has_ended {
            return;
        }
        if let Some(error) = chunk.error() {
            self.has_ended = true;
            out.push(Event::Error(read_error(&error)));
            return;
        }
        self.start(chunk, out);
        if let Some(feedback) = chunk.object("promptFeedback")
            && let Some(reason) = feedback.filled("blockReason")
        {
            self.blocked = true;
            self.detail = Some(feedback.filled("blockReasonMessage").unwrap_or(reason));
        }
        let candidates = chunk.objects("candidates");
        if let Some(candidate) = candidates.iter().find(|candidate| candidate.u64("index").unwrap_or(0) == 0)
        {
            self.candidate(candidate, out);
        }
        if let Some(told) = chunk.object("usageMetadata") {
            let before = std::mem::take(&mut self.usage);
            self.usage = usage::read(&told, before);
            if self.usage != before {
                out.push(Event::Usage(self.usage));
            }
        }
    }

    fn start(&mut self, chunk: &Fields<'_>, out: &mut Vec<Event>) {
        const TOLD: [&str; 4] = ["promptFeedback", "usageMetadata", "responseId", "modelVersion"];
        let tells =
            || TOLD.iter().any(|key| chunk.raw(key).is_some()) || !chunk.objects("candidates").is_empty();
        if self.has_started || !tells() {
            return;
        }
        self.has_started = true;
        self.response_id = chunk.filled("responseId");
        out.push(Event::Start {
            id: self.response_id.clone(),
            model: chunk.filled("modelVersion"),
            created: None,
        });
    }

    fn candidate(&mut self, candidate: &Fields<'_>, out: &mut Vec<Event>) {
        let parts = candidate
            .object("content")
            .and_then(|content| content.raw("parts"))
            .map(list)
            .unwrap_or_default();
        for part in parts.into_iter().filter_map(Fields::of) {
            self.part(&part, out);
        }
        if self.open == Open::Text {
            for source in grounding::read(candidate, &self.text) {
                if self.known_sources.insert((source.url.clone(), source.span)) {
                    self.sources.push(source);
                }
            }
        }
        if let Some(reason) =
            candidate.filled("finishReason").filter(|reason| reason != "FINISH_REASON_UNSPECIFIED")
        {
            self.finish = Some(reason);
        }
        if let Some(message) = candidate.filled("finishMessage") {
            self.detail = Some(message);
        }
    }

    fn part(&mut self, part: &Fields<'_>, out: &mut Vec<Event>) {
        // What Gemini's own tools did is no call of the client's.
        if HOSTED.iter().any(|key| part.raw(key).is_some()) {
            return;
        }
        let value = part.filled("thoughtSignature");
        let text = part.str("text").unwrap_or_default();
        if let Some(call) = part.object("functionCall") {
            self.call(&call, value.as_deref(), out);
        } else if let Some(blob) = part.object("inlineData") {
            self.media(&blob, value.as_deref(), out);
        } else if part.bool("thought") == Some(true) {
            if !text.is_empty() {
                self.delta(Open::Reasoning, &text, out);
            }
            if let Some(value) = value {
                self.switch(Open::Reasoning, out);
                out.push(Event::Opaque(opaque(signature::at_thought(&value))));
                self.end_block(out);
            }
        } else if !text.is_empty() {
            // Of a text that has begun it is told behind it, so that the text stays in one piece.
            match value {
                Some(value) if self.open == Open::Text => {
                    self.delta(Open::Text, &text, out);
                    self.wait(value, out);
                }
                Some(value) => {
                    self.end_block(out);
                    self.tell_signature(out);
                    signed(value, out);
                    self.delta(Open::Text, &text, out);
                }
                None => self.delta(Open::Text, &text, out),
            }
        } else if let Some(value) = value {
            self.wait(value, out);
        }
    }

    /// Keeps a signature until its text is over: more of it, or its sources, may come in a later chunk.
    fn wait(&mut self, value: String, out: &mut Vec<Event>) {
        if self.signature.is_some() || self.open == Open::Reasoning {
            self.end_block(out);
            self.tell_signature(out);
        }
        self.signature = Some(value);
    }

    fn call(&mut self, call: &Fields<'_>, signature: Option<&str>, out: &mut Vec<Event>) {
        // Only Vertex sends arguments in pieces, and only to those who ask for it.
        let Some(name) = call.filled("name") else { return };
        self.end_block(out);
        self.tell_signature(out);
        let index = self.calls.to_string();
        self.calls += 1;
        let of = self.response_id.as_deref().unwrap_or(&self.request_id);
        let id = call.filled("id").unwrap_or_else(|| derived_id("call_", &[of, &index]));
        if let Some(value) = signature {
            signed(signature::at_call(&id, value), out);
        }
        out.push(Event::Open(Block::ToolCall { id, name, namespace: None, custom: false }));
        out.push(Event::Delta(call.raw("args").map_or("{}", |args| args.get()).to_owned()));
        out.push(Event::Close);
    }

    fn media(&mut self, blob: &Fields<'_>, signature: Option<&str>, out: &mut Vec<Event>) {
        let Some(data) = blob.filled("data") else { return };
        self.end_block(out);
        self.tell_signature(out);
        if let Some(value) = signature {
            signed(value.to_owned(), out);
        }
        out.push(Event::Open(Block::Media { media_type: blob.string("mimeType").unwrap_or_default() }));
        out.push(Event::Delta(data));
        out.push(Event::Close);
    }

    fn delta(&mut self, kind: Open, text: &str, out: &mut Vec<Event>) {
        self.switch(kind, out);
        if kind == Open::Text {
            self.text.push_str(text);
        }
        out.push(Event::Delta(text.to_owned()));
    }

    /// Opens a block of a kind unless it is open.
    fn switch(&mut self, kind: Open, out: &mut Vec<Event>) {
        if self.open == kind {
            return;
        }
        self.end_block(out);
        self.tell_signature(out);
        self.open = kind;
        out.push(Event::Open(if kind == Open::Text { Block::Text } else { Block::Reasoning }));
    }

    fn end_block(&mut self, out: &mut Vec<Event>) {
        if self.open == Open::Nothing {
            return;
        }
        out.extend(self.sources.drain(..).map(Event::Citation));
        self.known_sources.clear();
        self.text.clear();
        self.open = Open::Nothing;
        out.push(Event::Close);
    }

    /// A signature that waited for the end of its text. No block is open.
    fn tell_signature(&mut self, out: &mut Vec<Event>) {
        if let Some(value) = self.signature.take() {
            signed(value, out);
        }
    }
}

/// Reasoning without a text: a signature.
fn signed(data: String, out: &mut Vec<Event>) {
    out.push(Event::Open(Block::Reasoning));
    out.push(Event::Opaque(opaque(data)));
    out.push(Event::Close);
}

const fn opaque(data: String) -> Opaque {
    Opaque { kind: OpaqueKind::ThoughtSignature, data, id: None, owner: None }
}

fn read_error(error: &Fields<'_>) -> StreamError {
    let status = error.u64("code").and_then(|code| u16::try_from(code).ok());
    StreamError {
        status: status.filter(|status| (400..600).contains(status)).unwrap_or(500),
        error_type: error.filled("status"),
        code: None,
        message: error.string("message").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
