//! Reads a request.
//!
//! Items of `input` become parts of turns. Items that follow each other and are the model's belong to one turn, since
//! one answer of this API consists of many items.

use serde_json::value::RawValue;

use super::content::{content, text_of};
use super::draft::Draft;
use super::tools;
use crate::RequestError;
use crate::envelope;
use crate::form::{
    Effort, Format, Message, OpaqueKind, Part, PartKind, Request, Role, Sampling, ToolCall, ToolInput,
    ToolResult,
};
use crate::json::{self, Object};

/// Fields that are read below, or mean nothing for the answer.
const READ: [&str; 32] = [
    "background",
    "conversation",
    "frequency_penalty",
    "include",
    "input",
    "instructions",
    "logit_bias",
    "max_output_tokens",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
];

pub(crate) fn read(body: &Object<'_>) -> Result<Request, RequestError> {
    let mut draft = Draft::default();
    read_required(body, &mut draft);
    if let Some(text) = body.string("instructions").filter(|text| !text.is_empty()) {
        draft.request.system.push(Part::text(text));
    }
    read_input(body, &mut draft)?;
    read_settings(body, &mut draft);
    tools::read(body, &mut draft);
    read_text(body, &mut draft);
    read_reasoning(body, &mut draft);
    read_unmapped(body, &mut draft);
    Ok(draft.request)
}

fn read_settings(body: &Object<'_>, draft: &mut Draft) {
    let request = &mut draft.request;
    request.parallel_tool_calls = body.bool("parallel_tool_calls");
    request.max_tokens = body.u64("max_output_tokens");
    request.sampling = Sampling {
        temperature: body.f64("temperature"),
        top_p: body.f64("top_p"),
        top_k: body.u64("top_k"),
        seed: body.raw("seed").and_then(|seed| seed.get().parse().ok()),
        frequency_penalty: body.f64("frequency_penalty"),
        presence_penalty: body.f64("presence_penalty"),
    };
    // Not of this API, but of servers that speak it; they must not get lost.
    request.stop = match body.string("stop") {
        Some(stop) => vec![stop],
        None => body.array("stop").into_iter().filter_map(json::as_str).map(Into::into).collect(),
    };
    request.cache_key = body.string("prompt_cache_key");
    request.user = body.string("user").or_else(|| body.string("safety_identifier"));
    request.metadata = body.raw("metadata").filter(|pairs| pairs.get() != "{}").map(json::own);
    request.service_tier = body.string("service_tier");
    request.stream = body.bool("stream").unwrap_or(false);
    request.include_usage = true;
    let includes: Vec<_> = body.array("include").into_iter().filter_map(json::as_str).collect();
    let likely = body.u64("top_logprobs").filter(|count| *count > 0);
    let asked = includes.iter().any(|include| include == "message.output_text.logprobs");
    request.logprobs = likely.or(asked.then_some(0));
}

fn read_text(body: &Object<'_>, draft: &mut Draft) {
    let Some(text) = body.object("text") else { return };
    draft.request.verbosity = text.string("verbosity");
    let Some(format) = text.object("format") else { return };
    match format.str("type").as_deref() {
        Some("json_object") => draft.request.format = Some(Format::JsonObject),
        Some("json_schema") => {
            // Some clients nest it, as in the chat format.
            let format = format.object("json_schema").unwrap_or(format);
            draft.request.format = format.raw("schema").map(|schema| Format::JsonSchema {
                name: format.string("name"),
                description: format.string("description"),
                schema: json::own(schema),
                strict: format.bool("strict"),
            });
        }
        Some("text") | None => {}
        Some(_) => draft.unmapped("text.format", true),
    }
}

fn read_reasoning(body: &Object<'_>, draft: &mut Draft) {
    let Some(reasoning) = body.object("reasoning") else { return };
    let effort = reasoning.str("effort");
    draft.request.reasoning.effort = effort.as_deref().and_then(Effort::parse);
    if effort.is_some() && draft.request.reasoning.effort.is_none() {
        draft.unmapped("reasoning.effort", false);
    }
    let summary = reasoning.str("summary").or_else(|| reasoning.str("generate_summary"));
    draft.request.reasoning.show = summary.map(|summary| summary != "none");
    for field in ["context", "mode"] {
        if reasoning.raw(field).is_some() {
            draft.unmapped(&format!("reasoning.{field}"), false);
        }
    }
}

/// Fields that cannot be left out: among them what refers to something that a provider keeps.
fn read_required(body: &Object<'_>, draft: &mut Draft) {
    for field in ["conversation", "logit_bias", "previous_response_id", "prompt"] {
        if body.raw(field).is_some() {
            draft.unmapped(field, true);
        }
    }
    if body.bool("background") == Some(true) {
        draft.unmapped("background", true);
    }
    if body.u64("n").is_some_and(|n| n > 1) {
        draft.unmapped("n", true);
    }
    for field in ["moderation", "response_format"] {
        if body.raw(field).is_some() {
            draft.unmapped(field, true);
        }
    }
}

