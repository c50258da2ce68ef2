//! OpenAI's Chat Completions.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::content::{Finish, ToolCall};
use crate::event_list::EventList;
use crate::response_spec::{ResponseSpec, to_json};

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    /// With `include_usage` every chunk has the field, null in all but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Clone, Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Value>,
}

fn id(spec: &ResponseSpec<'_>) -> String {
    format!("chatcmpl-simulated-{}", spec.number)
}

fn call_id(spec: &ResponseSpec<'_>, index: usize) -> String {
    let own = spec.content.tool_calls.get(index).and_then(|call| call.id.clone());
    own.unwrap_or_else(|| format!("call_simulated_{}_{index}", spec.number))
}

/// OpenAI's own sums: the prompt with what was cached, the completion with its reasoning.
fn usage(spec: &ResponseSpec<'_>) -> Value {
    let usage = spec.usage();
    let choices = usize::from(spec.choices);
    let (output, reasoning) = (usage.output * choices, usage.reasoning * choices);
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": output,
        "total_tokens": usage.input + output,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    })
}

fn finish_reason(spec: &ResponseSpec<'_>) -> &'static str {
    match spec.content.finish {
        Finish::Length => "length",
        Finish::Complete if spec.awaits_tools() => "tool_calls",
        Finish::Complete | Finish::Refusal => "stop",
    }
}

fn message(spec: &ResponseSpec<'_>) -> Value {
    let text = spec.has_text().then(|| spec.text());
    let (content, refusal) = if spec.content.finish == Finish::Refusal { (None, text) } else { (text, None) };
    let mut message = json!({"role": "assistant", "content": content, "refusal": refusal, "annotations": []});
    if let Some(thinking) = &spec.content.thinking {
        message["reasoning_content"] = json!(thinking.text);
    }
    let calls = spec.content.tool_calls.iter().enumerate().map(|(index, call)| {
        let function = json!({"name": call.name, "arguments": call.arguments});
        json!({"id": call_id(spec, index), "type": "function", "function": function})
    });
    let calls: Vec<Value> = calls.collect();
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    message
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    let choices = (0..spec.choices).map(|index| {
        json!({
            "index": index,
            "message": message(spec),
            "logprobs": null,
            "finish_reason": finish_reason(spec),
        })
    });
    json!({
        "id": id(spec),
        "object": "chat.completion",
        "created": spec.created,
        "model": spec.model,
        "choices": choices.collect::<Vec<_>>(),
        "usage": usage(spec),
        "service_tier": "default",
    })
    .to_string()
    .into()
}

/// Writes the chunks of a stream.
struct ChunkWriter<'a> {
    spec: &'a ResponseSpec<'a>,
    id: String,
    events: EventList,
}

impl ChunkWriter<'_> {
    fn chunk(&self, choices: &[Choice<'_>], usage: Value) -> Bytes {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.spec.created,
            model: self.spec.model,
            choices,
            usage: self.spec.include_usage.then_some(usage),
        };
        format!("data: {}\n\n", to_json(&chunk)).into()
    }

    fn delta(&self, index: u8, delta: Delta<'_>, finish_reason: Option<&'static str>) -> Bytes {
        self.chunk(&[Choice { index, delta, logprobs: None, finish_reason }], Value::Null)
    }

    /// The same output for each choice.
    fn push_output(&mut self, delta: &Delta<'_>) {
        for index in 0..self.spec.choices {
            let event = self.delta(index, delta.clone(), None);
            self.events.push_content(event);
        }
    }

    /// Only the first piece of a call has its id, its type and its name.
    fn push_tool_call(&mut self, index: usize, call: &ToolCall) {
        let function = json!({"name": call.name, "arguments": ""});
        let id = call_id(self.spec, index);
        let begin = json!([{"index": index, "id": id, "type": "function", "function": function}]);
        self.push_output(&Delta { tool_calls: Some(begin), ..Delta::default() });
        for piece in call.argument_pieces() {
            let more = json!([{"index": index, "function": {"arguments": piece}}]);
            self.push_output(&Delta { tool_calls: Some(more), ..Delta::default() });
        }
    }
}

pub(super) fn events(spec: &ResponseSpec<'_>) -> EventList {
    let choices = 0..spec.choices;
    let events = EventList::with_capacity((spec.words + 2) * choices.len() + 2);
    let mut writer = ChunkWriter { spec, id: id(spec), events };
    let refuses = spec.content.finish == Finish::Refusal;
    let content = (spec.has_text() && !refuses).then_some("");
    for index in choices.clone() {
        let begin = Delta { role: Some("assistant"), content, ..Delta::default() };
        let event = writer.delta(index, begin, None);
        writer.events.push(event);
    }
    for word in spec.content.thinking.iter().flat_map(|thinking| thinking.words()) {
        writer.push_output(&Delta { reasoning_content: Some(word), ..Delta::default() });
    }
    for word in spec.text_words() {
        let word = Some(word.as_str());
        let (content, refusal) = if refuses { (None, word) } else { (word, None) };
        writer.push_output(&Delta { content, refusal, ..Delta::default() });
    }
    for (index, call) in spec.content.tool_calls.iter().enumerate() {
        writer.push_tool_call(index, call);
    }
    for index in choices {
        let event = writer.delta(index, Delta::default(), Some(finish_reason(spec)));
        writer.events.push(event);
    }
    if spec.include_usage {
        let event = writer.chunk(&[], usage(spec));
        writer.events.push(event);
    }
    writer.events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    writer.events
}
