//! Writes a request.

use super::FORMAT;
use super::thinking_writer::{self, Thinking};
use super::tool_writer::{self, Tools};
use super::turn_writer::{self, Conversation};
use super::{block_writer, schema};
use crate::abilities::{self, Abilities};
use crate::form::{Format, Request};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::ToolNames;
use crate::target::{CannotCarry, Losses, Target, Written};

/// Anthropic takes no more cache marks in a request.
const MOST_CACHE_MARKS: usize = 4;

/// Stands for a JSON mode, which the format does not have.
const JSON_ONLY: &str = "Answer with one JSON object and nothing else: no other text, no code fence.";

pub(crate) fn write(request: &Request, target: &Target<'_>) -> Result<Written, Vec<CannotCarry>> {
    let mut losses = Losses::default();
    let mut names = ToolNames::default();
    let abilities = target.abilities();
    refuse_foreign(request, &mut losses);
    let mut conversation = turn_writer::write(request, target, &mut losses);
    let mut tools = tool_writer::write(request, target, &mut names, &mut losses);
    let format = write_format(request, &mut conversation, abilities, &mut losses);
    let max_tokens = max_tokens(request, abilities, &mut losses);
    let thinking = thinking_writer::write(request, abilities, &conversation, &tools, max_tokens, &mut losses);
    limit_cache_marks(request, &mut conversation, &mut tools, &mut losses);

    let mut body = ObjectWriter::new().str("model", target.model).u64("max_tokens", max_tokens);
    if !conversation.system.is_empty() {
        body = body.array("system", block_writer::array(conversation.system));
    }
    body = body.array("messages", turn_writer::array(conversation.messages));
    if !tools.tools.is_empty() {
        body = body.array("tools", block_writer::array(tools.tools));
    }
    body = body.maybe(tools.choice, |body, choice| body.object("tool_choice", choice));
    body = write_thinking(body, &thinking, format);
    body = write_sampling(body, request, abilities, &thinking, &mut losses);
    body = write_stop(body, request, &mut losses);
    body = write_rest(body, request, &mut losses);
    losses.finish(body.finish(), names)
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

/// The format must say a limit. The model's own is the one that changes nothing.
fn max_tokens(request: &Request, abilities: Abilities, losses: &mut Losses) -> u64 {
    let most = abilities.max_output;
    match request.max_tokens {
        None => most,
        // The maximum of an unknown model is a guess.
        Some(asked) if asked <= most || abilities.thinking == abilities::Thinking::Unknown => asked,
        Some(_) => {
            losses.drop("max_tokens");
            most
        }
    }
}

/// The answer's JSON schema; a JSON mode becomes a sentence of the system prompt.
fn write_format(
    request: &Request,
    conversation: &mut Conversation,
    abilities: Abilities,
    losses: &mut Losses,
) -> Option<ObjectWriter> {
    match request.format.as_ref()? {
        Format::JsonObject => {
            losses.drop("response_format");
            conversation.system.push(block_writer::text(JSON_ONLY));
            None
        }
        Format::JsonSchema { .. } if !abilities.schema => {
            losses.refuse("response_format", "needs structured outputs, which the model does not have");
            None
        }
        Format::JsonSchema { schema, strict, .. } => match schema::fit(schema, *strict == Some(true)) {
            Ok(schema) => Some(ObjectWriter::of_type("json_schema").json("schema", &schema)),
            Err(reason) => {
                losses.refuse("response_format", format!("{reason}, which {FORMAT} cannot keep"));
                None
            }
        },
    }
}

fn write_thinking(body: ObjectWriter, thinking: &Thinking, format: Option<ObjectWriter>) -> ObjectWriter {
    let body = body.maybe(thinking.config.clone(), |body, config| body.object("thinking", config));
    let config = ObjectWriter::new()
        .maybe(thinking.effort, |config, effort| config.str("effort", effort.as_str()))
        .maybe(format, |config, format| config.object("format", format));
    if config.is_empty() { body } else { body.object("output_config", config) }
}

/// While it thinks, a model takes no sampling but the default.
fn write_sampling(
    mut body: ObjectWriter,
    request: &Request,
    abilities: Abilities,
    thinking: &Thinking,
    losses: &mut Losses,
) -> ObjectWriter {
    let sampling = &request.sampling;
    let is_free = abilities.sampling && !thinking.is_on;
    let mut temperature = sampling.temperature;
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        losses.drop("temperature");
        temperature = Some(1.0);
    }
    if is_free {
        body = body.maybe(temperature, |body, value| body.f64("temperature", value));
        if temperature.is_none() || abilities.sampling_pair {
            body = body.maybe(sampling.top_p, |body, value| body.f64("top_p", value));
        } else {
            losses.drop_if(sampling.top_p.is_some(), "top_p");
        }
        body = body.maybe(sampling.top_k, |body, value| body.u64("top_k", value));
    } else {
        losses.drop_if(temperature.is_some_and(|value| value < 1.0), "temperature");
        losses.drop_if(sampling.top_p.is_some_and(|value| value < 1.0), "top_p");
        losses.drop_if(sampling.top_k.is_some(), "top_k");
    }
    losses.drop_if(sampling.seed.is_some(), "seed");
    losses.drop_if(sampling.frequency_penalty.is_some_and(|value| value != 0.0), "frequency_penalty");
    losses.drop_if(sampling.presence_penalty.is_some_and(|value| value != 0.0), "presence_penalty");
    body
}