/// Fields without a counterpart in the common form.
fn read_unmapped(body: &Object<'_>, draft: &mut Draft) {
    if body.bool("store") == Some(true) {
        draft.unmapped("store", false);
    }
    if body.has("user") && body.raw("safety_identifier").is_some() {
        draft.unmapped("safety_identifier", false);
    }
    let carried = ["message.output_text.logprobs", "reasoning.encrypted_content"];
    let includes = body.array("include");
    if includes.into_iter().filter_map(json::as_str).any(|include| !carried.contains(&include.as_ref())) {
        draft.unmapped("include", false);
    }
    let default = |field: &str, value: &RawValue| field == "truncation" && value.get() == "\"disabled\"";
    for (field, value) in body.iter() {
        if !READ.contains(&field) && value.get() != "null" && !default(field, value) {
            draft.unmapped(field, false);
        }
    }
}

fn read_input(body: &Object<'_>, draft: &mut Draft) -> Result<(), RequestError> {
    let Some(input) = body.raw("input") else {
        let stored = ["prompt", "conversation", "previous_response_id"];
        let known = stored.iter().any(|field| body.raw(field).is_some());
        return if known { Ok(()) } else { Err(RequestError::field("input", "is missing")) };
    };
    if let Some(text) = json::as_str(input) {
        draft.push(Role::User, Part::text(text));
        return Ok(());
    }
    let items =
        json::items(input).ok_or_else(|| RequestError::field("input", "must be a string or an array"))?;
    for (index, raw) in items.into_iter().enumerate() {
        if let Some(text) = json::as_str(raw) {
            draft.push(Role::User, Part::text(text));
            continue;
        }
        let item = Object::of(raw)
            .ok_or_else(|| RequestError::field(format!("input[{index}]"), "must be an object"))?;
        read_item(&item, draft);
    }
    Ok(())
}

fn read_item(item: &Object<'_>, draft: &mut Draft) {
    let kind = item.str("type");
    match kind.as_deref().unwrap_or("message") {
        "message" => read_message(item, draft),
        "function_call" => {
            let arguments = item.raw("arguments").map(text_of).unwrap_or_default();
            read_call(item, ToolInput::Json(arguments), draft);
        }
        "custom_tool_call" => {
            read_call(item, ToolInput::Text(item.string("input").unwrap_or_default()), draft);
        }
        "function_call_output" => read_result(item, false, draft),
        "custom_tool_call_output" => read_result(item, true, draft),
        "reasoning" => draft.push(Role::Assistant, reasoning(item)),
        // Only its maker can read it, and the conversation so far is in it.
        kind @ ("compaction" | "compaction_summary" | "compaction_trigger" | "item_reference") => {
            draft.unmapped(kind, true);
        }
        _ if item.raw("role").is_some() && item.raw("content").is_some() => {
            read_message(item, draft);
        }
        kind => {
            // Tools that a search found, or that came later, are declared like any.
            tools::add(&item.objects("tools"), None, draft);
            if kind != "additional_tools" {
                let role = if kind.ends_with("_output") { Role::User } else { Role::Assistant };
                draft.push(role, Part::new(PartKind::Foreign(kind.to_owned())));
            }
        }
    }
}

fn read_message(item: &Object<'_>, draft: &mut Draft) {
    let parts = content(item.raw("content"));
    match item.str("role").as_deref() {
        Some("assistant") => {
            for part in parts {
                draft.push(Role::Assistant, part);
            }
        }
        Some("system" | "developer") => {
            let (text, others): (Vec<_>, Vec<_>) =
                parts.into_iter().partition(|part| matches!(part.kind, PartKind::Text(_)));
            let turns = &mut draft.request.turns;
            if turns.is_empty() {
                draft.request.system.extend(text);
            } else if !text.is_empty() {
                turns.push(Message { role: Role::System, parts: text });
            }
            if !others.is_empty() {
                draft.request.turns.push(Message { role: Role::User, parts: others });
            }
        }
        _ if parts.is_empty() => {}
        _ => draft.request.turns.push(Message { role: Role::User, parts }),
    }
}

fn read_call(item: &Object<'_>, input: ToolInput, draft: &mut Draft) {
    let call = ToolCall {
        id: item.string("call_id").or_else(|| item.string("id")).unwrap_or_default(),
        name: item.string("name").unwrap_or_default(),
        namespace: item.string("namespace"),
        input,
    };
    draft.push(Role::Assistant, Part::new(PartKind::ToolCall(call)));
}

fn read_result(item: &Object<'_>, is_custom: bool, draft: &mut Draft) {
    let result = ToolResult {
        id: item.string("call_id").or_else(|| item.string("id")).unwrap_or_default(),
        name: item.string("name"),
        is_error: false,
        is_custom,
        content: content(item.raw("output")),
        json: None,
    };
    draft.push(Role::User, Part::new(PartKind::ToolResult(result)));
}

fn reasoning(item: &Object<'_>) -> Part {
    let opaque = item.str("encrypted_content").filter(|value| !value.is_empty()).map(|value| {
        let mut opaque = envelope::open(&value, OpaqueKind::Encrypted);
        if opaque.owner.is_none() {
            opaque.id = item.string("id");
        }
        opaque
    });
    Part::new(PartKind::Reasoning { text: super::reasoning_text(item), opaque })
}
