//! Turns the pieces of an answer into events. Streams bring the pieces one by one, a plain response all at once.
//!
//! Blocks come one after the other. A text or reasoning has no start: its first piece opens it; some servers do not end
//! it either, so the next block does.

use dialects::error::ErrorBody;

use crate::form::{
    Block, Citation, Event, Finish, FinishReason, Opaque, OpaqueKind, StreamError, TokenUsage,
};
use crate::json::Object;

/// What of an answer has been read so far.
#[derive(Debug, Default)]
pub(super) struct AnswerReader {
    is_started: bool,
    /// Finished or failed: nothing more counts but usage.
    is_over: bool,
    open: Option<Open>,
    has_calls: bool,
}

#[derive(Debug)]
struct Open {
    index: u64,
    /// `None`: a kind that does not matter, such as a tool that Bedrock ran.
    block: Option<Block>,
    signature: String,
    /// A call's input has begun.
    has_input: bool,
    /// A stream names a text's sources ahead of it; a caller hears of them behind.
    citations: Vec<Citation>,
}

impl AnswerReader {
    pub(super) const fn is_started(&self) -> bool {
        self.is_started
    }

    /// An answer has neither an id nor the model's name.
    pub(super) fn start(&mut self, out: &mut Vec<Event>) {
        if !self.is_started && !self.is_over {
            self.is_started = true;
            out.push(Event::Start { id: None, model: None, created: None });
        }
    }

    /// A call begins. One that Bedrock answers itself is none of the caller's.
    pub(super) fn call(&mut self, index: u64, call: &Object<'_>, out: &mut Vec<Event>) {
        let text = |field: &str| call.string(field).unwrap_or_default();
        let is_own = call.str("type").is_none_or(|kind| kind != "server_tool_use");
        let block = is_own.then(|| Block::ToolCall {
            id: text("toolUseId"),
            name: text("name"),
            namespace: None,
            custom: false,
        });
        self.has_calls |= is_own && !self.is_over;
        self.begin(index, block, out);
    }

    /// A block of a kind that does not matter begins.
    pub(super) fn skip(&mut self, index: u64, out: &mut Vec<Event>) {
        self.begin(index, None, out);
    }

    pub(super) fn text(&mut self, index: u64, text: String, out: &mut Vec<Event>) {
        self.piece(index, &Block::Text, text, out);
    }

    /// A piece of a call's input: JSON text.
    pub(super) fn input(&mut self, index: u64, piece: String, out: &mut Vec<Event>) {
        let Some(open) = self.open.as_mut().filter(|open| open.index == index) else { return };
        if matches!(open.block, Some(Block::ToolCall { .. })) && !piece.is_empty() {
            open.has_input = true;
            out.push(Event::Delta(piece));
        }
    }

    /// Text, a signature or redacted content of reasoning.
    pub(super) fn reasoning(&mut self, index: u64, content: &Object<'_>, out: &mut Vec<Event>) {
        let whole = content.object("reasoningText");
        let content = whole.as_ref().unwrap_or(content);
        if let Some(text) = content.string("text") {
            self.piece(index, &Block::Reasoning, text, out);
        }
        if let Some(signature) = content.string("signature").filter(|text| !text.is_empty()) {
            self.open_or_begin(index, &Block::Reasoning, out);
            if let Some(open) = &mut self.open {
                open.signature.push_str(&signature);
            }
        }
        if let Some(data) = content.string("redactedContent").filter(|data| !data.is_empty()) {
            self.open_or_begin(index, &Block::Reasoning, out);
            self.opaque(OpaqueKind::Redacted, data, out);
        }
    }

