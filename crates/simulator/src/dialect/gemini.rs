//! Gemini's `generateContent`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::content::{Finish, Thinking};
use crate::event_list::EventList;
use crate::response_spec::{ResponseSpec, raw_json, to_json};
use crate::signature::{SignatureKind, requires_signatures};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerateContentResponse<'a> {
    candidates: [Candidate<'a>; 1],
    usage_metadata: Value,
    model_version: &'a str,
    response_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<CandidateContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    index: u8,
}

#[derive(Serialize)]
struct CandidateContent<'a> {
    parts: &'a [Part],
    role: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Serialize)]
struct FunctionCall {
    name: String,
    args: Box<RawValue>,
}

impl Part {
    fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    fn thought(text: impl Into<String>) -> Self {
        Self { thought: Some(true), ..Self::text(text) }
    }
}

/// Gemini's own sums: the prompt with what was cached, the candidates without the thoughts.
fn usage(spec: &ResponseSpec<'_>) -> Value {
    let usage = spec.usage();
    let mut counts = json!({
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output.saturating_sub(usage.reasoning),
        "totalTokenCount": usage.input + usage.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
    });
    if usage.cache_read > 0 {
        counts["cachedContentTokenCount"] = usage.cache_read.into();
        counts["cacheTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": usage.cache_read}]);
    }
    if usage.reasoning > 0 {
        counts["thoughtsTokenCount"] = usage.reasoning.into();
    }
    counts
}

/// The counts of all chunks but the last, which overrules them.
fn usage_so_far(spec: &ResponseSpec<'_>) -> Value {
    let input = spec.usage().input;
    json!({"promptTokenCount": input, "totalTokenCount": input})
}

const fn finish_reason(spec: &ResponseSpec<'_>) -> &'static str {
    match spec.content.finish {
        Finish::Complete => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Refusal => "SAFETY",
    }
}

fn response(
    spec: &ResponseSpec<'_>,
    parts: Option<&[Part]>,
    finish_reason: Option<&'static str>,
    usage_metadata: Value,
) -> String {
    let content = parts.map(|parts| CandidateContent { parts, role: "model" });
    to_json(&GenerateContentResponse {
        candidates: [Candidate { content, finish_reason, index: 0 }],
        usage_metadata,
        model_version: spec.model,
        response_id: format!("simulated-{}", spec.number),
    })
}

/// The tool calls. The first one has the signature, if there is one, as Gemini does it for parallel calls.
fn calls(spec: &ResponseSpec<'_>, mut signature: Option<String>) -> Vec<Part> {
    let calls = spec.content.tool_calls.iter().map(|call| Part {
        function_call: Some(FunctionCall { name: call.name.clone(), args: raw_json(&call.arguments) }),
        thought_signature: signature.take(),
        ..Part::default()
    });
    calls.collect()
}

/// The signature, as the part with the calls or the one with the text has it.
fn signatures(spec: &ResponseSpec<'_>) -> (Option<String>, Option<String>) {
    let of_thinking = spec.thinking(SignatureKind::Gemini).map(|(_, signature)| signature);
    if spec.content.tool_calls.is_empty() {
        return (None, of_thinking);
    }
    // Those models sign each call: they think whether that is shown or not.
    let hidden = Thinking { text: String::new(), opaque: "hidden".to_owned() };
    let of_hidden =
        requires_signatures(spec.model).then(|| SignatureKind::Gemini.sign(spec.simulator, &hidden));
    (of_thinking.or(of_hidden), None)
}

pub(super) fn response_body(spec: &ResponseSpec<'_>) -> Bytes {
    let finish = Some(finish_reason(spec));
    if spec.content.finish == Finish::Refusal {
        return response(spec, None, finish, usage(spec)).into();
    }
    let (of_calls, of_text) = signatures(spec);
    let mut parts = Vec::new();
    if let Some(thinking) = spec.content.thinking.as_ref().filter(|thinking| !thinking.text.is_empty()) {
        parts.push(Part::thought(&thinking.text));
    }
    if spec.has_text() || of_text.is_some() {
        parts.push(Part { thought_signature: of_text, ..Part::text(spec.text()) });
    }
    parts.extend(calls(spec, of_calls));
    response(spec, Some(&parts), finish, usage(spec)).into()
}

/// A stream has no event before its first word and none after its finish reason, which comes with an empty text.
pub(super) fn events(spec: &ResponseSpec<'_>) -> EventList {
    let mut events = EventList::with_capacity(spec.words + 1);
    if spec.content.finish == Finish::Refusal {
        events.push(event(&response(spec, None, Some(finish_reason(spec)), usage(spec))));
        return events;
    }
    let (of_calls, of_text) = signatures(spec);
    let thoughts = spec.content.thinking.iter().flat_map(|thinking| thinking.words()).map(Part::thought);
    let output = thoughts.chain(spec.text_words().map(Part::text)).chain(calls(spec, of_calls));
    for part in output {
        events.push_content(event(&response(spec, Some(&[part]), None, usage_so_far(spec))));
    }
    let last = Part { thought_signature: of_text, ..Part::text("") };
    events.push(event(&response(spec, Some(&[last]), Some(finish_reason(spec)), usage(spec))));
    events
}

fn event(data: &str) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// The same events as elements of a JSON array; whether it is closed is for the response's ending to say.
pub(super) fn to_array_elements(events: Vec<Bytes>, is_closed: bool) -> Vec<Bytes> {
    let mut elements: Vec<Bytes> = events.into_iter().enumerate().map(array_element).collect();
    if is_closed && let Some(last) = elements.last_mut() {
        *last = [last, &b"\n]"[..]].concat().into();
    }
    elements
}

/// One event as the element with this index.
pub(super) fn array_element((index, event): (usize, Bytes)) -> Bytes {
    let data = event.strip_prefix(b"data: ").unwrap_or(&event);
    let data = data.strip_suffix(b"\n\n").unwrap_or(data);
    let before: &[u8] = if index == 0 { b"[" } else { b"\n,\n" };
    [before, data].concat().into()
}
