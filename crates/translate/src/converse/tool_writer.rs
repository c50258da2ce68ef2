//! Writes `toolConfig`.

use super::FORMAT;
use super::block::Block;
use super::block_writer::tool_name;
use super::models::{ConverseModel, Forced, Tools as ToolSupport};
use crate::form::{PartKind, Request, Tool, ToolChoice, ToolKind};
use crate::json::{Object, ObjectWriter};
use crate::names::{ClientName, ToolNames};
use crate::target::Losses;
use crate::tool_rules::{freeform, is_allowed, is_any_text, leave_out_hosted, no_parameters};

/// The description of a tool that is only there because the conversation called it.
const GONE: &str = "No longer available. Do not call it.";

/// Tools as they are sent.
#[derive(Debug, Default)]
pub(super) struct Tools {
    pub(super) tools: Vec<Block>,
    pub(super) choice: Option<ObjectWriter>,
    /// The model is made to call one.
    pub(super) is_forced: bool,
}

pub(super) fn write(
    request: &Request,
    model: ConverseModel,
    names: &mut ToolNames,
    losses: &mut Losses,
) -> Tools {
    let choice = request.tool_choice.as_ref();
    let called = names_in_history(request);
    // The format has no choice of none: without tools there is nothing to be called.
    let is_none = choice == Some(&ToolChoice::None);
    let mut tools = Vec::new();
    let mut hosted = Vec::new();
    for tool in &request.tools {
        match &tool.kind {
            ToolKind::Hosted { name } => hosted.push(name.as_str()),
            _ if is_none && called.is_empty() || !is_allowed(tool, choice) => {
                losses.drop_if(tool.cache.is_some(), "cache_control");
            }
            _ => tools.extend(write_tool(tool, names, losses)),
        }
    }
    leave_out_hosted(FORMAT, &hosted, !tools.is_empty(), choice, losses);
    losses.drop_if(is_none && called.is_empty() && request.tools.len() > hosted.len(), "tools");
    let has_own = !tools.is_empty();
    if !has_own {
        // A conversation with calls needs tools.
        tools = called.iter().map(|name| spec(name, Some(GONE), &no_parameters())).collect();
    }
    check_support(request, model, !tools.is_empty(), losses);
    if !has_own {
        return Tools { tools, ..Tools::default() };
    }
    losses.drop_if(is_none, "tool_choice");
    losses.drop_if(request.parallel_tool_calls == Some(false) && !is_none, "parallel_tool_calls");
    let is_forced = matches!(
        choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    );
    Tools { tools, choice: write_choice(request, model, losses), is_forced }
}

fn check_support(request: &Request, model: ConverseModel, has_tools: bool, losses: &mut Losses) {
    match model.tools {
        ToolSupport::No if has_tools => losses.refuse("tools", "are not taken by this model"),
        ToolSupport::NotStreamed if has_tools && request.stream => {
            losses.refuse("tools", "are not taken by this model in a stream");
        }
        _ => {}
    }
}

fn write_tool(tool: &Tool, names: &mut ToolNames, losses: &mut Losses) -> Option<Block> {
    let (name, namespace, description, custom) = match &tool.kind {
        ToolKind::Function { name, namespace, description, .. } => (name, namespace, description, false),
        ToolKind::Custom { name, namespace, description, .. } => (name, namespace, description, true),
        ToolKind::Hosted { .. } => return None,
    };
    let sent = tool_name(namespace.as_deref(), name);
    names.note(&sent, ClientName { name: name.clone(), namespace: namespace.clone(), custom });
    let schema = match &tool.kind {
        ToolKind::Function { parameters, strict, .. } => {
            // Few models know it, and Bedrock refuses it for the others.
            losses.drop_if(*strict == Some(true), "strict");
            parameters.as_deref().map_or_else(no_parameters, |raw| object_schema(raw.get()))
        }
        ToolKind::Custom { format, .. } => {
            let grammar = format.as_deref().filter(|format| !is_any_text(format));
            losses.drop_if(grammar.is_some(), "format");
            freeform(grammar).finish()
        }
        ToolKind::Hosted { .. } => return None,
    };
    let description = description.as_deref().filter(|text| !text.trim().is_empty());
    Some(Block { cache: tool.cache, ..spec(&sent, description, &schema) })
}

fn spec(name: &str, description: Option<&str>, schema: &str) -> Block {
    let spec = ObjectWriter::new()
        .str("name", name)
        .maybe(description, |spec, text| spec.str("description", text))
        .object("inputSchema", ObjectWriter::new().json("json", schema));
    Block::new(ObjectWriter::new().object("toolSpec", spec))
}

/// Bedrock wants `"type":"object"` said.
fn object_schema(schema: &str) -> String {
    match Object::parse(schema.as_bytes()) {
        Some(object) if object.raw("type").is_some() => schema.to_owned(),
        Some(object) => {
            let fields = object.iter().filter(|(name, _)| *name != "type");
            let typed = ObjectWriter::of_type("object");
            fields.fold(typed, |writer, (name, value)| writer.raw(name, value)).finish()
        }
        None => no_parameters(),
    }
}

/// `auto` is what happens anyway, and some models do not take it.
fn write_choice(request: &Request, model: ConverseModel, losses: &mut Losses) -> Option<ObjectWriter> {
    let (choice, is_taken) = match request.tool_choice.as_ref()? {
        ToolChoice::Auto
        | ToolChoice::None
        | ToolChoice::Hosted(_)
        | ToolChoice::Allowed { required: false, .. } => return None,
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => {
            (ObjectWriter::new().object("any", ObjectWriter::new()), model.forced != Forced::No)
        }
        ToolChoice::Named(name) => {
            let tool = ObjectWriter::new().str("name", &sent_name(request, name));
            (ObjectWriter::new().object("tool", tool), model.forced == Forced::Named)
        }
    };
    if !is_taken {
        losses.refuse("tool_choice", "makes the model call a tool, which it cannot be made to");
    }
    Some(choice)
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
    tool_name(declared.flatten(), chosen)
}

/// The tools that the conversation called, each once.
fn names_in_history(request: &Request) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let PartKind::ToolCall(call) = &part.kind {
            let name = tool_name(call.namespace.as_deref(), &call.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
