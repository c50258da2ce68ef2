//! Writes `tools` and `toolConfig`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::form::{Request, Tool, ToolChoice, ToolKind};
use crate::json::{ArrayWriter, Object, ObjectWriter};
use crate::names::{ClientName, GEMINI_TOOL_NAME, ToolNames, fit, flat_name};
use crate::target::{Losses, Target};

/// What a freeform tool becomes: a function of one text.
const FREEFORM: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// The name that Gemini takes for a tool. It begins with a letter or `_`.
pub(super) fn name_for(namespace: Option<&str>, name: &str) -> String {
    let flat = flat_name(namespace, name);
    let begins_well = flat.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let flat = if begins_well { flat } else { Cow::Owned(format!("_{flat}")) };
    fit(&flat, GEMINI_TOOL_NAME).into_owned()
}

/// All functions, in one tool.
pub(super) fn write_tools(
    request: &Request,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> Option<ArrayWriter> {
    let mut functions = ArrayWriter::new();
    for tool in &request.tools {
        losses.drop_if(tool.cache.is_some(), "cache_control");
        if let Some(function) = write_tool(tool, names, losses) {
            functions.push(function);
        }
    }
    hosted(request, functions.is_empty(), losses);
    (!functions.is_empty())
        .then(|| [ObjectWriter::new().array("functionDeclarations", functions)].into_iter().collect())
}

fn write_tool(tool: &Tool, names: &mut ToolNames, losses: &mut Losses) -> Option<ObjectWriter> {
    let (name, namespace, description, custom) = match &tool.kind {
        ToolKind::Function { name, namespace, description, .. } => {
            (name, namespace, description.clone(), false)
        }
        ToolKind::Custom { name, namespace, description, format } => {
            let description = with_grammar(description.as_deref(), format.as_deref(), losses);
            (name, namespace, description, true)
        }
        ToolKind::Hosted { .. } => return None,
    };
    let sent = name_for(namespace.as_deref(), name);
    names.note(&sent, ClientName { name: name.clone(), namespace: namespace.clone(), custom });
    let parameters = match &tool.kind {
        ToolKind::Function { parameters, .. } => {
            parameters.as_deref().map(RawValue::get).filter(|schema| takes_any(schema))
        }
        _ => Some(FREEFORM),
    };
    let function = ObjectWriter::new()
        .str("name", &sent)
        .maybe(description.filter(|text| !text.is_empty()), |out, text| out.str("description", &text))
        .maybe(parameters, |out, schema| out.json("parametersJsonSchema", schema));
    Some(function)
}

/// Whether a schema has any parameters: Gemini wants none said where there are none.
fn takes_any(schema: &str) -> bool {
    let Some(object) = Object::parse(schema.as_bytes()) else { return true };
    let is_empty =
        |value: &RawValue| value.get().bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"{}");
    let says_something = object.iter().any(|(name, value)| match name {
        "type" | "$schema" | "additionalProperties" | "required" | "title" | "description" => false,
        "properties" => !is_empty(value),
        _ => true,
    });
    says_something || object.raw("additionalProperties").is_some_and(|value| value.get() != "false")
}

/// A grammar cannot be kept to, but the model should know it.
fn with_grammar(description: Option<&str>, format: Option<&RawValue>, losses: &mut Losses) -> Option<String> {
    let Some(grammar) =
        format.and_then(Object::of).filter(|format| format.str("type").as_deref() == Some("grammar"))
    else {
        return description.map(ToOwned::to_owned);
    };
    losses.drop("format");
    let inner = grammar.object("grammar").unwrap_or(grammar);
    let definition = inner.str("definition").unwrap_or_default();
    let syntax = inner.str("syntax").unwrap_or_default();
    let text = description.unwrap_or_default();
    Some(
        format!("{text}\n\nThe input must follow this {syntax} grammar:\n{definition}")
            .trim_start()
            .to_owned(),
    )
}

/// Other makers' hosted tools: without harm beside functions that the model is free to choose (T3).
fn hosted(request: &Request, is_sole: bool, losses: &mut Losses) {
    for tool in &request.tools {
        let ToolKind::Hosted { name } = &tool.kind else { continue };
        if is_sole && request.tool_choice != Some(ToolChoice::None) {
            losses.refuse(name, "is a tool that Gemini does not have");
        } else {
            losses.drop(name);
        }
    }
    if let Some(ToolChoice::Hosted(name)) = &request.tool_choice {
        losses.refuse("tool_choice", format!("forces `{name}`, a tool that Gemini does not have"));
    }
}

/// `toolConfig`, where there are functions.
pub(super) fn write_choice(
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Option<ObjectWriter> {
    let (mode, names): (&str, &[String]) = match request.tool_choice.as_ref() {
        Some(ToolChoice::None) => ("NONE", &[]),
        Some(ToolChoice::Required) => ("ANY", &[]),
        Some(ToolChoice::Named(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { names, required }) => (if *required { "ANY" } else { "VALIDATED" }, names),
        // Calls are held to their schemas only then.
        _ if request.tools.iter().any(is_strict) => ("VALIDATED", &[]),
        Some(ToolChoice::Auto) => ("AUTO", &[]),
        _ => return None,
    };
    if mode == "ANY" && !target.abilities().forced_tools {
        losses.refuse("tool_choice", "cannot be forced on this model");
    }
    let mut allowed = ArrayWriter::new();
    for name in names {
        allowed.push_str(&sent_name(request, name));
    }
    let config = ObjectWriter::new().str("mode", mode);
    let config = if allowed.is_empty() { config } else { config.array("allowedFunctionNames", allowed) };
    Some(ObjectWriter::new().object("functionCallingConfig", config))
}

const fn is_strict(tool: &Tool) -> bool {
    matches!(tool.kind, ToolKind::Function { strict: Some(true), .. })
}

/// The name that a tool goes by, whose namespace a choice does not say.
fn sent_name(request: &Request, chosen: &str) -> String {
    let namespace = request.tools.iter().find_map(|tool| match &tool.kind {
        ToolKind::Function { name, namespace, .. } | ToolKind::Custom { name, namespace, .. }
            if name == chosen =>
        {
            namespace.as_deref()
        }
        _ => None,
    });
    name_for(namespace, chosen)
}

pub(super) fn is_object(text: &str) -> bool {
    Object::parse(text.as_bytes()).is_some()
}

/// A call's arguments as the object that Gemini and its clients want.
pub(super) fn arguments(json: &str) -> String {
    if json.trim().is_empty() {
        "{}".to_owned()
    } else if is_object(json) {
        json.trim().to_owned()
    } else {
        ObjectWriter::new().str("_raw", json).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{name_for, takes_any};

    #[test]
    fn names_begin_with_a_letter() {
        assert_eq!(name_for(None, "get.weather:now"), "get.weather:now");
        assert_eq!(name_for(Some("mcp"), "2nd"), "mcp__2nd");
        assert_eq!(name_for(None, "2nd"), "_2nd");
        assert!(name_for(None, &"ü".repeat(200)).len() <= 128);
    }

    #[test]
    fn a_schema_without_parameters_is_left_out() {
        for schema in [
            r#"{"type":"object","properties":{ }}"#,
            r#"{"type":"object","additionalProperties":false,"$schema":"x","required":[]}"#,
        ] {
            assert!(!takes_any(schema), "{schema}");
        }
        for schema in [
            r#"{"type":"object","properties":{"a":{}}}"#,
            r#"{"anyOf":[]}"#,
            r#"{"type":"object","additionalProperties":{}}"#,
        ] {
            assert!(takes_any(schema), "{schema}");
        }
    }
}
