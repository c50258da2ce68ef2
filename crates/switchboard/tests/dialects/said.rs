//! What an answer says, read without the gateway's own readers: the same for all formats, plain or streamed.

use serde_json::{Value, json};

use crate::format::Format;

/// What an answer says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    text: String,
    refusal: String,
    reasoning: String,
    /// Name and input, as text.
    calls: Vec<(String, String)>,
    finish: Option<String>,
    usage: Value,
    sources: Vec<Value>,
    error: Value,
    /// The format's end marker was seen.
    is_ended: bool,
}

impl Said {
    pub(crate) fn finish(self) -> Value {
        let calls = self.calls.iter().map(|(name, input)| {
            let input: Value = serde_json::from_str(input).unwrap_or_else(|_| json!(input));
            json!({"name": name, "input": input})
        });
        let calls: Vec<Value> = calls.collect();
        let finish = match self.finish.as_deref() {
            // Gemini and Responses do not tell a tool call from an end.
            Some("stop") if !calls.is_empty() => Some("tool".to_owned()),
            // A refusal in words has its own finish in some formats only.
            Some("stop") if !self.refusal.is_empty() => Some("filtered".to_owned()),
            _ => self.finish,
        };
        // Messages has no place for the words of a refusal but the text.
        let text = if finish.as_deref() == Some("filtered") { self.text + &self.refusal } else { self.text };
        json!({
            "text": text,
            "reasoning": self.reasoning,
            "calls": calls,
            "finish": finish,
            "usage": self.usage,
            "sources": self.sources,
            "error": self.error,
            "is_ended": self.is_ended,
        })
    }

