//! Anthropic's Messages.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::content::{Finish, ToolCall};
use crate::event_list::EventList;
use crate::response_spec::{ResponseSpec, raw_json, to_json};
use crate::signature::SignatureKind;

#[derive(Serialize)]
struct Message<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: &'a [Block],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<Value>,
    usage: Value,
}

/// A content block of a plain response.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Thinking { thinking: String, signature: String },
    Text { text: String },
    ToolUse { id: String, name: String, input: Box<RawValue> },
}

#[derive(Serialize)]
struct ContentDelta<'a> {
    r#type: &'static str,
    index: usize,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

fn call_id(spec: &ResponseSpec<'_>, index: usize) -> String {
    format!("toolu_simulated_{}_{index}", spec.number)
}

/// Anthropic's own sums: the input is without what was read from the cache or written to it.
fn usage(spec: &ResponseSpec<'_>, output_tokens: usize) -> Value {
    let usage = spec.usage();
    let mut counts = json!({
        "input_tokens": usage.input.saturating_sub(usage.cache_read + usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": output_tokens,
    });
    if usage.reasoning > 0 && output_tokens >= usage.reasoning {
        counts["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning});
    }
    counts
}

fn stop_reason(spec: &ResponseSpec<'_>) -> &'static str {
    match spec.content.finish {
        Finish::Complete if spec.awaits_tools() => "tool_use",
        Finish::Complete => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Refusal => "refusal",
    }
}

fn stop_details(spec: &ResponseSpec<'_>) -> Option<Value> {
    let refuses = spec.content.finish == Finish::Refusal;
    refuses.then(|| json!({"type": "refusal", "category": null, "explanation": null}))
}

fn message<'a>(spec: &ResponseSpec<'a>, content: &'a [Block]) -> Message<'a> {
    Message {
        id: format!("msg_simulated_{}", spec.number),
        r#type: "message",
        role: "assistant",
        model: spec.model,
        content,
        stop_reason: Some(stop_reason(spec)),
        stop_sequence: None,
        stop_details: stop_details(spec),
        usage: usage(spec, spec.usage().output),
    }
}

fn blocks(spec: &ResponseSpec<'_>) -> Vec<Block> {
    let thinking = spec
        .thinking(SignatureKind::Anthropic)
        .map(|(thinking, signature)| Block::Thinking { thinking: thinking.text.clone(), signature });
    let text = spec.has_text().then(|| Block::Text { text: spec.text() });
    let calls = spec.content.tool_calls.iter().enumerate().map(|(index, call)| Block::ToolUse {
        id: call_id(spec, index),
        name: call.name.clone(),
        input: raw_json(&call.arguments),
    });
    thinking.into_iter().chain(text).chain(calls).collect()
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    to_json(&message(spec, &blocks(spec))).into()
}

/// Writes the blocks of a stream one after the other.
#[derive(Default)]
struct BlockWriter {
    events: EventList,
    next_index: usize,
}

impl BlockWriter {
    /// As in Anthropic's streams, a ping comes after the start of the first block.
    fn start(&mut self, block: &Value) {
        let start = json!({"type": "content_block_start", "index": self.next_index, "content_block": block});
        self.events.push(event("content_block_start", &start.to_string()));
        if self.next_index == 0 {
            self.events.push(event("ping", r#"{"type":"ping"}"#));
        }
    }

    fn delta(&mut self, delta: Delta<'_>) {
        let delta = ContentDelta { r#type: "content_block_delta", index: self.next_index, delta };
        self.events.push_content(event("content_block_delta", &to_json(&delta)));
    }

    fn stop(&mut self) {
        let stop = json!({"type": "content_block_stop", "index": self.next_index});
        self.events.push(event("content_block_stop", &stop.to_string()));
        self.next_index += 1;
    }

    fn push_tool_use(&mut self, id: &str, call: &ToolCall) {
        self.start(&json!({"type": "tool_use", "id": id, "name": call.name, "input": {}}));
        self.delta(Delta::InputJson { partial_json: "" });
        for partial_json in call.argument_pieces() {
            self.delta(Delta::InputJson { partial_json });
        }
        self.stop();
    }
}

pub(super) fn events(spec: &ResponseSpec<'_>) -> EventList {
    let begun =
        Message { stop_reason: None, stop_details: None, usage: usage(spec, 1), ..message(spec, &[]) };
    let start = format!(r#"{{"type":"message_start","message":{}}}"#, to_json(&begun));
    let mut writer = BlockWriter { events: EventList::with_capacity(spec.words + 6), next_index: 0 };
    writer.events.push(event("message_start", &start));
    if let Some((thinking, signature)) = spec.thinking(SignatureKind::Anthropic) {
        writer.start(&json!({"type": "thinking", "thinking": "", "signature": ""}));
        for thinking in thinking.words() {
            writer.delta(Delta::Thinking { thinking });
        }
        writer.delta(Delta::Signature { signature: &signature });
        writer.stop();
    }
    if spec.has_text() {
        writer.start(&json!({"type": "text", "text": ""}));
        for text in spec.text_words() {
            writer.delta(Delta::Text { text: &text });
        }
        writer.stop();
    }
    for (index, call) in spec.content.tool_calls.iter().enumerate() {
        writer.push_tool_use(&call_id(spec, index), call);
    }
    let mut delta = json!({"stop_reason": stop_reason(spec), "stop_sequence": null});
    if let Some(details) = stop_details(spec) {
        delta["stop_details"] = details;
    }
    let finish = json!({"type": "message_delta", "delta": delta, "usage": usage(spec, spec.usage().output)});
    writer.events.push(event("message_delta", &finish.to_string()));
    writer.events.push(event("message_stop", r#"{"type":"message_stop"}"#));
    writer.events
}

fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}
