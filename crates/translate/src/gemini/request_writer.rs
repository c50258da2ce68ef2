//! Writes a request.

use super::contents_writer::Conversation;
use super::{config_writer, tools_writer};
use crate::form::{PartKind, Request};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::ToolNames;
use crate::target::{CannotCarry, Losses, Target, Written};

pub(crate) fn write(request: &Request, target: &Target<'_>) -> Result<Written, Vec<CannotCarry>> {
    let mut losses = Losses::default();
    let mut names = ToolNames::default();
    unmapped(request, &mut losses);
    let system = system(request, &mut losses);
    let tools = tools_writer::write_tools(request, &mut names, &mut losses);
    let choice = tools.as_ref().and_then(|_| tools_writer::write_choice(request, target, &mut losses));
    let config = config_writer::write(request, tools.is_some(), target, &mut losses);
    let contents = Conversation::new(target, &mut names, &mut losses).write(&request.turns);
    // What stays the same comes first, for caches.
    let body = ObjectWriter::new()
        .maybe(system, |out, system| out.object("systemInstruction", system))
        .maybe(tools, |out, tools| out.array("tools", tools))
        .maybe(choice, |out, choice| out.object("toolConfig", choice))
        .array("contents", contents);
    let body = if config.is_empty() { body } else { body.object("generationConfig", config) };
    losses.finish(body.finish(), names)
}

fn system(request: &Request, losses: &mut Losses) -> Option<ObjectWriter> {
    let mut parts = ArrayWriter::new();
    for part in &request.system {
        losses.drop_if(part.cache.is_some(), "cache_control");
        if let PartKind::Text(text) = &part.kind
            && !text.is_empty()
        {
            parts.push(ObjectWriter::new().str("text", text));
        }
    }
    (!parts.is_empty()).then(|| ObjectWriter::new().array("parts", parts))
}

/// What Gemini has no place for.
fn unmapped(request: &Request, losses: &mut Losses) {
    for field in &request.unmapped {
        if field.required {
            losses.refuse(&field.field, "has no counterpart in Gemini");
        } else {
            losses.drop(&field.field);
        }
    }
    losses.drop_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
    losses.drop_if(request.cache_key.is_some(), "prompt_cache_key");
    losses.drop_if(request.cache.is_some(), "cache_control");
    losses.drop_if(request.user.is_some(), "user");
    losses.drop_if(request.metadata.is_some(), "metadata");
    losses.drop_if(request.service_tier.as_deref().is_some_and(|tier| tier != "auto"), "service_tier");
    losses.drop_if(request.verbosity.is_some(), "verbosity");
}
