//! OpenAI's Responses: the response and its items. Its stream is in `responses_stream`.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::content::Finish;
use crate::response_spec::ResponseSpec;
use crate::signature::SignatureKind;

/// An id that names this simulator, so that no other one takes it for its own.
fn id(spec: &ResponseSpec<'_>, prefix: &str) -> String {
    format!("{prefix}_{}_{}", spec.simulator, spec.number)
}

/// The response's id.
pub(super) fn response_id(spec: &ResponseSpec<'_>) -> String {
    id(spec, "resp")
}

/// The state of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    /// It ended as the model wanted, or at the maximum of tokens.
    Finished,
    Failed,
}

impl Status {
    const fn name(self, finish: Finish) -> &'static str {
        match (self, finish) {
            (Self::InProgress, _) => "in_progress",
            (Self::Finished, Finish::Length) => "incomplete",
            (Self::Finished, _) => "completed",
            (Self::Failed, _) => "failed",
        }
    }
}

/// The response object with these items.
pub(super) fn response(spec: &ResponseSpec<'_>, status: Status, output: &[Value], error: &Value) -> Value {
    let is_incomplete = status == Status::Finished && spec.content.finish == Finish::Length;
    json!({
        "id": response_id(spec),
        "object": "response",
        "created_at": spec.created,
        "status": status.name(spec.content.finish),
        "background": false,
        "error": error,
        "incomplete_details": is_incomplete.then(|| json!({"reason": "max_output_tokens"})),
        "instructions": null,
        "max_output_tokens": null,
        "model": spec.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": spec.previous_response_id,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "default",
        "store": spec.store,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": (status == Status::Finished).then(|| usage(spec)),
        "metadata": {},
    })
}

/// OpenAI's own sums: the input with what was cached, the output with its reasoning.
fn usage(spec: &ResponseSpec<'_>) -> Value {
    let usage = spec.usage();
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    })
}

/// The finished items in order: reasoning, message, function calls.
pub(super) fn items(spec: &ResponseSpec<'_>) -> Vec<Value> {
    let reasoning = spec.thinking(SignatureKind::OpenAi).map(|(thinking, encrypted)| {
        let summary =
            (!thinking.text.is_empty()).then(|| json!({"type": "summary_text", "text": thinking.text}));
        json!({
            "id": id(spec, "rs"),
            "type": "reasoning",
            "summary": Vec::from_iter(summary),
            "encrypted_content": encrypted,
        })
    });
    let message = spec.has_text().then(|| {
        let content = [text_part(spec, &spec.text())];
        let status = item_status(spec);
        json!({
            "id": id(spec, "msg"),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        })
    });
    let calls = spec.content.tool_calls.iter().enumerate().map(|(index, call)| {
        let call_id = format!("call_simulated_{}_{index}", spec.number);
        if call.freeform {
            return json!({
                "id": format!("{}_{index}", id(spec, "ctc")),
                "type": "custom_tool_call",
                "status": item_status(spec),
                "call_id": call_id,
                "name": call.name,
                "input": call.arguments,
            });
        }
        json!({
            "id": format!("{}_{index}", id(spec, "fc")),
            "type": "function_call",
            "status": item_status(spec),
            "call_id": call_id,
            "name": call.name,
            "arguments": call.arguments,
        })
    });
    reasoning.into_iter().chain(message).chain(calls).collect()
}

fn item_status(spec: &ResponseSpec<'_>) -> &'static str {
    if spec.content.finish == Finish::Length { "incomplete" } else { "completed" }
}

/// The part of the message with this text.
pub(super) fn text_part(spec: &ResponseSpec<'_>, text: &str) -> Value {
    if spec.content.finish == Finish::Refusal {
        json!({"type": "refusal", "refusal": text})
    } else {
        json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    }
}

/// The response as it is stored.
pub(super) fn stored_response(spec: &ResponseSpec<'_>) -> Value {
    response(spec, Status::Finished, &items(spec), &Value::Null)
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    stored_response(spec).to_string().into()
}

/// A response that failed, given the error's own body.
pub(super) fn failed_response(spec: &ResponseSpec<'_>, error_body: &Value) -> Value {
    let error = &error_body["error"];
    let code = if error["code"].is_string() { &error["code"] } else { &error["type"] };
    response(spec, Status::Failed, &[], &json!({"code": code, "message": error["message"]}))
}
