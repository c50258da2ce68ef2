//! A small reader of answers in all formats, independent of the crate: what a client would find in them.

use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};
use serde_json::Value;

/// What an answer says.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Said {
    /// Text and refusals, without blanks: formats differ in what stands between two texts.
    pub(crate) text: String,
    /// Names and arguments.
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) finish: Option<Finish>,
    /// Tokens of the prompt and of the answer, reasoning included.
    pub(crate) tokens: Option<(u64, u64)>,
}

/// The class of a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Calls,
    Length,
    Filtered,
}

/// An answer in the making: a call's arguments are text until the end.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    calls: Vec<(Value, String, String)>,
    refused: bool,
    finish: Option<String>,
    tokens: [Option<u64>; 2],
}

impl Draft {
    fn call(&mut self, key: &Value) -> &mut (Value, String, String) {
        let at = self.calls.iter().position(|call| call.0 == *key).unwrap_or_else(|| {
            self.calls.push((key.clone(), String::new(), String::new()));
            self.calls.len() - 1
        });
        &mut self.calls[at]
    }

    fn text(&mut self, text: &Value) {
        self.text.push_str(text.as_str().unwrap_or_default());
    }

    fn count(&mut self, at: usize, tokens: Option<u64>) {
        self.tokens[at] = tokens.or(self.tokens[at]);
    }

    fn finish(self) -> Said {
        let called = !self.calls.is_empty();
        let finish = self.finish.map(|reason| match reason.as_str() {
            "length" | "max_tokens" | "MAX_TOKENS" | "max_output_tokens" => Finish::Length,
            "content_filter" | "refusal" | "SAFETY" => Finish::Filtered,
            _ if self.refused => Finish::Filtered,
            _ if called => Finish::Calls,
            _ => Finish::Stop,
        });
        let calls = self.calls.into_iter().map(|(_, name, arguments)| (name, whole(&arguments)));
        let [input, output] = self.tokens;
        Said {
            text: self.text.chars().filter(|c| !c.is_whitespace()).collect(),
            calls: calls.collect(),
            finish,
            tokens: input.zip(output),
        }
    }
}

/// Arguments as a value. What is no object stays text, which formats of objects keep in `_raw`.
fn whole(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    let value = serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()));
    value.get("_raw").cloned().unwrap_or(value)
}

/// A plain answer.
pub(crate) fn plain(dialect: Dialect, body: &Value) -> Said {
    let mut draft = Draft::default();
    match dialect {
        BedrockConverse => {
            for (index, block) in
                body["output"]["message"]["content"].as_array().into_iter().flatten().enumerate()
            {
                converse_block(&index.into(), block, &mut draft);
            }
            draft.finish = body["stopReason"].as_str().map(str::to_owned);
            converse_usage(&body["usage"], &mut draft);
        }
        OpenAiChat => chat(body, "message", &mut draft),
        OpenAiResponses => response(body, &mut draft),
        Anthropic => {
            for (index, block) in body["content"].as_array().into_iter().flatten().enumerate() {
                block_begins(&index.into(), block, &mut draft);
            }
            message(body, &mut draft);
        }
        Gemini => gemini(body, &mut draft),
    }
    draft.finish()
}

/// A streamed answer: the data of its events.
pub(crate) fn streamed(dialect: Dialect, events: &[Value]) -> Said {
    let mut draft = Draft::default();
    for event in events {
        match dialect {
            BedrockConverse => converse(event, &mut draft),
            OpenAiChat => chat(event, "delta", &mut draft),
            OpenAiResponses => {
                // As official clients do it: the last event has it all.
                let kind = event["type"].as_str().unwrap_or_default();
                if matches!(kind, "response.completed" | "response.incomplete") {
                    response(&event["response"], &mut draft);
                }
                if kind == "response.output_item.done" && draft.finish.is_none() {
                    item(&event["item"], &mut draft);
                }
            }
            Anthropic => match event["type"].as_str().unwrap_or_default() {
                "message_start" => message(&event["message"], &mut draft),
                "content_block_start" => block_begins(&event["index"], &event["content_block"], &mut draft),
                "content_block_delta" => {
                    draft.text(&event["delta"]["text"]);
                    if let Some(piece) = event["delta"]["partial_json"].as_str() {
                        draft.call(&event["index"]).2.push_str(piece);
                    }
                }
                "message_delta" => {
                    message(&event["delta"], &mut draft);
                    message(event, &mut draft);
                }
                _ => {}
            },
            Gemini => gemini(event, &mut draft),
        }
    }
    draft.finish()
}

fn chat(body: &Value, field: &str, draft: &mut Draft) {
    let usage = &body["usage"];
    draft.count(0, usage["prompt_tokens"].as_u64());
    draft.count(1, usage["completion_tokens"].as_u64());
    let choice = &body["choices"][0];
    let message = &choice[field];
    draft.text(&message["content"]);
    for part in message["content"].as_array().into_iter().flatten() {
        draft.text(&part["text"]);
    }
    if message["content"].is_object() {
        // Cloudflare gives the very object that was asked for.
        draft.text.push_str(&message["content"].to_string());
    }
    draft.text(&message["refusal"]);
    draft.refused |= message["refusal"].is_string();
    for (at, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let key = if field == "message" { at.into() } else { call["index"].clone() };
        let kept = draft.call(&key);
        kept.1.push_str(call["function"]["name"].as_str().unwrap_or_default());
        kept.2.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
    }
    if let Some(reason) = choice["finish_reason"].as_str() {
        draft.finish = Some(reason.to_owned());
    }
}

