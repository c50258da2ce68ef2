//! Writes tools and the choice among them.

use serde_json::value::RawValue;

use super::FORMAT;
use super::block_writer::{self, Block};
use super::schema;
use crate::form::{PartKind, Request, Tool, ToolChoice, ToolKind};
use crate::json::{Object, ObjectWriter};
use crate::names::{ClientName, ToolNames};
use crate::target::{Losses, Target};

/// Tools as they are sent.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) tools: Vec<Block>,
    pub(super) choice: Option<ObjectWriter>,
    /// The model is made to call one.
    pub(super) is_forced: bool,
}

pub(super) fn write(
    request: &Request,
    target: &Target<'_>,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> Tools {
    let mut tools = Vec::new();
    let mut hosted = Vec::new();
    for tool in &request.tools {
        match &tool.kind {
            ToolKind::Hosted { name } => hosted.push(name.as_str()),
            _ if !is_allowed(tool, request.tool_choice.as_ref()) => {}
            _ => tools.extend(write_tool(tool, target, names, losses)),
        }
    }
    leave_out_hosted(&hosted, &tools, request.tool_choice.as_ref(), losses);
    if tools.is_empty() {
        return of_history(request);
    }
    let choice = write_choice(request);
    let is_forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    );
    if is_forced && !target.abilities().forced_tools {
        losses.refuse("tool_choice", "makes the model call a tool, which it cannot be made to");
    }
    Tools { tools, choice, is_forced }
}

/// A subset has no counterpart: only its tools are sent.
fn is_allowed(tool: &Tool, choice: Option<&ToolChoice>) -> bool {
    match (&tool.kind, choice) {
        (
            ToolKind::Function { name, .. } | ToolKind::Custom { name, .. },
            Some(ToolChoice::Allowed { names, .. }),
        ) => names.contains(name),
        _ => true,
    }
}

fn leave_out_hosted(hosted: &[&str], others: &[Block], choice: Option<&ToolChoice>, losses: &mut Losses) {
    for name in hosted {
        let is_forced = matches!(choice, Some(ToolChoice::Hosted(forced)) if forced == name);
        if is_forced || others.is_empty() && choice != Some(&ToolChoice::None) {
            losses.refuse("tools", format!("holds `{name}`, which has no counterpart in {FORMAT}"));
        } else {
            losses.drop(*name);
        }
    }
    if let Some(ToolChoice::Hosted(name)) = choice
        && !hosted.contains(&name.as_str())
    {
        losses.refuse("tool_choice", format!("names `{name}`, which has no counterpart in {FORMAT}"));
    }
}

fn write_tool(tool: &Tool, target: &Target<'_>, names: &mut ToolNames, losses: &mut Losses) -> Option<Block> {
    let (name, namespace, description, custom) = match &tool.kind {
        ToolKind::Function { name, namespace, description, .. } => (name, namespace, description, false),
        ToolKind::Custom { name, namespace, description, .. } => (name, namespace, description, true),
        ToolKind::Hosted { .. } => return None,
    };
    let sent = block_writer::tool_name(namespace.as_deref(), name);
    names.note(&sent, ClientName { name: name.clone(), namespace: namespace.clone(), custom });
    let json = ObjectWriter::new()
        .str("name", &sent)
        .maybe(description.as_deref(), |json, description| json.str("description", description));
    let json = match &tool.kind {
        ToolKind::Function { parameters, strict, .. } => {
            let parameters = parameters.as_deref();
            let json = json
                .json("input_schema", &parameters.map_or_else(no_parameters, |raw| object_schema(raw.get())));
            match strict {
                Some(true)
                    if target.abilities().schema
                        && parameters.is_some_and(|raw| schema::is_kept_as_it_is(raw)) =>
                {
                    json.bool("strict", true)
                }
                Some(true) => {
                    losses.drop("strict");
                    json
                }
                _ => json,
            }
        }
        ToolKind::Custom { format, .. } => {
            let grammar = format.as_deref().filter(|format| !is_any_text(format));
            losses.drop_if(grammar.is_some(), "format");
            json.object("input_schema", freeform(grammar))
        }
        ToolKind::Hosted { .. } => return None,
    };
    Some(Block::new(json, tool.cache))
}

fn is_any_text(format: &RawValue) -> bool {
    Object::of(format).and_then(|format| format.string("type")).is_none_or(|kind| kind == "text")
}

/// The one text that a freeform tool takes. A grammar can only be asked for in words.
fn freeform(grammar: Option<&RawValue>) -> ObjectWriter {
    let input = ObjectWriter::of_type("string").maybe(grammar, |input, grammar| {
        input.str("description", &format!("Text of this form: {}", grammar.get()))
    });
    ObjectWriter::of_type("object")
        .object("properties", ObjectWriter::new().object("input", input))
        .json("required", r#"["input"]"#)
}

fn no_parameters() -> String {
    r#"{"type":"object","properties":{}}"#.to_owned()
}

/// Anthropic wants `"type":"object"` said.
fn object_schema(schema: &str) -> String {
    match Object::parse(schema.as_bytes()) {
        Some(object) if object.raw("type").is_some() => schema.to_owned(),
        Some(object) => {
            let typed = ObjectWriter::of_type("object");
            let fields = object.iter().filter(|(name, _)| *name != "type");
            fields.fold(typed, |writer, (name, value)| writer.raw(name, value)).finish()
        }
        None => no_parameters(),
    }
}

fn write_choice(request: &Request) -> Option<ObjectWriter> {
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let choice = match &request.tool_choice {
        None if one_at_a_time => ObjectWriter::of_type("auto"),
        None => return None,
        Some(ToolChoice::Auto | ToolChoice::Hosted(_) | ToolChoice::Allowed { required: false, .. }) => {
            ObjectWriter::of_type("auto")
        }
        Some(ToolChoice::None) => return Some(ObjectWriter::of_type("none")),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            ObjectWriter::of_type("any")
        }
        Some(ToolChoice::Named(name)) => ObjectWriter::of_type("tool").str("name", &sent_name(request, name)),
    };
    Some(if one_at_a_time { choice.bool("disable_parallel_tool_use", true) } else { choice })
}

/// The chosen tool as it is declared: with its namespace, if it has one.
fn sent_name(request: &Request, chosen: &str) -> String {
    let declared = request.tools.iter().find_map(|tool| match &tool.kind {
        ToolKind::Function { name, namespace, .. } | ToolKind::Custom { name, namespace, .. }
            if name == chosen =>
        {
            Some(namespace.as_deref())
        }
        _ => None,
    });
    block_writer::tool_name(declared.flatten(), chosen)
}

/// A conversation with calls needs tools. Where the caller gives none any more, those that were called are named, and
/// none may be called.
fn of_history(request: &Request) -> Tools {
    let mut names: Vec<String> = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let PartKind::ToolCall(call) = &part.kind {
            let name = block_writer::tool_name(call.namespace.as_deref(), &call.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let choice = (!names.is_empty()).then(|| ObjectWriter::of_type("none"));
    let tool = |name: &String| {
        Block::new(ObjectWriter::new().str("name", name).json("input_schema", &no_parameters()), None)
    };
    Tools { tools: names.iter().map(tool).collect(), choice, is_forced: false }
}
