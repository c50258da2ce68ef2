//! Amazon Bedrock's Converse and ConverseStream.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::content::Finish;
use crate::event_list::EventList;
use crate::event_stream;
use crate::response_spec::{ResponseSpec, raw_json, to_json};
use crate::signature::SignatureKind;

/// A content block of a plain response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Block {
    ReasoningContent(Value),
    Text(String),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: String,
        name: String,
        input: Box<RawValue>,
    },
}

fn call_id(spec: &ResponseSpec<'_>, index: usize) -> String {
    format!("tooluse_simulated_{}_{index}", spec.number)
}

/// Bedrock's own sums: the input is without what was read from the cache or written to it.
fn usage(spec: &ResponseSpec<'_>) -> Value {
    let usage = spec.usage();
    json!({
        "inputTokens": usage.input.saturating_sub(usage.cache_read + usage.cache_write),
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    })
}

fn stop_reason(spec: &ResponseSpec<'_>) -> &'static str {
    match spec.content.finish {
        Finish::Complete if spec.awaits_tools() => "tool_use",
        Finish::Complete => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Refusal => "content_filtered",
    }
}

fn blocks(spec: &ResponseSpec<'_>) -> Vec<Block> {
    let thinking = spec.thinking(SignatureKind::Anthropic).map(|(thinking, signature)| {
        let text = json!({"text": thinking.text, "signature": signature});
        Block::ReasoningContent(json!({ "reasoningText": text }))
    });
    let text = spec.has_text().then(|| Block::Text(spec.text()));
    let calls = spec.content.tool_calls.iter().enumerate().map(|(index, call)| Block::ToolUse {
        tool_use_id: call_id(spec, index),
        name: call.name.clone(),
        input: raw_json(&call.arguments),
    });
    thinking.into_iter().chain(text).chain(calls).collect()
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    format!(
        r#"{{"metrics":{{"latencyMs":1}},"output":{{"message":{{"role":"assistant","content":{}}}}},"stopReason":"{}","usage":{}}}"#,
        to_json(&blocks(spec)),
        stop_reason(spec),
        usage(spec)
    )
    .into()
}

/// Writes the blocks of a stream one after the other. Every payload has padding, as Bedrock's.
#[derive(Default)]
struct BlockWriter {
    events: EventList,
    index: usize,
}

impl BlockWriter {
    fn delta(&mut self, delta: &Value) {
        let delta = json!({"contentBlockIndex": self.index, "delta": delta, "p": "abcd"});
        self.events.push_content(event_stream::event("contentBlockDelta", &delta.to_string()));
    }

    fn stop(&mut self) {
        let stop = json!({"contentBlockIndex": self.index, "p": "ab"});
        self.events.push(event_stream::event("contentBlockStop", &stop.to_string()));
        self.index += 1;
    }
}

pub(super) fn events(spec: &ResponseSpec<'_>) -> EventList {
    let mut writer = BlockWriter { events: EventList::with_capacity(spec.words + 4), index: 0 };
    let start = json!({"role": "assistant", "p": "abc"});
    writer.events.push(event_stream::event("messageStart", &start.to_string()));
    if let Some((thinking, signature)) = spec.thinking(SignatureKind::Anthropic) {
        for text in thinking.words() {
            writer.delta(&json!({"reasoningContent": {"text": text}}));
        }
        writer.delta(&json!({"reasoningContent": {"signature": signature}}));
        writer.stop();
    }
    if spec.has_text() {
        for text in spec.text_words() {
            writer.delta(&json!({ "text": text }));
        }
        writer.stop();
    }
    for (index, call) in spec.content.tool_calls.iter().enumerate() {
        let start = json!({"toolUse": {"toolUseId": call_id(spec, index), "name": call.name}});
        let start = json!({"contentBlockIndex": writer.index, "start": start, "p": "a"});
        writer.events.push_content(event_stream::event("contentBlockStart", &start.to_string()));
        for piece in call.argument_pieces() {
            writer.delta(&json!({"toolUse": {"input": piece}}));
        }
        writer.stop();
    }
    let stop = json!({"stopReason": stop_reason(spec), "p": "abcde"});
    writer.events.push(event_stream::event("messageStop", &stop.to_string()));
    let metadata = json!({"metrics": {"latencyMs": 1}, "usage": usage(spec), "p": "a"});
    writer.events.push(event_stream::event("metadata", &metadata.to_string()));
    writer.events
}
