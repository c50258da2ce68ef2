//! Writes answers of Converse as Bedrock does: nothing but tests needs that.

use serde_json::{Value, json};

use crate::form::{Block, Event, FinishReason, Opaque, OpaqueKind, TokenUsage};

/// A plain answer.
pub(super) fn response(events: &[Event]) -> String {
    let (mut content, mut usage, mut reason) = (Vec::new(), json!({}), "end_turn");
    let (mut block, mut text, mut signature) = (None, String::new(), String::new());
    for event in events {
        match event {
            Event::Open(open) => block = Some(open.clone()),
            Event::Delta(piece) => text.push_str(piece),
            Event::Opaque(Opaque { kind: OpaqueKind::Signature, data, .. }) => signature.clone_from(data),
            Event::Close => {
                let (text, signature) = (std::mem::take(&mut text), std::mem::take(&mut signature));
                content.extend(block.take().and_then(|block| whole(&block, &text, &signature)));
            }
            Event::Usage(tokens) => usage = counts(*tokens),
            Event::Finish(end) => reason = stop_reason(end.reason),
            Event::Start { .. } | Event::Opaque(_) | Event::Citation(_) | Event::Error(_) => {}
        }
    }
    // A call's input stands there as it was said.
    let content: Vec<String> = content;
    format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{}]}}}},"stopReason":"{reason}","usage":{usage}}}"#,
        content.join(",")
    )
}

fn whole(block: &Block, text: &str, signature: &str) -> Option<String> {
    Some(match block {
        Block::Text | Block::Refusal => json!({ "text": text }).to_string(),
        Block::Reasoning if signature.is_empty() => {
            json!({"reasoningContent": {"reasoningText": {"text": text}}}).to_string()
        }
        Block::Reasoning => {
            json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}).to_string()
        }
        Block::ToolCall { id, name, custom, .. } => {
            format!(
                r#"{{"toolUse":{{"toolUseId":"{id}","name":"{name}","input":{}}}}}"#,
                input(text, *custom)
            )
        }
        Block::Media { .. } => return None,
    })
}

fn input(text: &str, custom: bool) -> String {
    if custom { json!({ "input": text }).to_string() } else { text.to_owned() }
}

/// A stream, as the decoder of its binary events hands it on.
pub(super) fn stream(events: &[Event]) -> Vec<u8> {
    let mut writer = Writer { index: 0, block: None, custom: None, usage: json!({}), out: String::new() };
    writer.event("messageStart", &json!({"role": "assistant", "p": "abc"}));
    for event in events {
        writer.push(event);
    }
    let usage = writer.usage.clone();
    writer.event("metadata", &json!({"metrics": {"latencyMs": 1}, "usage": usage}));
    writer.out.into_bytes()
}

struct Writer {
    index: u64,
    block: Option<Block>,
    /// The text so far of a freeform tool's call.
    custom: Option<String>,
    usage: Value,
    out: String,
}

impl Writer {
    fn event(&mut self, name: &str, payload: &Value) {
        self.out.push_str(&format!("event: {name}\ndata: {}\n\n", json!({ name: payload })));
    }

    fn delta(&mut self, delta: &Value) {
        let index = self.index;
        self.event("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta, "p": "a"}));
    }

    fn push(&mut self, event: &Event) {
        match (event, self.block.clone()) {
            (Event::Open(block), _) => {
                self.custom = matches!(block, Block::ToolCall { custom: true, .. }).then(String::new);
                if let Block::ToolCall { id, name, .. } = block {
                    let start = json!({"toolUse": {"toolUseId": id, "name": name}});
                    let index = self.index;
                    self.event("contentBlockStart", &json!({"contentBlockIndex": index, "start": start}));
                }
                self.block = Some(block.clone());
            }
            (Event::Delta(piece), Some(block)) => match block {
                Block::Text | Block::Refusal => self.delta(&json!({ "text": piece })),
                Block::Reasoning => self.delta(&json!({"reasoningContent": {"text": piece}})),
                Block::ToolCall { .. } => match &mut self.custom {
                    Some(text) => text.push_str(piece),
                    None => self.delta(&json!({"toolUse": {"input": piece}})),
                },
                Block::Media { .. } => {}
            },
            (Event::Opaque(Opaque { kind: OpaqueKind::Signature, data, .. }), _) => {
                self.delta(&json!({"reasoningContent": {"signature": data}}));
            }
            (Event::Close, _) => {
                if let Some(text) = self.custom.take() {
                    self.delta(&json!({"toolUse": {"input": json!({ "input": text }).to_string()}}));
                }
                let index = self.index;
                self.event("contentBlockStop", &json!({ "contentBlockIndex": index }));
                self.index += 1;
            }
            (Event::Usage(tokens), _) => self.usage = counts(*tokens),
            (Event::Finish(end), _) => {
                self.event("messageStop", &json!({"stopReason": stop_reason(end.reason)}));
            }
            _ => {}
        }
    }
}

fn counts(usage: TokenUsage) -> Value {
    let (read, write) = (usage.cache_read.unwrap_or(0), usage.cache_write.unwrap_or(0));
    json!({
        "inputTokens": usage.input.unwrap_or(0) - read - write,
        "outputTokens": usage.output.unwrap_or(0),
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": write,
    })
}

const fn stop_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::Paused => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextFull => "model_context_window_exceeded",
        FinishReason::Filtered => "content_filtered",
        FinishReason::Malformed => "malformed_model_output",
    }
}