    /// Only sources on the web have a counterpart elsewhere.
    pub(super) fn citation(&mut self, index: u64, citation: &Object<'_>, out: &mut Vec<Event>) {
        let web = citation.object("location").and_then(|location| location.object("web"));
        let Some(url) = web.and_then(|web| web.string("url")) else { return };
        self.open_or_begin(index, &Block::Text, out);
        if let Some(open) = &mut self.open {
            let quoted: String =
                citation.objects("sourceContent").iter().filter_map(|part| part.string("text")).collect();
            open.citations.push(Citation {
                url,
                title: citation.string("title"),
                cited_text: (!quoted.is_empty()).then_some(quoted),
                span: None,
            });
        }
    }

    /// A block ends.
    pub(super) fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        if self.open.as_ref().is_some_and(|open| open.index == index) {
            self.close_open(out);
        }
    }

    pub(super) fn finish(&mut self, reason: Option<&str>, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.start(out);
        self.close_open(out);
        self.is_over = true;
        out.push(Event::Finish(Finish::new(finish_reason(reason, self.has_calls))));
    }

    pub(super) fn usage(&mut self, usage: &Object<'_>, out: &mut Vec<Event>) {
        self.start(out);
        let (read, write) = (usage.count("cacheReadInputTokens"), usage.count("cacheWriteInputTokens"));
        let cached = read.unwrap_or(0).saturating_add(write.unwrap_or(0));
        out.push(Event::Usage(TokenUsage {
            input: usage.count("inputTokens").map(|fresh| fresh.saturating_add(cached)),
            cache_read: read,
            cache_write: write,
            output: usage.count("outputTokens"),
            reasoning: None,
        }));
    }

    /// An exception, by its name. `data` is the event.
    pub(super) fn error(&mut self, name: &str, error: &Object<'_>, data: &[u8], out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let message = error.string("message").or_else(|| error.string("Message"));
        out.push(Event::Error(StreamError {
            status: ErrorBody::from_ok_body(data).status.unwrap_or(500),
            error_type: Some(name.to_owned()),
            code: None,
            message: message.unwrap_or_default(),
        }));
    }

    fn piece(&mut self, index: u64, kind: &Block, text: String, out: &mut Vec<Event>) {
        if self.is_over || text.is_empty() {
            return;
        }
        self.open_or_begin(index, kind, out);
        out.push(Event::Delta(text));
    }

    fn open_or_begin(&mut self, index: u64, kind: &Block, out: &mut Vec<Event>) {
        let is_open =
            self.open.as_ref().is_some_and(|open| open.index == index && open.block.as_ref() == Some(kind));
        if !is_open {
            self.begin(index, Some(kind.clone()), out);
        }
    }

    fn begin(&mut self, index: u64, block: Option<Block>, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.start(out);
        self.close_open(out);
        out.extend(block.clone().map(Event::Open));
        self.open =
            Some(Open { index, block, signature: String::new(), has_input: false, citations: Vec::new() });
    }

    fn close_open(&mut self, out: &mut Vec<Event>) {
        let Some(open) = self.open.take() else { return };
        match open.block {
            None => return,
            Some(Block::ToolCall { .. }) if !open.has_input => out.push(Event::Delta("{}".to_owned())),
            Some(Block::Reasoning) if !open.signature.is_empty() => {
                self.opaque(OpaqueKind::Signature, open.signature, out);
            }
            Some(_) => out.extend(open.citations.into_iter().map(Event::Citation)),
        }
        out.push(Event::Close);
    }

    fn opaque(&self, kind: OpaqueKind, data: String, out: &mut Vec<Event>) {
        if !self.is_over {
            out.push(Event::Opaque(Opaque { kind, data, id: None, owner: None }));
        }
    }
}

fn finish_reason(reason: Option<&str>, has_calls: bool) -> FinishReason {
    match reason {
        Some("tool_use") => FinishReason::ToolCalls,
        Some("max_tokens") => FinishReason::Length,
        Some("stop_sequence") => FinishReason::StopSequence,
        Some("guardrail_intervened" | "content_filtered") => FinishReason::Filtered,
        Some("model_context_window_exceeded") => FinishReason::ContextFull,
        Some("malformed_model_output" | "malformed_tool_use") => FinishReason::Malformed,
        _ if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}
