//! Writes a request.
//!
//! Always without storage: what this API keeps could not be found again through another format.

use super::losses::NO_COUNTERPART;
use super::{input, schema, tools};
use crate::abilities::Thinking;
use crate::form::{Effort, Format, PartKind, Reasoning, Request, Role};
use crate::json::{ArrayWriter, Object, ObjectWriter, as_str};
use crate::names::{OPENAI_TOOL_NAME, ToolNames, fit};
use crate::target::{CannotCarry, Losses, Target, Written};

/// Less is refused.
const LEAST_TOKENS: u64 = 16;

/// Longer keys and ids of users are refused.
const LONGEST_KEY: usize = 64;

pub(crate) fn write(request: &Request, target: &Target<'_>) -> Result<Written, Vec<CannotCarry>> {
    let mut losses = Losses::default();
    let mut names = ToolNames::default();
    for field in &request.unmapped {
        if field.required {
            losses.refuse(&field.field, NO_COUNTERPART);
        } else {
            losses.drop(&field.field);
        }
    }
    let items = input::write(request, target, &mut losses);
    refuse_prefill(request, target, &mut losses);
    let mut body = ObjectWriter::new().str("model", target.model);
    if !input::takes_system(request)
        && let Some(instructions) = instructions(request)
    {
        body = body.str("instructions", &instructions);
    }
    body = body.array("input", items);
    body = tools::write(body, request, target, &mut names, &mut losses);
    body = sampling(body, request, target, &mut losses);
    let mut include = ArrayWriter::new();
    if request.logprobs.is_some() {
        // The events of an answer have no place for them.
        losses.refuse("logprobs", "has no counterpart in OpenAI Responses");
    }
    body = reasoning(body, &request.reasoning, target, &mut include, &mut losses);
    body = text(body, request, target, &mut losses);
    if !include.is_empty() {
        body = body.array("include", include);
    }
    body = accounting(body, request, &mut losses);
    body = body.bool("store", false);
    if request.stream {
        body = body.bool("stream", true);
    }
    drop_cache_marks(request, &mut losses);
    losses.finish(body.finish(), names)
}