fn write_stop(body: ObjectWriter, request: &Request, losses: &mut Losses) -> ObjectWriter {
    let mut stop = ArrayWriter::new();
    for sequence in &request.stop {
        if sequence.trim().is_empty() {
            losses.refuse("stop", format!("is blank in part, which {FORMAT} does not take"));
        }
        stop.push_str(sequence);
    }
    if stop.is_empty() { body } else { body.array("stop_sequences", stop) }
}

fn write_rest(mut body: ObjectWriter, request: &Request, losses: &mut Losses) -> ObjectWriter {
    // Anthropic refuses longer ids.
    match request.user.as_deref() {
        Some(user) if user.chars().count() <= 256 => {
            body = body.object("metadata", ObjectWriter::new().str("user_id", user));
        }
        user => losses.drop_if(user.is_some(), "user"),
    }
    match request.service_tier.as_deref() {
        Some(tier @ ("auto" | "standard_only")) => body = body.str("service_tier", tier),
        tier => losses.drop_if(tier.is_some(), "service_tier"),
    }
    losses.drop_if(request.metadata.is_some(), "metadata");
    losses.drop_if(request.verbosity.is_some(), "verbosity");
    body =
        body.maybe(top_cache(request), |body, mark| body.object("cache_control", block_writer::mark(mark)));
    if request.stream { body.bool("stream", true) } else { body }
}

/// OpenAI caches by itself; here somebody must ask for it.
fn top_cache(request: &Request) -> Option<crate::form::CacheTtl> {
    request.cache.or(request.cache_key.as_ref().map(|_| crate::form::CacheTtl::Default))
}

/// Marks of tools and system prompt outlive those of the conversation; there the last ones are worth most.
fn limit_cache_marks(
    request: &Request,
    conversation: &mut Conversation,
    tools: &mut Tools,
    losses: &mut Losses,
) {
    let top = usize::from(top_cache(request).is_some());
    let fixed = tools.tools.iter_mut().chain(&mut conversation.system).filter(|block| block.cache.is_some());
    let fixed: Vec<_> = fixed.collect();
    let free = MOST_CACHE_MARKS - top;
    let kept = fixed.len().min(free);
    let turns = conversation.messages.iter_mut().flat_map(turn_writer::Message::blocks_mut);
    let turns: Vec<_> = turns.filter(|block| block.cache.is_some()).collect();
    let surplus = [(fixed, kept), (turns, free - kept)].into_iter().flat_map(|(blocks, kept)| {
        let surplus = blocks.len().saturating_sub(kept);
        blocks.into_iter().take(surplus)
    });
    for block in surplus {
        block.cache = None;
        losses.drop("cache_control");
    }
}
