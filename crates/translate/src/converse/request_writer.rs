//! Writes a request. The path names the model, and whether the answer is streamed.

use super::FORMAT;
use super::block::{self, Block};
use super::models::{Cache, ConverseModel};
use super::settings_writer as settings;
use super::tool_writer::{self, Tools};
use super::turn_writer::{self, Conversation};
use crate::claude_thinking::Situation;
use crate::form::{CacheTtl, Format, Request};
use crate::json::ObjectWriter;
use crate::names::ToolNames;
use crate::target::{CannotCarry, Losses, Target, Written};

/// Bedrock takes no more cache points in a request.
const MOST_CACHE_POINTS: usize = 4;

/// Stands for a JSON mode, which the format does not have.
const JSON_ONLY: &str = "Answer with one JSON object and nothing else: no other text, no code fence.";

pub(crate) fn write(request: &Request, target: &Target<'_>) -> Result<Written, Vec<CannotCarry>> {
    let mut losses = Losses::default();
    let mut names = ToolNames::default();
    let (abilities, model) = (target.abilities(), ConverseModel::of(target.model));
    refuse_foreign(request, &mut losses);
    let mut conversation = turn_writer::write(request, target, model, &mut losses);
    json_mode(request, model, &mut conversation, &mut losses);
    let mut tools = tool_writer::write(request, model, &mut names, &mut losses);
    place_cache_points(request, model, &mut conversation, &mut tools, &mut losses);
    let situation = Situation {
        is_forced: tools.is_forced,
        is_prefilled: conversation.is_prefilled(),
        continues_calls: conversation.continues_calls_without_thinking(),
        max_tokens: request.max_tokens.unwrap_or(abilities.max_output).min(abilities.max_output),
    };
    let thinking = settings::thinking(request, abilities, situation, &mut losses);
    let inference = settings::inference(request, abilities, thinking.is_on, &mut losses);
    let own = settings::of_the_model(request, abilities, model, &thinking, &mut losses);
    let output = settings::output(request, target, model, &mut losses);
    leave_out(request, &mut losses);

    let mut body = ObjectWriter::new().array("messages", turn_writer::array(conversation.messages));
    if !conversation.system.is_empty() {
        body = body.array("system", block::array(conversation.system));
    }
    body = object(body, "inferenceConfig", inference);
    if !tools.tools.is_empty() {
        let config = ObjectWriter::new().array("tools", block::array(tools.tools));
        let config = config.maybe(tools.choice, |config, choice| config.object("toolChoice", choice));
        body = body.object("toolConfig", config);
    }
    body = object(body, "additionalModelRequestFields", own);
    body = body.maybe(output, |body, output| body.object("outputConfig", output));
    losses.finish(body.finish(), names)
}

/// An object with something in it.
fn object(body: ObjectWriter, key: &str, value: ObjectWriter) -> ObjectWriter {
    if value.is_empty() { body } else { body.object(key, value) }
}

fn refuse_foreign(request: &Request, losses: &mut Losses) {
    for unmapped in &request.unmapped {
        match unmapped.required {
            true => losses.refuse(&unmapped.field, format!("has no counterpart in {FORMAT}")),
            false => losses.drop(&unmapped.field),
        }
    }
    if request.logprobs.is_some() {
        losses.refuse("logprobs", format!("has no counterpart in {FORMAT}"));
    }
}

/// A JSON mode becomes a sentence of the system prompt.
fn json_mode(request: &Request, model: ConverseModel, conversation: &mut Conversation, losses: &mut Losses) {
    if !matches!(request.format, Some(Format::JsonObject)) {
        return;
    }
    if model.system {
        losses.drop("response_format");
        conversation.system.push(block::text(JSON_ONLY));
    } else {
        losses.refuse("response_format", "needs a JSON mode, which the model does not have");
    }
}

/// Where the model takes cache points, and no more than it takes: those of tools and system prompt outlive those of the
/// conversation; there the last ones are worth most.
fn place_cache_points(
    request: &Request,
    model: ConverseModel,
    conversation: &mut Conversation,
    tools: &mut Tools,
    losses: &mut Losses,
) {
    if let Some(ttl) = request.cache
        && let Some(last) = conversation.messages.last_mut().and_then(|last| last.blocks_mut().last())
    {
        last.cache = last.cache.or(Some(ttl));
    }
    let turns = conversation.messages.iter_mut().flat_map(turn_writer::WireMessage::blocks_mut);
    let blocks = tools.tools.iter_mut().map(|tool| (model.cache == Cache::Everywhere, tool));
    let fixed = blocks.chain(conversation.system.iter_mut().map(|block| (model.cache != Cache::No, block)));
    let mut fixed: Vec<(bool, &mut Block)> = fixed.filter(|(_, block)| block.cache.is_some()).collect();
    let turns: Vec<&mut Block> = turns.filter(|block| block.cache.is_some()).collect();
    for (is_taken, block) in &mut fixed {
        block.cache = block.cache.filter(|_| *is_taken);
        losses.drop_if(!*is_taken, "cache_control");
    }
    let mut kept: Vec<&mut Block> =
        fixed.into_iter().filter(|(is_taken, _)| *is_taken).map(|(_, b)| b).collect();
    let free = MOST_CACHE_POINTS.saturating_sub(kept.len());
    let most = if model.cache == Cache::No { 0 } else { free };
    let surplus = turns.len().saturating_sub(most);
    let mut turns = turns.into_iter();
    let dropped: Vec<&mut Block> =
        turns.by_ref().take(surplus).chain(kept.drain(MOST_CACHE_POINTS.min(kept.len())..)).collect();
    for block in dropped {
        block.cache = None;
        losses.drop("cache_control");
    }
    // Only Claude keeps it for an hour.
    for block in kept.into_iter().chain(turns).filter(|block| block.cache == Some(CacheTtl::Hour1)) {
        if model.cache != Cache::Everywhere {
            block.cache = Some(CacheTtl::Default);
            losses.drop("cache_control");
        }
    }
}

/// What does no harm and has no counterpart, or none that all models take.
fn leave_out(request: &Request, losses: &mut Losses) {
    losses.drop_if(request.cache_key.is_some(), "prompt_cache_key");
    losses.drop_if(request.user.is_some(), "user");
    losses.drop_if(request.metadata.is_some(), "metadata");
    losses.drop_if(request.verbosity.is_some(), "verbosity");
    // `auto` is what happens anyway.
    losses.drop_if(request.service_tier.as_deref().is_some_and(|tier| tier != "auto"), "service_tier");
}
