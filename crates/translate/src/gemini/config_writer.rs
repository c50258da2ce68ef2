//! Writes `generationConfig`.

use crate::abilities::Thinking;
use crate::form::{Effort, Format, Reasoning, Request, ToolChoice};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::{Losses, Target};

const MAX_STOPS: usize = 5;

pub(super) fn write(
    request: &Request,
    has_tools: bool,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    let out = ObjectWriter::new().maybe(request.max_tokens, |out, tokens| out.u64("maxOutputTokens", tokens));
    let out = sampling(out, request, target, losses);
    let out = stops(out, &request.stop, losses);
    let out = format(out, request, has_tools, target, losses);
    if request.logprobs.is_some() {
        losses.refuse("logprobs", "has no counterpart in Gemini");
    }
    match thinking(&request.reasoning, target, losses) {
        Some(config) => out.object("thinkingConfig", config),
        None => out,
    }
}

fn sampling(out: ObjectWriter, request: &Request, target: &Target<'_>, losses: &mut Losses) -> ObjectWriter {
    let sampling = &request.sampling;
    if !target.abilities().sampling {
        losses.drop_if(sampling.temperature.is_some(), "temperature");
        losses.drop_if(sampling.top_p.is_some(), "top_p");
        losses.drop_if(sampling.top_k.is_some(), "top_k");
        return out;
    }
    let temperature = sampling.temperature.map(|temperature| {
        let clamped = temperature.clamp(0.0, 2.0);
        losses.drop_if((clamped - temperature).abs() > 0.0, "temperature");
        clamped
    });
    let seed = sampling.seed.and_then(|seed| i32::try_from(seed).ok());
    losses.drop_if(seed.is_none() && sampling.seed.is_some(), "seed");
    let takes_penalties =
        !matches!(target.abilities().thinking, Thinking::GeminiBudget | Thinking::GeminiLevel);
    let mut penalty = |value: Option<f64>, name: &str| {
        // Nought is the default. Gemini 2.5 and later: "Penalty is not enabled for this model".
        let value = value.filter(|value| *value != 0.0);
        losses.drop_if(value.is_some() && !takes_penalties, name);
        value.filter(|_| takes_penalties)
    };
    let presence = penalty(sampling.presence_penalty, "presence_penalty");
    let frequency = penalty(sampling.frequency_penalty, "frequency_penalty");
    out.maybe(temperature, |out, value| out.f64("temperature", value))
        .maybe(sampling.top_p, |out, value| out.f64("topP", value))
        .maybe(sampling.top_k, |out, value| out.u64("topK", value))
        .maybe(seed, |out, value| out.json("seed", &value.to_string()))
        .maybe(presence, |out, value| out.f64("presencePenalty", value))
        .maybe(frequency, |out, value| out.f64("frequencyPenalty", value))
}

fn stops(out: ObjectWriter, stop: &[String], losses: &mut Losses) -> ObjectWriter {
    let mut sequences = ArrayWriter::new();
    let filled: Vec<&String> = stop.iter().filter(|text| !text.is_empty()).collect();
    if filled.len() > MAX_STOPS {
        losses.refuse("stop", "has more than 5 sequences, which is all that Gemini takes");
    }
    for text in filled {
        sequences.push_str(text);
    }
    if sequences.is_empty() { out } else { out.array("stopSequences", sequences) }
}

fn format(
    out: ObjectWriter,
    request: &Request,
    has_tools: bool,
    target: &Target<'_>,
    losses: &mut Losses,
) -> ObjectWriter {
    let Some(format) = &request.format else { return out };
    // Up to Gemini 2.5: "Function calling with a response mime type: 'application/json' is unsupported".
    let is_alone = matches!(target.abilities().thinking, Thinking::GeminiBudget | Thinking::No);
    if has_tools && is_alone {
        match request.tool_choice {
            // The answer is a call, so its text has no format.
            Some(
                ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. },
            ) => {
                losses.drop("response_format");
                return out;
            }
            Some(ToolChoice::None) => {}
            _ => losses.refuse("response_format", "cannot stand beside tools on this model"),
        }
    }
    let out = out.str("responseMimeType", "application/json");
    match format {
        Format::JsonObject => out,
        Format::JsonSchema { schema, .. } => out.raw("responseJsonSchema", schema),
    }
}

fn thinking(reasoning: &Reasoning, target: &Target<'_>, losses: &mut Losses) -> Option<ObjectWriter> {
    let config = match target.abilities().thinking {
        Thinking::GeminiBudget => budget(reasoning, target.model, losses),
        Thinking::GeminiLevel => level(reasoning, target.model, losses),
        _ => {
            let asked = asked_effort(reasoning).is_some_and(|effort| effort != Effort::None);
            losses.drop_if(asked || reasoning.enabled == Some(true), "reasoning");
            return None;
        }
    };
    // Where there are no thoughts, asking for them is an error.
    let is_off = asked_effort(reasoning) == Some(Effort::None);
    let config =
        if reasoning.show == Some(true) && !is_off { config.bool("includeThoughts", true) } else { config };
    (!config.is_empty()).then_some(config)
}

/// The effort that is asked for, in whatever way.
fn asked_effort(reasoning: &Reasoning) -> Option<Effort> {
    if reasoning.enabled == Some(false) {
        return Some(Effort::None);
    }
    reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget))
}

