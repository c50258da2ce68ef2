//! Tools and the choice among them: reads and writes.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::draft::Draft;
use super::schema;
use crate::form::{CacheTtl, Request, Tool, ToolChoice, ToolKind};
use crate::json::{self, ArrayWriter, Object, ObjectWriter};
use crate::names::{ClientName, OPENAI_TOOL_NAME, ToolNames, fit};
use crate::target::{Losses, Target};

/// The schema of a function without parameters.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

pub(super) fn read(body: &Object<'_>, draft: &mut Draft) {
    // Before those that came in the course of the conversation, as they stand before it.
    let found = std::mem::take(&mut draft.request.tools);
    draft.declared.clear();
    add(&body.objects("tools"), None, draft);
    for tool in found {
        add_once(tool, draft);
    }
    let choice = body.raw("tool_choice");
    draft.request.tool_choice = choice.and_then(read_choice);
    if choice.is_some() && draft.request.tool_choice.is_none() {
        draft.unmapped("tool_choice", true);
    }
}

/// Adds tools; those of a namespace one by one, with its name.
pub(super) fn add(tools: &[Object<'_>], namespace: Option<&str>, draft: &mut Draft) {
    for tool in tools {
        let kind = tool.str("type");
        let name = || tool.string("name").unwrap_or_default();
        let description = tool.string("description");
        let namespace = namespace.map(ToOwned::to_owned);
        let kind = match kind.as_deref().unwrap_or("function") {
            "namespace" => {
                if description.is_some() {
                    draft.unmapped("tools.description", false);
                }
                add(&tool.objects("tools"), Some(&name()), draft);
                continue;
            }
            "function" => {
                // Some clients nest it, as in the chat format.
                let nested = tool.object("function");
                let tool = nested.as_ref().unwrap_or(tool);
                ToolKind::Function {
                    name: tool.string("name").unwrap_or_default(),
                    namespace,
                    description: tool.string("description"),
                    parameters: tool.raw("parameters").map(json::own),
                    strict: tool.bool("strict"),
                }
            }
            "custom" => ToolKind::Custom {
                name: name(),
                namespace,
                description,
                format: tool.raw("format").map(json::own),
            },
            other => ToolKind::Hosted { name: other.to_owned() },
        };
        add_once(Tool { kind, cache: cache(tool) }, draft);
    }
}

/// A search may find a tool that is declared already.
fn add_once(tool: Tool, draft: &mut Draft) {
    let (kind, namespace, name) = match &tool.kind {
        ToolKind::Function { name, namespace, .. } => (0, namespace, name),
        ToolKind::Custom { name, namespace, .. } => (1, namespace, name),
        ToolKind::Hosted { name } => (2, &None, name),
    };
    if draft.declared.insert((kind, namespace.clone(), name.clone())) {
        draft.request.tools.push(tool);
    }
}

/// A mark of the prompt's cache.
pub(super) fn cache(object: &Object<'_>) -> Option<CacheTtl> {
    let mark = object.object("prompt_cache_breakpoint")?;
    Some(if mark.str("ttl").as_deref() == Some("12h") { CacheTtl::Hour1 } else { CacheTtl::Default })
}

fn read_choice(raw: &RawValue) -> Option<ToolChoice> {
    if let Some(word) = json::as_str(raw) {
        return match word.as_ref() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" | "any" => Some(ToolChoice::Required),
            _ => None,
        };
    }
    let object = Object::of(raw)?;
    match object.str("type")?.as_ref() {
        "function" | "custom" => {
            let nested = object.object("function").or_else(|| object.object("custom"));
            object.string("name").or_else(|| nested?.string("name")).map(ToolChoice::Named)
        }
        "allowed_tools" => {
            let list = object.object("allowed_tools").unwrap_or(object);
            let named = |tool: &Object<'_>| tool.string("name").or_else(|| tool.string("type"));
            Some(ToolChoice::Allowed {
                names: list.objects("tools").iter().filter_map(named).collect(),
                required: list.str("mode").as_deref() == Some("required"),
            })
        }
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" | "any" => Some(ToolChoice::Required),
        hosted => Some(ToolChoice::Hosted(hosted.to_owned())),
    }
}

