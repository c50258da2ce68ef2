//! Turns the pieces of an answer into events. Streams bring the pieces one by one, a plain response all at once.

use std::collections::VecDeque;

use serde_json::value::RawValue;

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
    /// Blocks that have begun and not been passed on to the end. Only the first one is passed on as it comes; should a provider
    /// interleave, the others wait for it.
    blocks: VecDeque<Pending>,
    has_calls: bool,
    counts: Counts,
}

#[derive(Debug)]
struct Pending {
    index: u64,
    /// `None`: a kind that does not matter, such as a tool that the provider ran.
    block: Option<Block>,
    is_open: bool,
    is_done: bool,
    /// What waits for the blocks before.
    events: Vec<Event>,
    /// A call's whole input, should no piece of it come.
    whole_input: Option<String>,
    signature: String,
    has_text: bool,
    is_redacted: bool,
}

impl AnswerReader {
    pub(super) const fn is_started(&self) -> bool {
        self.is_started
    }

    /// The message without its content.
    pub(super) fn start(&mut self, message: Option<&Object<'_>>, out: &mut Vec<Event>) {
        if self.is_started {
            return;
        }
        self.is_started = true;
        let said = |field: &str| message?.string(field).filter(|text| !text.is_empty());
        out.push(Event::Start { id: said("id"), model: said("model"), created: None });
        if let Some(usage) = message.and_then(|message| message.object("usage")) {
            self.usage(&usage, out);
        }
    }

    /// A block begins; a plain response's is whole already.
    pub(super) fn open(&mut self, index: u64, content: &Object<'_>, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.start(None, out);
        let text = |field: &str| content.string(field).unwrap_or_default();
        let kind = content.str("type");
        let block = match kind.as_deref() {
            Some("text") => Some(Block::Text),
            Some("thinking" | "redacted_thinking") => Some(Block::Reasoning),
            Some("tool_use") => {
                self.has_calls = true;
                Some(Block::ToolCall { id: text("id"), name: text("name"), namespace: None, custom: false })
            }
            _ => None,
        };
        self.await_block(index, block);
        if let Some(block) = self.blocks.back_mut() {
            block.signature = text("signature");
            if matches!(block.block, Some(Block::ToolCall { .. })) {
                block.whole_input = Some(content.raw("input").map_or("{}", RawValue::get).to_owned());
            }
        }
        match kind.as_deref() {
            Some("text") => {
                self.text(index, text("text"));
                for citation in content.objects("citations") {
                    self.citation(index, &citation);
                }
            }
            Some("thinking") => self.text(index, text("thinking")),
            Some("redacted_thinking") => self.redacted(index, text("data")),
            _ => {}
        }
        self.emit_ready(out);
    }

    /// More of a block.
    pub(super) fn delta(&mut self, index: u64, delta: &Object<'_>, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        let text = |field: &str| delta.string(field).unwrap_or_default();
        let kind = delta.str("type");
        if self.find(index).is_none() {
            // Text counts even if its block was never announced.
            match kind.as_deref() {
                Some("text_delta") => self.await_block(index, Some(Block::Text)),
                Some("thinking_delta") => self.await_block(index, Some(Block::Reasoning)),
                _ => return,
            }
            self.start(None, out);
        }
        match kind.as_deref() {
            Some("text_delta") => self.text(index, text("text")),
            Some("thinking_delta") => self.text(index, text("thinking")),
            Some("input_json_delta") => {
                let piece = text("partial_json");
                if let Some(block) = self.find(index).filter(|_| !piece.is_empty()) {
                    block.whole_input = None;
                    block.events.push(Event::Delta(piece));
                }
            }
            // As in the SDKs, a later one replaces it.
            Some("signature_delta") => {
                if let Some(block) = self.find(index) {
                    block.signature = text("signature");
                }
            }
            Some("citations_delta") => {
                if let Some(citation) = delta.object("citation") {
                    self.citation(index, &citation);
                }
            }
            _ => {}
        }
        self.emit_ready(out);
    }

    /// A block ends.
    pub(super) fn close(&mut self, index: u64, out: &mut Vec<Event>) {
        let Some(block) = self.find(index) else { return };
        if let Some(input) = block.whole_input.take() {
            block.events.push(Event::Delta(input));
        }
        let data = std::mem::take(&mut block.signature);
        // Servers that do not sign want the text itself back.
        let kind = if data.is_empty() { OpaqueKind::PlainText } else { OpaqueKind::Signature };
        if block.block == Some(Block::Reasoning) && !block.is_redacted && (block.has_text || !data.is_empty())
        {
            block.events.push(Event::Opaque(Opaque { kind, data, id: None, owner: None }));
        }
        if let Some(block) = self.find(index) {
            block.is_done = true;
        }
        self.emit_ready(out);
    }

    /// Token counts; each may be sent again with a later total.
    pub(super) fn usage(&mut self, usage: &Object<'_>, out: &mut Vec<Event>) {
        if self.counts.update(usage) {
            self.start(None, out);
            out.push(Event::Usage(self.counts.total()));
        }
    }

