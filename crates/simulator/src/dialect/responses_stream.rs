//! The stream of OpenAI's Responses.

use bytes::Bytes;
use serde_json::{Value, json};

use super::responses::{Status, failed_response, items, response, text_part};
use crate::content::Finish;
use crate::event_list::EventList;
use crate::response_spec::ResponseSpec;

/// Writes events, each with its type and its number.
struct EventWriter<'a> {
    spec: &'a ResponseSpec<'a>,
    events: EventList,
}

impl EventWriter<'_> {
    fn push(&mut self, name: &str, fields: Value) {
        self.events.push(event(name, self.events.len(), fields));
    }

    fn push_content(&mut self, name: &str, fields: Value) {
        self.events.push_content(event(name, self.events.len(), fields));
    }

    /// An item as it begins, as it grows and as it is in the end.
    fn push_item(&mut self, output_index: usize, item: &Value) {
        let begun = begun_item(item);
        self.push("response.output_item.added", json!({"output_index": output_index, "item": begun}));
        match item["type"].as_str() {
            Some("reasoning") => self.push_summary(output_index, item),
            Some("message") => self.push_text(output_index, item),
            Some("custom_tool_call") => self.push_input(output_index, item),
            _ => self.push_arguments(output_index, item),
        }
        self.push("response.output_item.done", json!({"output_index": output_index, "item": item}));
    }

    fn push_summary(&mut self, output_index: usize, item: &Value) {
        let Some(thinking) = self.spec.content.thinking.as_ref().filter(|thinking| !thinking.text.is_empty())
        else {
            return;
        };
        let at = |key: &str, value: Value| {
            let mut fields = json!({"item_id": item["id"], "output_index": output_index, "summary_index": 0});
            fields[key] = value;
            fields
        };
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        self.push("response.reasoning_summary_part.added", at("part", part("")));
        for word in thinking.words() {
            self.push_content("response.reasoning_summary_text.delta", at("delta", word.into()));
        }
        self.push("response.reasoning_summary_text.done", at("text", thinking.text.as_str().into()));
        self.push("response.reasoning_summary_part.done", at("part", part(&thinking.text)));
    }

    fn push_text(&mut self, output_index: usize, item: &Value) {
        let at = |key: &str, value: Value| {
            let mut fields = json!({"item_id": item["id"], "output_index": output_index, "content_index": 0});
            fields[key] = value;
            fields
        };
        let refuses = self.spec.content.finish == Finish::Refusal;
        let with_logprobs = |mut fields: Value| {
            if !refuses {
                fields["logprobs"] = json!([]);
            }
            fields
        };
        let (delta, done, key) = if refuses {
            ("response.refusal.delta", "response.refusal.done", "refusal")
        } else {
            ("response.output_text.delta", "response.output_text.done", "text")
        };
        self.push("response.content_part.added", at("part", text_part(self.spec, "")));
        for word in self.spec.text_words() {
            self.push_content(delta, with_logprobs(at("delta", word.into())));
        }
        let text = self.spec.text();
        self.push(done, with_logprobs(at(key, text.as_str().into())));
        self.push("response.content_part.done", at("part", text_part(self.spec, &text)));
    }

    fn push_input(&mut self, output_index: usize, item: &Value) {
        let call = self.spec.content.tool_calls.iter().find(|call| item["input"] == call.arguments);
        for piece in call.iter().flat_map(|call| call.argument_pieces()) {
            let fields = json!({"item_id": item["id"], "output_index": output_index, "delta": piece});
            self.push_content("response.custom_tool_call_input.delta", fields);
        }
        let done = json!({"item_id": item["id"], "output_index": output_index, "input": item["input"]});
        self.push("response.custom_tool_call_input.done", done);
    }

    fn push_arguments(&mut self, output_index: usize, item: &Value) {
        let call = self.spec.content.tool_calls.iter().find(|call| item["arguments"] == call.arguments);
        for piece in call.iter().flat_map(|call| call.argument_pieces()) {
            let fields = json!({"item_id": item["id"], "output_index": output_index, "delta": piece});
            self.push_content("response.function_call_arguments.delta", fields);
        }
        let done = json!({
            "item_id": item["id"],
            "output_index": output_index,
            "name": item["name"],
            "arguments": item["arguments"],
        });
        self.push("response.function_call_arguments.done", done);
    }
}

/// An item before its content. Its encrypted content is not yet whole: only that of the finished item counts.
fn begun_item(item: &Value) -> Value {
    let mut begun = item.clone();
    match begun["type"].as_str() {
        Some("reasoning") => {
            begun["summary"] = json!([]);
            let encrypted = begun["encrypted_content"].as_str().unwrap_or_default();
            begun["encrypted_content"] = encrypted.chars().take(16).collect::<String>().into();
        }
        Some("message") => begun["content"] = json!([]),
        Some("custom_tool_call") => begun["input"] = "".into(),
        _ => begun["arguments"] = "".into(),
    }
    if begun.get("status").is_some() {
        begun["status"] = "in_progress".into();
    }
    begun
}

pub(super) fn events(spec: &ResponseSpec<'_>) -> EventList {
    let mut writer = EventWriter { spec, events: EventList::with_capacity(spec.words + 8) };
    let begun = response(spec, Status::InProgress, &[], &Value::Null);
    writer.push("response.created", json!({"response": begun}));
    writer.push("response.in_progress", json!({"response": begun}));
    let items = items(spec);
    for (output_index, item) in items.iter().enumerate() {
        writer.push_item(output_index, item);
    }
    let ended = response(spec, Status::Finished, &items, &Value::Null);
    let name =
        if spec.content.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    writer.push(name, json!({"response": ended}));
    writer.events
}

/// An error after so many events: a response that has begun fails, and one that has not is an `error` event.
pub(super) fn error_event(spec: &ResponseSpec<'_>, error_body: &Value, after: usize) -> Bytes {
    if after == 0 {
        return event("error", 0, error_body.clone());
    }
    event("response.failed", after, json!({"response": failed_response(spec, error_body)}))
}

fn event(name: &str, sequence_number: usize, fields: Value) -> Bytes {
    let mut data = json!({"type": name, "sequence_number": sequence_number});
    if let (Value::Object(data), Value::Object(fields)) = (&mut data, fields) {
        data.extend(fields);
    }
    format!("event: {name}\ndata: {data}\n\n").into()
}
