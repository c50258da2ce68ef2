//! Writes what is asked of an answer: limits, sampling, its form, and what only some models have.

use super::FORMAT;
use super::models::{ConverseModel, TopK};
use crate::abilities::{Abilities, Thinking as Way};
use crate::claude_thinking::{self, Situation, Thinking};
use crate::form::{Effort, Format, Reasoning, Request};
use crate::json::{ArrayWriter, ObjectWriter, push_str};
use crate::target::{Losses, Target};

/// `inferenceConfig`, without what is left to the model.
pub(super) fn inference(
    request: &Request,
    abilities: Abilities,
    is_thinking: bool,
    losses: &mut Losses,
) -> ObjectWriter {
    let max_tokens = request.max_tokens.map(|asked| limit(asked, abilities, losses));
    let config = ObjectWriter::new().maybe(max_tokens, |config, tokens| config.u64("maxTokens", tokens));
    stop(sampling(config, request, abilities, is_thinking, losses), request, abilities, losses)
}

/// Never above the model's own limit, where it is known.
fn limit(asked: u64, abilities: Abilities, losses: &mut Losses) -> u64 {
    if asked <= abilities.max_output || abilities.thinking == Way::Unknown {
        return asked.max(1);
    }
    losses.drop("max_tokens");
    abilities.max_output
}

/// A Claude that thinks takes no sampling but the default.
fn sampling(
    mut config: ObjectWriter,
    request: &Request,
    abilities: Abilities,
    is_thinking: bool,
    losses: &mut Losses,
) -> ObjectWriter {
    let sampling = &request.sampling;
    let mut temperature = sampling.temperature;
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        losses.drop("temperature");
        temperature = Some(1.0);
    }
    if abilities.sampling && !is_thinking {
        config = config.maybe(temperature, |config, value| config.f64("temperature", value));
        if temperature.is_none() || abilities.sampling_pair {
            config = config.maybe(sampling.top_p, |config, value| config.f64("topP", value));
        } else {
            losses.drop_if(sampling.top_p.is_some(), "top_p");
        }
    } else {
        losses.drop_if(temperature.is_some_and(|value| value < 1.0), "temperature");
        losses.drop_if(sampling.top_p.is_some_and(|value| value < 1.0), "top_p");
    }
    losses.drop_if(sampling.seed.is_some(), "seed");
    losses.drop_if(sampling.frequency_penalty.is_some_and(|value| value != 0.0), "frequency_penalty");
    losses.drop_if(sampling.presence_penalty.is_some_and(|value| value != 0.0), "presence_penalty");
    config
}

fn stop(config: ObjectWriter, request: &Request, abilities: Abilities, losses: &mut Losses) -> ObjectWriter {
    let mut sequences = ArrayWriter::new();
    for sequence in &request.stop {
        if sequence.trim().is_empty() {
            losses.refuse("stop", format!("is blank in part, which {FORMAT} does not take"));
        }
        sequences.push_str(sequence);
    }
    if sequences.is_empty() {
        return config;
    }
    if !abilities.stop {
        losses.refuse("stop", "is not taken by this model");
    }
    config.array("stopSequences", sequences)
}

/// How the model is asked to reason.
pub(super) fn thinking(
    request: &Request,
    abilities: Abilities,
    situation: Situation,
    losses: &mut Losses,
) -> Thinking {
    match abilities.thinking {
        Way::Budget | Way::Adaptive { .. } | Way::BetweenTools | Way::Always => {
            claude_thinking::write(request, abilities, situation, losses)
        }
        Way::Effort { least, greatest } => {
            let asked = asked_effort(&request.reasoning);
            let effort = asked.map(|asked| asked.clamp(least, greatest));
            losses.drop_if(effort != asked, "reasoning");
            Thinking { effort, ..Thinking::default() }
        }
        Way::No | Way::Unknown | Way::GeminiBudget | Way::GeminiLevel => {
            let asked = asked_effort(&request.reasoning);
            losses.drop_if(asked.is_some() || request.reasoning.enabled == Some(true), "reasoning");
            Thinking::default()
        }
    }
}

fn asked_effort(asked: &Reasoning) -> Option<Effort> {
    let off = (asked.enabled == Some(false)).then_some(Effort::None);
    asked.effort.or(asked.budget.map(Effort::of_budget)).or(off)
}

/// `additionalModelRequestFields`: fields of the model's own API.
pub(super) fn of_the_model(
    request: &Request,
    abilities: Abilities,
    model: ConverseModel,
    thinking: &Thinking,
    losses: &mut Losses,
) -> ObjectWriter {
    let mut fields = ObjectWriter::new();
    if let Some(top_k) = request.sampling.top_k {
        let is_free = abilities.sampling && !thinking.is_on;
        match model.top_k {
            TopK::TopLevel if is_free => fields = fields.u64("top_k", top_k),
            TopK::Nova => fields = fields.object("inferenceConfig", ObjectWriter::new().u64("topK", top_k)),
            TopK::TopLevel | TopK::Unknown => losses.drop("top_k"),
        }
    }
    fields = fields.maybe(thinking.config.clone(), |fields, config| fields.object("thinking", config));
    let Some(effort) = thinking.effort.map(Effort::as_str) else { return fields };
    if matches!(abilities.thinking, Way::Effort { .. }) {
        fields.str("reasoning_effort", effort)
    } else {
        fields.object("output_config", ObjectWriter::new().str("effort", effort))
    }
}

/// `outputConfig`: the answer's JSON schema, as text.
pub(super) fn output(
    request: &Request,
    target: &Target<'_>,
    model: ConverseModel,
    losses: &mut Losses,
) -> Option<ObjectWriter> {
    let Format::JsonSchema { name, description, schema, .. } = request.format.as_ref()? else { return None };
    if !model.schema || !target.abilities().schema {
        losses.refuse("response_format", "needs structured outputs, which the model does not have");
        return None;
    }
    let mut text = String::new();
    push_str(&mut text, schema.get());
    let schema = ObjectWriter::new()
        .json("schema", &text)
        .maybe(name.as_deref(), |schema, name| schema.str("name", name))
        .maybe(description.as_deref().filter(|text| !text.is_empty()), |schema, text| {
            schema.str("description", text)
        });
    let format = ObjectWriter::of_type("json_schema")
        .object("structure", ObjectWriter::new().object("jsonSchema", schema));
    Some(ObjectWriter::new().object("textFormat", format))
}