    /// The end of the answer. `None`: the reason is not given.
    pub(super) fn finish(&mut self, message: Option<&Object<'_>>, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.start(None, out);
        let open: Vec<u64> =
            self.blocks.iter().filter(|block| !block.is_done).map(|block| block.index).collect();
        for index in open {
            self.close(index, out);
        }
        self.is_over = true;
        let reason = match message.and_then(|message| message.str("stop_reason")).as_deref() {
            Some("tool_use") => FinishReason::ToolCalls,
            Some("stop_sequence") => FinishReason::StopSequence,
            Some("max_tokens") => FinishReason::Length,
            Some("model_context_window_exceeded") => FinishReason::ContextFull,
            Some("refusal") => FinishReason::Filtered,
            Some("pause_turn") => FinishReason::Paused,
            _ if self.has_calls => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        let details = message.and_then(|message| message.object("stop_details"));
        out.push(Event::Finish(Finish {
            reason,
            stop_sequence: message.and_then(|message| message.string("stop_sequence")),
            detail: details.and_then(|details| details.string("explanation")),
        }));
    }

    /// A failure inside the answer: `{"type":"error","error":{…}}`.
    pub(super) fn error(&mut self, event: &Object<'_>, out: &mut Vec<Event>) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let error = event.object("error").unwrap_or_default();
        let error_type = error.string("type");
        let code = error.object("details").and_then(|details| details.string("error_code"));
        out.push(Event::Error(StreamError {
            status: status(error_type.as_deref().unwrap_or_default()),
            error_type,
            code: code.or_else(|| error.string("code")),
            message: error.string("message").unwrap_or_default(),
        }));
    }

    fn await_block(&mut self, index: u64, block: Option<Block>) {
        self.blocks.push_back(Pending {
            index,
            block,
            is_open: false,
            is_done: false,
            events: Vec::new(),
            whole_input: None,
            signature: String::new(),
            has_text: false,
            is_redacted: false,
        });
    }

    /// The block that is addressed: of two with one index the later.
    fn find(&mut self, index: u64) -> Option<&mut Pending> {
        self.blocks.iter_mut().rev().find(|block| block.index == index && !block.is_done)
    }

    fn text(&mut self, index: u64, text: String) {
        if let Some(block) = self.find(index).filter(|_| !text.is_empty()) {
            block.has_text = true;
            block.events.push(Event::Delta(text));
        }
    }

    fn redacted(&mut self, index: u64, data: String) {
        if let Some(block) = self.find(index) {
            block.is_redacted = true;
            let opaque = Opaque { kind: OpaqueKind::Redacted, data, id: None, owner: None };
            block.events.push(Event::Opaque(opaque));
        }
    }

    /// Only sources on the web have a counterpart elsewhere.
    fn citation(&mut self, index: u64, citation: &Object<'_>) {
        let url = citation
            .string("url")
            .or_else(|| citation.string("source").filter(|source| source.starts_with("http")));
        let Some((url, block)) = url.zip(self.find(index)) else { return };
        block.events.push(Event::Citation(Citation {
            url,
            title: citation.string("title"),
            cited_text: citation.string("cited_text"),
            span: None,
        }));
    }

    /// Passes on what can be passed on by now: the first block's news, and the blocks behind it once it is done.
    fn emit_ready(&mut self, out: &mut Vec<Event>) {
        while let Some(block) = self.blocks.front_mut() {
            if let Some(kind) = &block.block {
                // An empty text is none.
                if !block.is_open && (*kind != Block::Text || !block.events.is_empty()) {
                    out.push(Event::Open(kind.clone()));
                    block.is_open = true;
                }
                out.append(&mut block.events);
            }
            block.events.clear();
            if !block.is_done {
                return;
            }
            if block.is_open {
                out.push(Event::Close);
            }
            self.blocks.pop_front();
        }
    }
}

/// Token counts as this format splits them.
#[derive(Debug, Default)]
struct Counts {
    /// Without the cached ones.
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Whether any count was given.
    fn update(&mut self, usage: &Object<'_>) -> bool {
        let details = usage.object("output_tokens_details");
        let counts = [
            (&mut self.input, usage.count("input_tokens")),
            (&mut self.cache_read, usage.count("cache_read_input_tokens")),
            (&mut self.cache_write, usage.count("cache_creation_input_tokens")),
            (&mut self.output, usage.count("output_tokens")),
            (&mut self.thinking, details.and_then(|details| details.count("thinking_tokens"))),
        ];
        let mut is_given = false;
        for (count, given) in counts {
            is_given |= given.is_some();
            *count = given.or(*count);
        }
        is_given
    }

    fn total(&self) -> TokenUsage {
        let cached = self.cache_read.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        TokenUsage {
            input: self.input.map(|input| input.saturating_add(cached)),
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            output: self.output,
            reasoning: self.thinking,
        }
    }
}

/// The HTTP status that an error's type stands for.
fn status(error_type: &str) -> u16 {
    match error_type {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}
