//! Reads a request.

use serde_json::value::RawValue;

use super::{block_reader, tool_reader};
use crate::RequestError;
use crate::form::{Effort, Format, Message, Part, PartKind, Reasoning, Request, Role, Sampling, Unmapped};
use crate::json::{Object, as_str, items, own};

/// Claude Code's first block of the system prompt: for Anthropic's accounts, not for a model. It changes with every
/// request, so that no other maker's prompt cache would ever fit.
const ATTRIBUTION: &str = "x-anthropic-billing-header:";

pub(crate) fn read(body: &Object<'_>) -> Result<Request, RequestError> {
    let mut request = Request {
        max_tokens: body.u64("max_tokens"),
        sampling: Sampling {
            temperature: body.f64("temperature"),
            top_p: body.f64("top_p"),
            top_k: body.u64("top_k"),
            ..Sampling::default()
        },
        stop: body.array("stop_sequences").into_iter().filter_map(as_str).map(Into::into).collect(),
        format: read_format(body),
        reasoning: read_reasoning(body),
        cache: block_reader::cache(body),
        user: body.object("metadata").and_then(|metadata| metadata.string("user_id")),
        service_tier: body.string("service_tier"),
        stream: body.bool("stream").unwrap_or(false),
        unmapped: read_unmapped(body),
        ..Request::default()
    };
    read_system(body, &mut request)?;
    read_turns(body, &mut request)?;
    tool_reader::read(body, &mut request)?;
    Ok(request)
}

fn read_system(body: &Object<'_>, request: &mut Request) -> Result<(), RequestError> {
    let Some(raw) = body.raw("system") else { return Ok(()) };
    let parts = block_reader::read(raw, &mut request.unmapped)
        .ok_or_else(|| RequestError::field("system", "must be a string or an array of text blocks"))?;
    add_system(request, parts);
    Ok(())
}

/// Only text can be system text.
fn add_system(request: &mut Request, parts: Vec<Part>) {
    for part in parts {
        match &part.kind {
            PartKind::Text(text) if request.system.is_empty() && text.starts_with(ATTRIBUTION) => {
                block_reader::leave_out(&mut request.unmapped, "x-anthropic-billing-header");
            }
            PartKind::Text(_) => request.system.push(part),
            PartKind::Foreign(name) => block_reader::leave_out(&mut request.unmapped, name),
            _ => block_reader::leave_out(&mut request.unmapped, "system"),
        }
    }
}

fn read_turns(body: &Object<'_>, request: &mut Request) -> Result<(), RequestError> {
    let messages = body
        .raw("messages")
        .and_then(items)
        .ok_or_else(|| RequestError::field("messages", "must be an array"))?;
    for (index, raw) in messages.into_iter().enumerate() {
        let (role, parts) = read_message(raw, &mut request.unmapped)
            .map_err(|(field, reason)| RequestError::field(format!("messages[{index}]{field}"), reason))?;
        if role == Role::System && request.turns.is_empty() {
            add_system(request, parts);
        } else {
            request.turns.push(Message { role, parts });
        }
    }
    Ok(())
}

/// The error is the field's path within the message, and what is wrong.
fn read_message(
    raw: &RawValue,
    unmapped: &mut Vec<Unmapped>,
) -> Result<(Role, Vec<Part>), (&'static str, &'static str)> {
    let message = Object::of(raw).ok_or(("", "must be an object"))?;
    let role = match message.str("role").as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        _ => return Err((".role", "must be `user`, `assistant` or `system`")),
    };
    let parts = match message.raw("content") {
        Some(content) => block_reader::read(content, unmapped)
            .ok_or((".content", "must be a string or an array of content blocks"))?,
        None => Vec::new(),
    };
    Ok((role, parts))
}

fn read_format(body: &Object<'_>) -> Option<Format> {
    let format = body
        .object("output_config")
        .and_then(|config| config.object("format"))
        .or_else(|| body.object("output_format"))?;
    let schema = own(format.raw("schema")?);
    Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
}

fn read_reasoning(body: &Object<'_>) -> Reasoning {
    let effort = body.object("output_config").and_then(|config| config.str("effort"));
    let mut reasoning =
        Reasoning { effort: effort.and_then(|word| Effort::parse(&word)), ..Reasoning::default() };
    let Some(thinking) = body.object("thinking") else { return reasoning };
    match thinking.str("type").as_deref() {
        Some("enabled") => {
            reasoning.enabled = Some(true);
            reasoning.budget = thinking.u64("budget_tokens");
        }
        Some("adaptive") => reasoning.enabled = Some(true),
        Some("disabled" | "between_tools") => reasoning.enabled = Some(false),
        _ => {}
    }
    if reasoning.enabled == Some(true) {
        // A client that asks for thinking shows it unless it says that it does not.
        reasoning.show = Some(thinking.str("display").as_deref() != Some("omitted"));
    }
    reasoning
}

