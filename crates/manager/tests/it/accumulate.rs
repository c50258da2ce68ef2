//! What an SDK makes of a stream, by the rules that the official ones hold a stream to.

use std::collections::BTreeMap;

use dialects::Dialect;
use serde_json::{Value, json};

use crate::formats::data;

/// The answer in the shape of a plain one. Fails where an SDK would, or would lose something.
pub(crate) fn accumulate(dialect: Dialect, events: &[String]) -> Value {
    let all = data(events);
    match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => {
            assert!(events.last().is_some_and(|last| last.ends_with("data: [DONE]\n\n")), "{events:?}");
            of_chat(&all)
        }
        Dialect::OpenAiResponses => of_responses(&all),
        Dialect::Anthropic => of_messages(&all),
        Dialect::Gemini => of_gemini(&all),
    }
}

fn append(target: &mut Value, piece: &Value) {
    if let Some(piece) = piece.as_str() {
        *target = format!("{}{piece}", target.as_str().unwrap_or_default()).into();
    }
}

fn of_chat(events: &[Value]) -> Value {
    let mut message = json!({"content": null});
    let (mut calls, mut details) = (BTreeMap::<u64, Value>::new(), Vec::new());
    for delta in events.iter().map(|event| &event["choices"][0]["delta"]) {
        for field in ["role", "content", "reasoning_content"] {
            if delta[field].is_string() {
                append(&mut message[field], &delta[field]);
            }
        }
        details.extend(delta["reasoning_details"].as_array().into_iter().flatten().cloned());
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = piece["index"].as_u64().unwrap();
            assert!(calls.len() as u64 >= index, "a gap in the indexes: {piece}");
            let call = calls.entry(index).or_insert_with(|| json!({"function": {}}));
            for field in ["id", "type"] {
                append(&mut call[field], &piece[field]);
            }
            for field in ["name", "arguments"] {
                append(&mut call["function"][field], &piece["function"][field]);
            }
        }
    }
    // Said once each: SDKs join what they get.
    assert_eq!(message["role"], "assistant", "{events:?}");
    assert!(calls.values().all(|call| call["type"] == "function"), "{calls:?}");
    if !calls.is_empty() {
        message["tool_calls"] = calls.into_values().collect();
    }
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    let finishes = events.iter().filter_map(|event| event["choices"][0]["finish_reason"].as_str());
    let finishes: Vec<_> = finishes.collect();
    assert_eq!(finishes.len(), 1, "{finishes:?}");
    json!({"choices": [{"message": message, "finish_reason": finishes[0]}]})
}

fn of_responses(events: &[Value]) -> Value {
    let mut done = Vec::new();
    let (mut added, mut pieces) = (0, String::new());
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        let kind = event["type"].as_str().unwrap();
        match kind {
            "response.output_item.added" => {
                assert_eq!(event["output_index"], added, "{event}");
                (added, pieces) = (added + 1, String::new());
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                pieces.push_str(event["delta"].as_str().unwrap());
            }
            "response.output_item.done" => {
                let item = &event["item"];
                let input = item["arguments"].as_str().or(item["input"].as_str());
                assert_eq!(input.unwrap_or_default(), pieces, "{event}");
                done.push(item.clone());
            }
            _ => {}
        }
        assert_eq!(kind == "response.created", number == 0, "{event}");
        assert_eq!(kind == "response.completed", number + 1 == events.len(), "{event}");
    }
    let response = events.last().unwrap()["response"].clone();
    assert_eq!(response["output"], json!(done), "all items again at the end");
    assert!(response["usage"]["total_tokens"].is_u64(), "{response}");
    response
}

fn of_messages(events: &[Value]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let (mut input, mut open, mut stop_reason) = (String::new(), false, Value::Null);
    for (number, event) in events.iter().enumerate() {
        let delta = &event["delta"];
        let kind = event["type"].as_str().unwrap();
        assert_eq!(kind == "message_start", number == 0, "{event}");
        assert_eq!(kind == "message_stop", number + 1 == events.len(), "{event}");
        match kind {
            "content_block_start" => {
                assert!(!open && event["index"] == blocks.len(), "{event}");
                open = true;
                blocks.push(event["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                assert!(open && event["index"] == blocks.len() - 1, "{event}");
                let block = blocks.last_mut().unwrap();
                for field in ["text", "thinking", "signature"] {
                    if delta[field].is_string() {
                        assert!(block[field].is_string(), "{delta} in {block}");
                        append(&mut block[field], &delta[field]);
                    }
                }
                input.push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" => {
                assert!(open, "{event}");
                open = false;
                if !input.is_empty() {
                    blocks.last_mut().unwrap()["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => {
                assert!(!open && stop_reason.is_null(), "{event}");
                assert!(event["usage"]["output_tokens"].is_u64(), "{event}");
                stop_reason = delta["stop_reason"].clone();
            }
            _ => {}
        }
    }
    json!({"content": blocks, "stop_reason": stop_reason})
}

fn of_gemini(events: &[Value]) -> Value {
    let parts = events.iter().filter_map(|event| event["candidates"][0]["content"]["parts"].as_array());
    let parts: Vec<_> = parts.flatten().cloned().collect();
    let last = &events.last().unwrap();
    let finish = last["candidates"][0]["finishReason"].as_str().unwrap();
    assert!(last["usageMetadata"]["promptTokenCount"].is_u64(), "the CLI compresses by it: {last}");
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}]})
}