    fn error(&mut self, status: &Value, kind: &Value, code: &Value, message: &Value) {
        self.error = json!({"status": status, "type": kind, "code": code, "message": message});
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The data of a stream's events.
pub(crate) fn events(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.map(|data| serde_json::from_str(data.trim()).unwrap_or_else(|_| json!(data.trim()))).collect()
}

pub(crate) fn read(format: Format, status: u16, body: &str, is_stream: bool) -> Value {
    let mut said = Said::default();
    let events = if is_stream && status == 200 { events(body) } else { Vec::new() };
    let plain: Value = serde_json::from_str(body).unwrap_or_default();
    if events.is_empty() {
        if let Some(error) = plain.get("error").filter(|error| !error.is_null()) {
            said.error(
                &json!(status),
                if error["type"].is_null() { &error["status"] } else { &error["type"] },
                &error["code"],
                &error["message"],
            );
            return said.finish();
        }
        if format == Format::Converse && plain["message"].is_string() {
            said.error(&json!(status), &Value::Null, &Value::Null, &plain["message"]);
            return said.finish();
        }
        match format {
            Format::Converse => converse(&mut said, &plain),
            Format::Chat => chat(&mut said, &plain),
            Format::Responses => response(&mut said, &plain),
            Format::Messages => message(&mut said, &plain),
            Format::Gemini => candidate(&mut said, &plain),
        }
        said.is_ended = true;
        return said.finish();
    }
    for event in &events {
        match format {
            Format::Chat => chat_event(&mut said, event),
            Format::Responses => response_event(&mut said, event),
            Format::Messages => message_event(&mut said, event),
            Format::Gemini => candidate(&mut said, event),
            Format::Converse => converse_event(&mut said, event),
        }
    }
    if format == Format::Gemini {
        said.is_ended = said.finish.is_some();
    }
    said.finish()
}

fn usage(input: u64, cache_read: &Value, output: u64, reasoning: &Value) -> Value {
    json!({
        "input": input,
        "cache_read": cache_read.as_u64().unwrap_or(0),
        "output": output,
        "reasoning": reasoning.as_u64().unwrap_or(0),
    })
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn chat_usage(said: &mut Said, answer: &Value) {
    let counts = &answer["usage"];
    if counts.is_object() {
        let cached = &counts["prompt_tokens_details"]["cached_tokens"];
        let reasoning = &counts["completion_tokens_details"]["reasoning_tokens"];
        said.usage =
            usage(number(&counts["prompt_tokens"]), cached, number(&counts["completion_tokens"]), reasoning);
    }
}

fn chat_finish(said: &mut Said, reason: &Value) {
    said.finish = reason
        .as_str()
        .map(|reason| match reason {
            "tool_calls" => "tool".to_owned(),
            "content_filter" => "filtered".to_owned(),
            other => other.to_owned(),
        })
        .or(said.finish.take());
}

fn chat(said: &mut Said, answer: &Value) {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    said.text = str_of(&message["content"]).to_owned();
    said.refusal = str_of(&message["refusal"]).to_owned();
    said.reasoning = str_of(&message["reasoning_content"]).to_owned();
    for call in list(&message["tool_calls"]) {
        let function = &call["function"];
        said.calls.push((str_of(&function["name"]).to_owned(), str_of(&function["arguments"]).to_owned()));
    }
    said.sources =
        list(&message["annotations"]).iter().map(|source| source["url_citation"]["url"].clone()).collect();
    chat_finish(said, &choice["finish_reason"]);
    chat_usage(said, answer);
}

fn chat_event(said: &mut Said, event: &Value) {
    if event == "[DONE]" {
        said.is_ended = true;
        return;
    }
    if let Some(error) = event.get("error") {
        said.error(&Value::Null, &error["type"], &error["code"], &error["message"]);
    }
    let choice = &event["choices"][0];
    let delta = &choice["delta"];
    said.text += str_of(&delta["content"]);
    said.refusal += str_of(&delta["refusal"]);
    said.reasoning += str_of(&delta["reasoning_content"]);
    for call in list(&delta["tool_calls"]) {
        let index = usize::try_from(number(&call["index"])).unwrap();
        if said.calls.len() <= index {
            said.calls.resize(index + 1, Default::default());
        }
        said.calls[index].0 += str_of(&call["function"]["name"]);
        said.calls[index].1 += str_of(&call["function"]["arguments"]);
    }
    said.sources
        .extend(list(&delta["annotations"]).iter().map(|source| source["url_citation"]["url"].clone()));
    chat_finish(said, &choice["finish_reason"]);
    chat_usage(said, event);
}

fn response(said: &mut Said, answer: &Value) {
    for item in list(&answer["output"]) {
        match str_of(&item["type"]) {
            "message" => {
                for part in list(&item["content"]) {
                    said.text += str_of(&part["text"]);
                    said.refusal += str_of(&part["refusal"]);
                    said.sources
                        .extend(list(&part["annotations"]).iter().map(|source| source["url"].clone()));
                }
            }
            "reasoning" => {
                for part in list(&item["summary"]).iter().chain(list(&item["content"])) {
                    said.reasoning += str_of(&part["text"]);
                }
            }
            "function_call" => {
                said.calls.push((str_of(&item["name"]).to_owned(), str_of(&item["arguments"]).to_owned()));
            }
            _ => {}
        }
    }
    let finish = match (str_of(&answer["status"]), str_of(&answer["incomplete_details"]["reason"])) {
        ("completed", _) => Some("stop"),
        ("incomplete", "max_output_tokens") => Some("length"),
        ("incomplete", _) => Some("filtered"),
        _ => None,
    };
    said.finish = finish.map(str::to_owned);
    if answer["error"].is_object() {
        let error = &answer["error"];
        said.error(&Value::Null, &Value::Null, &error["code"], &error["message"]);
    }
    let counts = &answer["usage"];
    if counts.is_object() {
        let cached = &counts["input_tokens_details"]["cached_tokens"];
        let reasoning = &counts["output_tokens_details"]["reasoning_tokens"];
        said.usage =
            usage(number(&counts["input_tokens"]), cached, number(&counts["output_tokens"]), reasoning);
    }
}

fn response_event(said: &mut Said, event: &Value) {
    match str_of(&event["type"]) {
        "response.output_text.delta" => said.text += str_of(&event["delta"]),
        "error" => said.error(&Value::Null, &Value::Null, &event["code"], &event["message"]),
        "response.completed" | "response.incomplete" | "response.failed" => {
            let streamed = std::mem::take(&mut said.text);
            let is_whole = event["type"] != "response.failed";
            if is_whole {
                response(said, &event["response"]);
                // What came in pieces is what the end repeats.
                assert_eq!(said.text, streamed, "the text of the last event, and of those before");
            } else {
                let error = &event["response"]["error"];
                said.error(&Value::Null, &Value::Null, &error["code"], &error["message"]);
                said.text = streamed;
            }
            said.is_ended = is_whole;
        }
        _ => {}
    }
}

fn message_finish(said: &mut Said, reason: &Value) {
    said.finish = reason
        .as_str()
        .map(|reason| match reason {
            // Others have no finish of their own for the second of these.
            "end_turn" | "stop_sequence" => "stop".to_owned(),
            "tool_use" => "tool".to_owned(),
            "max_tokens" | "model_context_window_exceeded" => "length".to_owned(),
            "refusal" => "filtered".to_owned(),
            other => other.to_owned(),
        })
        .or(said.finish.take());
}

fn message_usage(said: &mut Said, counts: &Value) {
    if counts.is_object() {
        let (read, written) = (&counts["cache_read_input_tokens"], &counts["cache_creation_input_tokens"]);
        let input = number(&counts["input_tokens"]) + number(read) + number(written);
        let reasoning = &counts["output_tokens_details"]["thinking_tokens"];
        said.usage = usage(input, read, number(&counts["output_tokens"]), reasoning);
    }
}

fn block(said: &mut Said, block: &Value) {
    match str_of(&block["type"]) {
        "text" => said.text += str_of(&block["text"]),
        "thinking" => said.reasoning += str_of(&block["thinking"]),
        "tool_use" => said.calls.push((str_of(&block["name"]).to_owned(), block["input"].to_string())),
        _ => {}
    }
    said.sources.extend(list(&block["citations"]).iter().map(|source| source["url"].clone()));
}

fn message(said: &mut Said, answer: &Value) {
    list(&answer["content"]).iter().for_each(|part| block(said, part));
    message_finish(said, &answer["stop_reason"]);
    message_usage(said, &answer["usage"]);
}

fn message_event(said: &mut Said, event: &Value) {
    let delta = &event["delta"];
    match str_of(&event["type"]) {
        "message_start" => message_usage(said, &event["message"]["usage"]),
        "content_block_start" => {
            block(said, &event["content_block"]);
            if event["content_block"]["type"] == "tool_use" {
                said.calls.last_mut().unwrap().1.clear();
            }
        }
        "content_block_delta" => {
            said.text += str_of(&delta["text"]);
            said.reasoning += str_of(&delta["thinking"]);
            if let Some(call) = said.calls.last_mut() {
                call.1 += str_of(&delta["partial_json"]);
            }
            said.sources.extend(delta.get("citation").map(|source| source["url"].clone()));
        }
        "message_delta" => {
            message_finish(said, &delta["stop_reason"]);
            // The SDKs overwrite what the start said with what the end says.
            let before = said.usage.clone();
            message_usage(said, &event["usage"]);
            if event["usage"].get("input_tokens").is_none_or(Value::is_null) {
                for part in ["input", "cache_read"] {
                    said.usage[part] = before[part].clone();
                }
            }
        }
        "message_stop" => said.is_ended = true,
        "error" => {
            let error = &event["error"];
            said.error(&Value::Null, &error["type"], &error["code"], &error["message"]);
        }
        _ => {}
    }
}

fn candidate(said: &mut Said, answer: &Value) {
    if let Some(error) = answer.get("error") {
        said.error(&Value::Null, &error["status"], &error["code"], &error["message"]);
    }
    let candidate = &answer["candidates"][0];
    for part in list(&candidate["content"]["parts"]) {
        let text = str_of(&part["text"]);
        if part["thought"] == true {
            said.reasoning += text;
        } else {
            said.text += text;
        }
        if let Some(call) = part.get("functionCall") {
            said.calls.push((str_of(&call["name"]).to_owned(), call["args"].to_string()));
        }
    }
    let sources = list(&candidate["groundingMetadata"]["groundingChunks"]);
    said.sources.extend(sources.iter().map(|source| source["web"]["uri"].clone()));
    let reason = candidate["finishReason"].as_str().or(answer["promptFeedback"]["blockReason"].as_str());
    said.finish = reason
        .map(|reason| match reason {
            "STOP" => "stop".to_owned(),
            "MAX_TOKENS" => "length".to_owned(),
            "SAFETY" | "RECITATION" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII" => "filtered".to_owned(),
            other => other.to_owned(),
        })
        .or(said.finish.take());
    let counts = &answer["usageMetadata"];
    if counts["candidatesTokenCount"].is_u64() || counts["thoughtsTokenCount"].is_u64() {
        let thoughts = &counts["thoughtsTokenCount"];
        let output = number(&counts["candidatesTokenCount"]) + number(thoughts);
        said.usage =
            usage(number(&counts["promptTokenCount"]), &counts["cachedContentTokenCount"], output, thoughts);
    }
}

fn converse_finish(said: &mut Said, reason: &Value) {
    said.finish = reason
        .as_str()
        .map(|reason| match reason {
            "end_turn" | "stop_sequence" => "stop".to_owned(),
            "tool_use" => "tool".to_owned(),
            "max_tokens" | "model_context_window_exceeded" => "length".to_owned(),
            "guardrail_intervened" | "content_filtered" => "filtered".to_owned(),
            other => other.to_owned(),
        })
        .or(said.finish.take());
}

fn converse_usage(said: &mut Said, counts: &Value) {
    if counts.is_object() {
        let (read, written) = (&counts["cacheReadInputTokens"], &counts["cacheWriteInputTokens"]);
        let input = number(&counts["inputTokens"]) + number(read) + number(written);
        said.usage = usage(input, read, number(&counts["outputTokens"]), &Value::Null);
    }
}

fn converse(said: &mut Said, answer: &Value) {
    for block in list(&answer["output"]["message"]["content"]) {
        said.text += str_of(&block["text"]);
        said.reasoning += str_of(&block["reasoningContent"]["reasoningText"]["text"]);
        if let Some(call) = block.get("toolUse") {
            said.calls.push((str_of(&call["name"]).to_owned(), call["input"].to_string()));
        }
        let cited = &block["citationsContent"];
        said.text.extend(list(&cited["content"]).iter().map(|part| str_of(&part["text"])));
        let sources = list(&cited["citations"]).iter();
        said.sources.extend(sources.map(|citation| citation["location"]["web"]["url"].clone()));
    }
    converse_finish(said, &answer["stopReason"]);
    converse_usage(said, &answer["usage"]);
}

fn converse_event(said: &mut Said, event: &Value) {
    let (name, content) = event.as_object().and_then(|event| event.iter().next()).unwrap();
    let delta = &content["delta"];
    match name.as_str() {
        "contentBlockStart" => {
            let name = str_of(&content["start"]["toolUse"]["name"]).to_owned();
            said.calls.push((name, String::new()));
        }
        "contentBlockDelta" => {
            said.text += str_of(&delta["text"]);
            said.reasoning += str_of(&delta["reasoningContent"]["text"]);
            if let Some(call) = said.calls.last_mut() {
                call.1 += str_of(&delta["toolUse"]["input"]);
            }
            said.sources.extend(delta.get("citation").map(|one| one["location"]["web"]["url"].clone()));
        }
        "messageStop" => converse_finish(said, &content["stopReason"]),
        "metadata" => {
            converse_usage(said, &content["usage"]);
            said.is_ended = true;
        }
        name if name.ends_with("Exception") => {
            said.error(&Value::Null, &json!(name), &Value::Null, &content["message"]);
        }
        _ => {}
    }
}