/// The fields `tools` and what goes with it.
pub(super) fn write(
    object: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> ObjectWriter {
    let (tools, declared) = write_tools(request, names, losses);
    if tools.is_empty() {
        // A choice without tools is refused by the API, and there is nothing to choose.
        return object;
    }
    let choice =
        request.tool_choice.as_ref().and_then(|choice| write_choice(choice, &declared, target, losses));
    object
        .array("tools", tools)
        .maybe(choice, |object, choice| object.json("tool_choice", &choice))
        .maybe(request.parallel_tool_calls, |object, parallel| object.bool("parallel_tool_calls", parallel))
}

/// The tools, and of each by its name whether it takes free text.
fn write_tools<'a>(
    request: &'a Request,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> (ArrayWriter, HashMap<&'a str, bool>) {
    let own = |tool: &Tool| !matches!(tool.kind, ToolKind::Hosted { .. });
    let others = request.tools.iter().any(own) || request.tool_choice == Some(ToolChoice::None);
    let can_spare = |name: &String| match &request.tool_choice {
        Some(ToolChoice::Hosted(forced)) => forced != name,
        Some(ToolChoice::Allowed { names, required: true }) => !names.contains(name),
        _ => others,
    };
    let mut declared = HashMap::new();
    let mut out = ArrayWriter::new();
    let mut group: Option<(&str, ArrayWriter)> = None;
    for tool in &request.tools {
        let (namespace, written) = match &tool.kind {
            ToolKind::Hosted { name } => {
                if can_spare(name) {
                    losses.drop(name);
                } else {
                    losses.refuse(name, "has no counterpart in OpenAI Responses");
                }
                continue;
            }
            ToolKind::Function { name, namespace, description, parameters, strict } => {
                let written = function(name, description.as_deref(), parameters.as_deref(), *strict, losses);
                declared.insert(name.as_str(), false);
                note(name, names);
                (namespace.as_deref(), written)
            }
            ToolKind::Custom { name, namespace, description, format } => {
                declared.insert(name.as_str(), true);
                note(name, names);
                (namespace.as_deref(), custom(name, description.as_deref(), format.as_deref()))
            }
        };
        if group.as_ref().map(|(name, _)| *name) != namespace {
            close(group.take(), &mut out);
        }
        match namespace {
            Some(namespace) => group.get_or_insert_with(|| (namespace, ArrayWriter::new())).1.push(written),
            None => out.push(written),
        }
    }
    close(group, &mut out);
    (out, declared)
}

fn note(name: &str, names: &mut ToolNames) {
    names.note(
        &fit(name, OPENAI_TOOL_NAME),
        ClientName { name: name.to_owned(), namespace: None, custom: false },
    );
}

fn close(group: Option<(&str, ArrayWriter)>, out: &mut ArrayWriter) {
    if let Some((name, tools)) = group {
        let namespace = ObjectWriter::of_type("namespace").str("name", name).str("description", name);
        out.push(namespace.array("tools", tools));
    }
}

fn function(
    name: &str,
    description: Option<&str>,
    parameters: Option<&RawValue>,
    strict: Option<bool>,
    losses: &mut Losses,
) -> ObjectWriter {
    let wanted = strict.unwrap_or(false);
    let keeps = parameters.is_none_or(schema::is_strict);
    losses.drop_if(wanted && !keeps, "strict");
    let parameters = parameters.map_or(NO_PARAMETERS, RawValue::get);
    // Without `strict` this API may make the schema a strict one, which the source's format would not.
    ObjectWriter::of_type("function")
        .str("name", &fit(name, OPENAI_TOOL_NAME))
        .maybe(description, |object, text| object.str("description", text))
        .json("parameters", parameters)
        .bool("strict", wanted && keeps)
}

fn custom(name: &str, description: Option<&str>, format: Option<&RawValue>) -> ObjectWriter {
    // The chat format nests the grammar.
    let nested = format.and_then(Object::of).and_then(|format| format.object("grammar"));
    let grammar = nested.map(|grammar| {
        let syntax = grammar.str("syntax").unwrap_or("lark".into());
        let definition = grammar.str("definition").unwrap_or_default();
        ObjectWriter::of_type("grammar").str("syntax", &syntax).str("definition", &definition)
    });
    let object = ObjectWriter::of_type("custom")
        .str("name", &fit(name, OPENAI_TOOL_NAME))
        .maybe(description, |object, text| object.str("description", text));
    match grammar {
        Some(grammar) => object.object("format", grammar),
        None => object.maybe(format, |object, format| object.raw("format", format)),
    }
}

fn write_choice(
    choice: &ToolChoice,
    declared: &HashMap<&str, bool>,
    target: &Target<'_>,
    losses: &mut Losses,
) -> Option<String> {
    let one = |name: &str| {
        let kind = if declared.get(name) == Some(&true) { "custom" } else { "function" };
        ObjectWriter::of_type(kind).str("name", &fit(name, OPENAI_TOOL_NAME))
    };
    let forced = matches!(choice, ToolChoice::Required | ToolChoice::Named(_))
        || matches!(choice, ToolChoice::Allowed { required: true, .. });
    if forced && !target.abilities().forced_tools {
        losses.refuse("tool_choice", format!("cannot force {} to call a tool", target.model));
        return None;
    }
    match choice {
        ToolChoice::Auto => Some(r#""auto""#.to_owned()),
        ToolChoice::None => Some(r#""none""#.to_owned()),
        ToolChoice::Required => Some(r#""required""#.to_owned()),
        ToolChoice::Named(name) => Some(one(name).finish()),
        ToolChoice::Allowed { names, required } => {
            let kept: Vec<_> = names.iter().filter(|name| declared.contains_key(name.as_str())).collect();
            if kept.is_empty() {
                return Some(r#""none""#.to_owned());
            }
            let mode = if *required { "required" } else { "auto" };
            let tools = kept.into_iter().map(|name| one(name)).collect();
            Some(ObjectWriter::of_type("allowed_tools").str("mode", mode).array("tools", tools).finish())
        }
        ToolChoice::Hosted(_) => {
            losses.refuse("tool_choice", "has no counterpart in OpenAI Responses");
            None
        }
    }
}