fn read_unmapped(body: &Object<'_>) -> Vec<Unmapped> {
    let mut unmapped: Vec<Unmapped> = Vec::new();
    for (field, value) in body.iter() {
        let required = match field {
            "model" | "max_tokens" | "messages" | "system" | "stop_sequences" | "stream" | "thinking"
            | "tools" | "tool_choice" | "output_config" | "output_format" | "metadata" | "service_tier"
            | "cache_control" | "temperature" | "top_p" | "top_k" | "anthropic_version"
            | "anthropic_beta" | "betas" => continue,
            // Tools that Anthropic runs, files that it stores, a region that it must not leave.
            "mcp_servers" => items(value).is_none_or(|servers| !servers.is_empty()),
            "container" => true,
            "inference_geo" => as_str(value).is_none_or(|region| region != "global"),
            _ => false,
        };
        let is_said = value.get() != "null" && (required || field != "mcp_servers");
        if is_said && !unmapped.iter().any(|known| known.field == field) {
            unmapped.push(Unmapped { field: field.to_owned(), required });
        }
    }
    unmapped
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::form::{Effort, PartKind, Reasoning, Request, Role};
    use crate::json::Object;

    fn request(body: &str) -> Request {
        read(&Object::parse(body.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn system_text_stands_before_the_turns_or_in_the_middle() {
        let request = request(
            r#"{"system":[{"type":"text","text":"x-anthropic-billing-header: cch=1;"},{"type":"text","text":"Be brief."}],
            "messages":[{"role":"system","content":"A"},{"role":"user","content":"Hi"},
            {"role":"system","content":[{"type":"text","text":"B"},{"type":"tool_addition","tool":{}}]}]}"#,
        );
        let system: Vec<_> = request.system.iter().map(|part| &part.kind).collect();
        assert!(matches!(system[..], [PartKind::Text(a), PartKind::Text(b)] if a == "Be brief." && b == "A"));
        assert_eq!(request.turns[1].role, Role::System);
        assert!(
            matches!(&request.turns[1].parts[1].kind, PartKind::Foreign(name) if name == "tool_addition")
        );
        assert_eq!(request.unmapped[0].field, "x-anthropic-billing-header");
    }

    #[test]
    fn thinking_is_read_in_all_its_forms() {
        let thinking = |json: &str| request(&format!(r#"{{"messages":[],{json}}}"#)).reasoning;
        let asked = |enabled, show| Reasoning { enabled, show, ..Reasoning::default() };
        assert_eq!(thinking(r#""thinking":{"type":"adaptive"}"#), asked(Some(true), Some(true)));
        assert_eq!(thinking(r#""thinking":{"type":"between_tools"}"#), asked(Some(false), None));
        assert_eq!(
            thinking(r#""thinking":{"type":"enabled","budget_tokens":31999,"display":"omitted"}"#),
            Reasoning { budget: Some(31_999), ..asked(Some(true), Some(false)) }
        );
        assert_eq!(
            thinking(r#""output_config":{"effort":"xhigh"},"thinking":{"type":"disabled"}"#),
            Reasoning { effort: Some(Effort::Xhigh), ..asked(Some(false), None) }
        );
    }

    #[test]
    fn what_has_no_counterpart_is_named() {
        let request = request(
            r#"{"messages":[],"context_management":{},"mcp_servers":[],"container":"c","inference_geo":"us","speed":null,
            "safeguards":[],"betas":["x"]}"#,
        );
        let unmapped: Vec<_> = request.unmapped.iter().map(|field| (&*field.field, field.required)).collect();
        assert_eq!(
            unmapped,
            [
                ("context_management", false),
                ("container", true),
                ("inference_geo", true),
                ("safeguards", false)
            ]
        );
    }

    #[test]
    fn an_unusable_field_is_named() {
        for (body, error) in [
            (r#"{"messages":{}}"#, "`messages` must be an array"),
            (
                r#"{"messages":[{"role":"user","content":1}]}"#,
                "`messages[0].content` must be a string or an array of content blocks",
            ),
            (
                r#"{"messages":[{"role":"tool"}]}"#,
                "`messages[0].role` must be `user`, `assistant` or `system`",
            ),
            (r#"{"messages":[1]}"#, "`messages[0]` must be an object"),
        ] {
            assert_eq!(read(&Object::parse(body.as_bytes()).unwrap()).unwrap_err().to_string(), error);
        }
    }
}