/// The system prompt. This field is one text, so a prompt of several is joined.
fn instructions(request: &Request) -> Option<String> {
    let texts: Vec<&str> = request
        .system
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::Text(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// Models here take an assistant's turn at the end for one that is done.
fn refuse_prefill(request: &Request, target: &Target<'_>, losses: &mut Losses) {
    let last = request.turns.last().filter(|turn| turn.role == Role::Assistant);
    let begun =
        last.and_then(|turn| turn.parts.last()).is_some_and(|part| matches!(part.kind, PartKind::Text(_)));
    if begun && !target.abilities().prefill {
        losses.refuse(
            "messages",
            format!("end with the beginning of an answer, which {} cannot go on with", target.model),
        );
    }
}

fn sampling(
    mut body: ObjectWriter,
    request: &Request,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    if let Some(tokens) = request.max_tokens {
        let abilities = target.abilities();
        // Of a model that nobody knows, nobody knows the most either.
        let most = if abilities.thinking == Thinking::Unknown { u64::MAX } else { abilities.max_output };
        let fitted = tokens.clamp(LEAST_TOKENS, most);
        losses.drop_if(fitted != tokens, "max_tokens");
        body = body.u64("max_output_tokens", fitted);
    }
    let sampling = &request.sampling;
    if target.abilities().sampling {
        if let Some(temperature) = sampling.temperature {
            losses.drop_if(!(0.0..=2.0).contains(&temperature), "temperature");
            body = body.f64("temperature", temperature.clamp(0.0, 2.0));
        }
        body = body.maybe(sampling.top_p, |body, top_p| body.f64("top_p", top_p));
    } else {
        losses.drop_if(sampling.temperature.is_some(), "temperature");
        losses.drop_if(sampling.top_p.is_some(), "top_p");
    }
    losses.drop_if(sampling.top_k.is_some(), "top_k");
    losses.drop_if(sampling.seed.is_some(), "seed");
    losses.drop_if(sampling.frequency_penalty.is_some(), "frequency_penalty");
    losses.drop_if(sampling.presence_penalty.is_some(), "presence_penalty");
    if !request.stop.is_empty() {
        losses.refuse("stop", NO_COUNTERPART);
    }
    body
}

fn reasoning(
    body: ObjectWriter,
    wish: &Reasoning,
    target: &Target<'_>,
    include: &mut ArrayWriter,
    losses: &mut Losses,
) -> ObjectWriter {
    let asked = wish.effort.or_else(|| wish.budget.map(Effort::of_budget));
    let asked = if wish.enabled == Some(false) { Some(Effort::None) } else { asked };
    let effort = match target.abilities().thinking {
        Thinking::Effort { least, greatest } => {
            if target.is_official {
                // Without it what the model thought cannot be given back to it, as nothing is stored.
                include.push_str("reasoning.encrypted_content");
            }
            // Some models do not reason unless told how hard.
            let asked = asked.or((wish.enabled == Some(true)).then_some(Effort::Medium));
            asked.map(|asked| {
                let fitted = fit_effort(asked, least, greatest);
                losses.drop_if(fitted != asked, "reasoning_effort");
                fitted
            })
        }
        Thinking::Unknown => asked,
        _ => {
            let wanted = asked.is_some_and(|effort| effort != Effort::None) || wish.enabled == Some(true);
            losses.drop_if(wanted, "reasoning_effort");
            return body;
        }
    };
    let fields = ObjectWriter::new().maybe(effort, |object, effort| object.str("effort", effort.as_str()));
    let fields = if wish.show == Some(true) { fields.str("summary", "auto") } else { fields };
    if fields.is_empty() { body } else { body.object("reasoning", fields) }
}

/// The nearest that the model takes.
fn fit_effort(asked: Effort, least: Effort, greatest: Effort) -> Effort {
    // `none` took the place of `minimal`: no model knows both.
    if asked == Effort::Minimal && least == Effort::None {
        return Effort::Low;
    }
    asked.clamp(least, greatest)
}

fn text(body: ObjectWriter, request: &Request, target: &Target<'_>, losses: &mut Losses) -> ObjectWriter {
    let format = request.format.as_ref().map(|format| match format {
        Format::JsonObject => ObjectWriter::of_type("json_object"),
        Format::JsonSchema { name, description, schema, strict } => {
            let keeps = schema::is_strict(schema);
            losses.drop_if(*strict == Some(true) && !keeps, "strict");
            ObjectWriter::of_type("json_schema")
                .str("name", &fit(name.as_deref().unwrap_or("response"), OPENAI_TOOL_NAME))
                .maybe(description.as_deref(), |object, text| object.str("description", text))
                .raw("schema", schema)
                .bool("strict", strict.unwrap_or(true) && keeps)
        }
    });
    let verbosity = request.verbosity.as_deref();
    // Models that do not reason know `medium` alone.
    let any = target.abilities().thinking != Thinking::No;
    let known = verbosity.filter(|word| *word == "medium" || any && matches!(*word, "low" | "high"));
    losses.drop_if(verbosity.is_some() && known.is_none(), "verbosity");
    let fields = ObjectWriter::new()
        .maybe(format, |object, format| object.object("format", format))
        .maybe(known, |object, word| object.str("verbosity", word));
    if fields.is_empty() { body } else { body.object("text", fields) }
}

/// What is for the provider's books, not for the model.
fn accounting(body: ObjectWriter, request: &Request, losses: &mut Losses) -> ObjectWriter {
    let short = |value: &&str| value.len() <= LONGEST_KEY;
    let key = request.cache_key.as_deref().filter(short);
    losses.drop_if(request.cache_key.is_some() && key.is_none(), "prompt_cache_key");
    let user = request.user.as_deref().filter(short);
    losses.drop_if(request.user.is_some() && user.is_none(), "user");
    let texts = |pairs: &Object<'_>| pairs.iter().all(|(_, value)| as_str(value).is_some());
    let metadata =
        request.metadata.as_deref().filter(|raw| Object::of(raw).is_some_and(|pairs| texts(&pairs)));
    losses.drop_if(request.metadata.is_some() && metadata.is_none(), "metadata");
    let tier = request.service_tier.as_deref();
    let known = tier.filter(|tier| {
        matches!(*tier, "auto" | "default" | "flex" | "scale" | "priority" | "fast" | "ultrafast")
    });
    losses.drop_if(tier.is_some() && known.is_none(), "service_tier");
    body.maybe(key, |body, key| body.str("prompt_cache_key", key))
        .maybe(user, |body, user| body.str("user", user))
        .maybe(metadata, |body, pairs| body.raw("metadata", pairs))
        .maybe(known, |body, tier| body.str("service_tier", tier))
}

/// OpenAI caches by itself.
fn drop_cache_marks(request: &Request, losses: &mut Losses) {
    let in_parts = |parts: &[crate::form::Part]| {
        parts.iter().any(|part| {
            let within = matches!(&part.kind, PartKind::ToolResult(result) if result.content.iter().any(|part| part.cache.is_some()));
            part.cache.is_some() || within
        })
    };
    let marked = request.cache.is_some()
        || in_parts(&request.system)
        || request.tools.iter().any(|tool| tool.cache.is_some())
        || request.turns.iter().any(|turn| in_parts(&turn.parts));
    losses.drop_if(marked, "cache_control");
}