/// Gemini 2.5.
fn budget(reasoning: &Reasoning, model: &str, losses: &mut Losses) -> ObjectWriter {
    // Google's table: the least and most tokens; all but Pro can be switched off.
    let (least, most) = if model.contains("pro") {
        (128, 32_768)
    } else if model.contains("lite") {
        (512, 24_576)
    } else {
        (1, 24_576)
    };
    let out = ObjectWriter::new();
    let tokens = match (asked_effort(reasoning), reasoning.budget) {
        (Some(Effort::None), _) if model.contains("pro") => {
            losses.drop("reasoning");
            least
        }
        (Some(Effort::None), _) => 0,
        (_, Some(tokens)) => tokens.clamp(least, most),
        (Some(Effort::Minimal | Effort::Low), None) => 1_024,
        (Some(Effort::Medium), None) => 8_192,
        (Some(Effort::High), None) => 24_576,
        (Some(Effort::Xhigh | Effort::Max), None) => most,
        (None, None) if reasoning.enabled == Some(true) => return out.json("thinkingBudget", "-1"),
        (None, None) => return out,
    };
    out.u64("thinkingBudget", tokens)
}

/// Gemini 3 and later.
fn level(reasoning: &Reasoning, model: &str, losses: &mut Losses) -> ObjectWriter {
    let is_pro = model.contains("pro");
    let level = match asked_effort(reasoning) {
        None => return ObjectWriter::new(),
        // It cannot be switched off.
        Some(Effort::None) => {
            losses.drop("reasoning");
            if is_pro { "LOW" } else { "MINIMAL" }
        }
        Some(Effort::Minimal) if !is_pro => "MINIMAL",
        Some(Effort::Minimal | Effort::Low) => "LOW",
        // The first Pro knows low and high only.
        Some(Effort::Medium) if model.contains("gemini-3-pro") => "HIGH",
        Some(Effort::Medium) => "MEDIUM",
        Some(Effort::High | Effort::Xhigh | Effort::Max) => "HIGH",
    };
    ObjectWriter::new().str("thinkingLevel", level)
}

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::write;
    use crate::form::{Effort, Format, Reasoning, Request, Sampling, ToolChoice};
    use crate::target::{Losses, Target};

    fn target(model: &str) -> Target<'_> {
        Target { dialect: Dialect::Gemini, provider: "google", model, is_official: true, refuses: &[] }
    }

    fn written(request: &Request, model: &str) -> (String, Vec<String>) {
        let mut losses = Losses::default();
        let config = write(request, false, &target(model), &mut losses).finish();
        let written = losses.finish(config, crate::names::ToolNames::default()).unwrap();
        (written.body, written.dropped)
    }

    fn thinking(reasoning: Reasoning, model: &str) -> String {
        written(&Request { reasoning, ..Request::default() }, model).0
    }

    #[test]
    fn thinking_by_model() {
        let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
        let cases = [
            (effort(Effort::Low), "gemini-2.5-flash", r#"{"thinkingConfig":{"thinkingBudget":1024}}"#),
            (effort(Effort::None), "gemini-2.5-flash", r#"{"thinkingConfig":{"thinkingBudget":0}}"#),
            (effort(Effort::None), "gemini-2.5-pro", r#"{"thinkingConfig":{"thinkingBudget":128}}"#),
            (effort(Effort::Max), "google/gemini-2.5-pro", r#"{"thinkingConfig":{"thinkingBudget":32768}}"#),
            (effort(Effort::Max), "gemini-3-flash-preview", r#"{"thinkingConfig":{"thinkingLevel":"HIGH"}}"#),
            (
                effort(Effort::None),
                "gemini-3-flash-preview",
                r#"{"thinkingConfig":{"thinkingLevel":"MINIMAL"}}"#,
            ),
            (effort(Effort::Medium), "gemini-3.1-pro", r#"{"thinkingConfig":{"thinkingLevel":"MEDIUM"}}"#),
            (effort(Effort::High), "gemini-2.0-flash", "{}"),
            (
                Reasoning { show: Some(true), ..Reasoning::default() },
                "gemini-3-pro",
                r#"{"thinkingConfig":{"includeThoughts":true}}"#,
            ),
            (
                Reasoning { budget: Some(99_999), enabled: Some(true), ..Reasoning::default() },
                "gemini-2.5-flash",
                r#"{"thinkingConfig":{"thinkingBudget":24576}}"#,
            ),
            (
                Reasoning { enabled: Some(true), ..Reasoning::default() },
                "gemini-2.5-flash",
                r#"{"thinkingConfig":{"thinkingBudget":-1}}"#,
            ),
        ];
        for (reasoning, model, expected) in cases {
            assert_eq!(thinking(reasoning, model), expected, "{model}");
        }
    }

    #[test]
    fn sampling_is_clamped_and_named() {
        let sampling =
            Sampling { temperature: Some(3.0), top_p: Some(0.5), seed: Some(1 << 40), ..Sampling::default() };
        let request =
            Request { sampling, stop: vec!["x".to_owned()], max_tokens: Some(7), ..Request::default() };
        let (body, dropped) = written(&request, "gemini-2.5-flash");
        assert_eq!(body, r#"{"maxOutputTokens":7,"temperature":2.0,"topP":0.5,"stopSequences":["x"]}"#);
        assert_eq!(dropped, ["temperature", "seed"]);
    }

    #[test]
    fn a_format_beside_tools() {
        let mut request = Request { format: Some(Format::JsonObject), ..Request::default() };
        let refused = |request: &Request, model: &str| {
            let mut losses = Losses::default();
            let config = write(request, true, &target(model), &mut losses).finish();
            losses
                .finish(config, crate::names::ToolNames::default())
                .map(|written| written.body)
                .map_err(|refused| refused.len())
        };
        assert_eq!(refused(&request, "gemini-2.5-pro"), Err(1));
        assert_eq!(
            refused(&request, "gemini-3-pro"),
            Ok(r#"{"responseMimeType":"application/json"}"#.to_owned())
        );
        request.tool_choice = Some(ToolChoice::Required);
        assert_eq!(refused(&request, "gemini-2.5-pro"), Ok("{}".to_owned()));
    }
}