fn response(body: &Value, draft: &mut Draft) {
    // Where the end repeats the items, they count; some servers leave them out of it.
    if let Some(items) = body["output"].as_array().filter(|items| !items.is_empty()) {
        (draft.text, draft.calls) = (String::new(), Vec::new());
        items.iter().for_each(|one| item(one, draft));
    }
    draft.count(0, body["usage"]["input_tokens"].as_u64());
    draft.count(1, body["usage"]["output_tokens"].as_u64());
    let reason = body["incomplete_details"]["reason"].as_str();
    draft.finish = Some(reason.unwrap_or_else(|| body["status"].as_str().unwrap_or_default()).to_owned());
}

fn item(item: &Value, draft: &mut Draft) {
    match item["type"].as_str().unwrap_or_default() {
        "message" => {
            for part in item["content"].as_array().into_iter().flatten() {
                draft.text(&part["text"]);
                draft.text(&part["refusal"]);
                draft.refused |= part["refusal"].is_string();
            }
        }
        "function_call" => {
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            *draft.call(&item["call_id"]) = (item["call_id"].clone(), text("name"), text("arguments"));
        }
        _ => {}
    }
}

fn block_begins(index: &Value, block: &Value, draft: &mut Draft) {
    draft.text(&block["text"]);
    if block["type"] == "tool_use" {
        let input = block["input"].as_object().filter(|input| !input.is_empty());
        let call = draft.call(index);
        call.1 = block["name"].as_str().unwrap_or_default().to_owned();
        call.2 = input.map(|input| Value::Object(input.clone()).to_string()).unwrap_or_default();
    }
}

fn message(message: &Value, draft: &mut Draft) {
    let usage = &message["usage"];
    let parts = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
    if usage["input_tokens"].is_u64() {
        draft.count(0, Some(parts.iter().filter_map(|part| usage[part].as_u64()).sum()));
    }
    draft.count(1, usage["output_tokens"].as_u64());
    if let Some(reason) = message["stop_reason"].as_str() {
        draft.finish = Some(reason.to_owned());
    }
}

fn gemini(body: &Value, draft: &mut Draft) {
    let usage = &body["usageMetadata"];
    let sum = |fields: [&str; 2]| {
        let said: Vec<u64> = fields.iter().filter_map(|field| usage[field].as_u64()).collect();
        (!said.is_empty()).then(|| said.iter().sum())
    };
    draft.count(0, sum(["promptTokenCount", "toolUsePromptTokenCount"]));
    draft.count(1, sum(["candidatesTokenCount", "thoughtsTokenCount"]));
    let candidate = &body["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if part["thought"] != true {
            draft.text(&part["text"]);
        }
        if let Some(name) = part["functionCall"]["name"].as_str() {
            let arguments = &part["functionCall"]["args"];
            let arguments = if arguments.is_null() { String::new() } else { arguments.to_string() };
            draft.calls.push((draft.calls.len().into(), name.to_owned(), arguments));
        }
    }
    // A prompt that was blocked, for whatever reason, has no candidates.
    let blocked = body["promptFeedback"]["blockReason"].is_string().then_some("SAFETY");
    let reason = candidate["finishReason"].as_str().or(blocked);
    draft.finish = reason.map(str::to_owned).or(draft.finish.take());
}

fn converse(event: &Value, draft: &mut Draft) {
    for kind in ["contentBlockStart", "contentBlockDelta"] {
        let content = &event[kind];
        let piece = if kind == "contentBlockStart" { &content["start"] } else { &content["delta"] };
        converse_block(&content["contentBlockIndex"], piece, draft);
    }
    if let Some(reason) = event["messageStop"]["stopReason"].as_str() {
        draft.finish = Some(reason.to_owned());
    }
    converse_usage(&event["metadata"]["usage"], draft);
}

/// A block, or a piece of one. What Bedrock called itself is none of the caller's.
fn converse_block(index: &Value, block: &Value, draft: &mut Draft) {
    draft.text(&block["text"]);
    for part in block["citationsContent"]["content"].as_array().into_iter().flatten() {
        draft.text(&part["text"]);
    }
    let call = &block["toolUse"];
    if let Some(name) = call["name"].as_str().filter(|_| call["type"] != "server_tool_use") {
        name.clone_into(&mut draft.call(index).1);
    }
    let is_known = draft.calls.iter().any(|(key, ..)| key == index);
    match &call["input"] {
        Value::String(piece) if is_known => draft.call(index).2.push_str(piece),
        input @ Value::Object(_) if is_known => draft.call(index).2 = input.to_string(),
        _ => {}
    }
}

fn converse_usage(usage: &Value, draft: &mut Draft) {
    let count = |field: &str| usage[field].as_u64();
    let cached = count("cacheReadInputTokens").unwrap_or(0) + count("cacheWriteInputTokens").unwrap_or(0);
    draft.count(0, count("inputTokens").map(|fresh| fresh + cached));
    draft.count(1, count("outputTokens"));
}
