//! A streamed answer put together again, as the SDKs do it: what a client sends back with its next request.

use serde_json::{Value, json};

use crate::format::Format;
use crate::said::events;

pub(crate) fn fold(format: Format, stream: &str) -> Value {
    let events = events(stream);
    match format {
        Format::Chat => chat(&events),
        Format::Responses => events.last().unwrap()["response"].clone(),
        Format::Messages => messages(&events),
        Format::Gemini => gemini(&events),
        Format::Converse => converse(&events),
    }
}

/// Adds the text of a field to that of another object.
fn add(to: &mut Value, field: &str, from: &Value) {
    if let Some(more) = from[field].as_str() {
        to[field] = json!(to[field].as_str().unwrap_or_default().to_owned() + more);
    }
}

fn chat(events: &[Value]) -> Value {
    let mut message = json!({"role": "assistant", "content": ""});
    for delta in events.iter().map(|event| &event["choices"][0]["delta"]) {
        add(&mut message, "content", delta);
        add(&mut message, "reasoning_content", delta);
        for (field, starts_new) in [("reasoning_details", "type"), ("tool_calls", "id")] {
            for piece in delta[field].as_array().into_iter().flatten() {
                if message[field].is_null() {
                    message[field] = json!([]);
                }
                let all = message[field].as_array_mut().unwrap();
                if piece[starts_new].is_string() {
                    all.push(piece.clone());
                } else {
                    add(&mut all.last_mut().unwrap()["function"], "arguments", &piece["function"]);
                }
            }
        }
    }
    json!({"choices": [{"message": message}]})
}

fn messages(events: &[Value]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut input = String::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                let block = blocks.last_mut().unwrap();
                for field in ["text", "thinking", "signature"] {
                    add(block, field, &event["delta"]);
                }
                input += event["delta"]["partial_json"].as_str().unwrap_or_default();
            }
            "content_block_stop" if !input.is_empty() => {
                blocks.last_mut().unwrap()["input"] = serde_json::from_str(&input).unwrap();
            }
            _ => {}
        }
    }
    json!({"content": blocks})
}

fn gemini(events: &[Value]) -> Value {
    let parts = events.iter().filter_map(|event| event["candidates"][0]["content"]["parts"].as_array());
    let parts: Vec<Value> = parts.flatten().cloned().collect();
    json!({"candidates": [{"content": {"role": "model", "parts": parts}}]})
}

/// What of an answer its maker wants back.
fn converse(events: &[Value]) -> Value {
    let deltas = events.iter().map(|event| &event["contentBlockDelta"]["delta"]["reasoningContent"]);
    let content = deltas.filter(|delta| delta.is_object()).map(|delta| {
        json!({"reasoningContent": {"reasoningText": delta, "redactedContent": delta["redactedContent"]}})
    });
    json!({"output": {"message": {"content": content.collect::<Vec<_>>()}}})
}
