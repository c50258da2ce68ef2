//! Writes a request.

use super::FORMAT;
use super::thinking_writer;
use super::tool_writer::{self, Tools};
use super::turn_writer::{self, Conversation};
use super::{block_writer, schema};
use crate::abilities::{self, Abilities};
use crate::claude_thinking::Thinking;
use crate::form::{CacheTtl, Format, Request};
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
    let top_cache = place_top_cache(request, target, &mut conversation, &mut losses);
    limit_cache_marks(top_cache.is_some(), &mut conversation, &mut tools, &mut losses);

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
    body = body.maybe(top_cache, |body, ttl| body.object("cache_control", block_writer::mark(ttl)));
    body = if request.stream { body.bool("stream", true) } else { body };
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
    body
}

/// The mark for the whole prompt: OpenAI caches by itself, here somebody must ask for it. Amazon Bedrock refuses a mark of
/// the request (BerriAI/litellm#26320), so there the last block has it, which means the same.
fn place_top_cache(
    request: &Request,
    target: &Target<'_>,
    conversation: &mut Conversation,
    losses: &mut Losses,
) -> Option<CacheTtl> {
    let ttl = request.cache.or(request.cache_key.as_ref().map(|_| CacheTtl::Default))?;
    if !is_bedrocks(target.model) {
        return Some(ttl);
    }
    // A begun answer may end in thinking, which takes no mark.
    let is_prefilled = conversation.is_prefilled();
    let last = conversation.messages.last_mut().filter(|_| !is_prefilled);
    match last.and_then(|last| last.blocks_mut().last()) {
        Some(block) => block.cache = block.cache.or(Some(ttl)),
        None => losses.drop("cache_control"),
    }
    None
}

/// Whether a model is called by Amazon Bedrock's name for it, or by an ARN.
fn is_bedrocks(model: &str) -> bool {
    model.contains("anthropic.") || model.starts_with("arn:")
}

/// Marks of tools and system prompt outlive those of the conversation; there the last ones are worth most.
fn limit_cache_marks(
    has_top_mark: bool,
    conversation: &mut Conversation,
    tools: &mut Tools,
    losses: &mut Losses,
) {
    let top = usize::from(has_top_mark);
    let fixed = tools.tools.iter_mut().chain(&mut conversation.system).filter(|block| block.cache.is_some());
    let fixed: Vec<_> = fixed.collect();
    let free = MOST_CACHE_MARKS - top;
    let kept = fixed.len().min(free);
    let turns = conversation.messages.iter_mut().flat_map(turn_writer::WireMessage::blocks_mut);
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

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use super::write;
    use crate::form::{Format, Request};
    use crate::json::{Object, raw_of};
    use crate::messages::read_request;
    use crate::target::{Target, Written};

    const CLAUDE: &str = "claude-sonnet-4-5";

    fn request(body: &str) -> Request {
        read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap()
    }

    fn written(request: &Request, model: &str) -> Result<Written, Vec<String>> {
        let target =
            Target { dialect: Dialect::Anthropic, provider: "p", model, is_official: true, refuses: &[] };
        write(request, &target).map_err(|refused| refused.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_the_format_says_comes_out_as_it_went_in() {
        let body = r#"{"model":"claude-sonnet-4-5","max_tokens":64,"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":" a "},{"type":"image","source":{"type":"url","url":"https://a.example/i.png"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="},"title":"T"}]},{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"tool_use","id":"t1","name":"f","input":{"z": 1.0}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r","is_error":true,"cache_control":{"type":"ephemeral"}},{"type":"text","text":"c"}]}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"output_config":{"format":{"type":"json_schema","schema":{"type":"string"}}},"temperature":0.5,"top_k":3,"stop_sequences":["x"],"metadata":{"user_id":"u"},"service_tier":"auto","cache_control":{"type":"ephemeral"},"stream":true}"#;
        let written = written(&request(body), CLAUDE).unwrap();
        assert_eq!((written.body.as_str(), written.dropped.is_empty()), (body, true));
    }

    #[test]
    fn sampling_is_clamped_or_left_out() {
        for (sampling, model, sent, dropped) in [
            (r#""temperature":1.5"#, CLAUDE, r#""temperature":1.0"#, "temperature"),
            (r#""temperature":0.2,"top_p":0.9"#, CLAUDE, r#""temperature":0.2"#, "top_p"),
            (r#""temperature":0.2,"top_p":0.9"#, "claude-sonnet-4-0", r#""temperature":0.2,"top_p":0.9"#, ""),
            (r#""temperature":0.2,"top_k":1"#, "claude-opus-5", "", "temperature,top_k"),
            (r#""temperature":1"#, "claude-opus-5", "", ""),
        ] {
            let body =
                format!(r#"{{"max_tokens":9,"messages":[{{"role":"user","content":"x"}}],{sampling}}}"#);
            let written = written(&request(&body), model).unwrap();
            let (_, end) = written.body.split_once(r#""x"}]}]"#).unwrap();
            assert_eq!(end.trim_start_matches(',').trim_end_matches('}'), sent, "{sampling} {model}");
            assert_eq!(written.dropped.join(","), dropped, "{sampling} {model}");
        }
    }

    #[test]
    fn a_limit_is_always_said_and_never_above_the_models_own() {
        for (limit, model, sent) in [
            ("", CLAUDE, 64_000),
            (r#","max_tokens":70000"#, CLAUDE, 64_000),
            (r#","max_tokens":70000"#, "other", 70_000),
            ("", "claude-opus-4-8", 128_000),
        ] {
            let body = format!(r#"{{"messages":[{{"role":"user","content":"x"}}]{limit}}}"#);
            let written = written(&request(&body), model).unwrap();
            assert!(written.body.contains(&format!(r#""max_tokens":{sent},"#)), "{}", written.body);
        }
    }

    #[test]
    fn no_more_than_four_marks_are_kept() {
        let mark = r#""cache_control":{"type":"ephemeral"}"#;
        let texts: Vec<String> =
            (0..5).map(|index| format!(r#"{{"type":"text","text":"{index}",{mark}}}"#)).collect();
        let body = format!(
            r#"{{"max_tokens":9,"system":[{{"type":"text","text":"s",{mark}}}],"messages":[{{"role":"user","content":[{}]}}],
            "tools":[{{"name":"f","input_schema":{{"type":"object"}},{mark}}}]}}"#,
            texts.join(",")
        );
        let written = written(&request(&body), CLAUDE).unwrap();
        assert_eq!(
            (written.body.matches(mark).count(), written.dropped),
            (4, vec!["cache_control".to_owned()])
        );
        assert!(written.body.contains(&texts[4]) && !written.body.contains(&texts[2]), "{}", written.body);
    }

    #[test]
    fn bedrocks_last_block_has_the_mark_of_the_whole_prompt() {
        let text = r#"{"role":"user","content":[{"type":"text","text":"x""#;
        let mark = r#""cache_control":{"type":"ephemeral"}"#;
        for (model, sent) in [
            (CLAUDE, format!(r#""messages":[{text}}}]}}],{mark}}}"#)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", format!(r#""messages":[{text},{mark}}}]}}]}}"#)),
            (
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
                format!(r#""messages":[{text},{mark}}}]}}]}}"#),
            ),
        ] {
            let mut request = request(r#"{"max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#);
            request.cache_key = Some("k".to_owned());
            let written = written(&request, model).unwrap();
            assert!(written.body.ends_with(&sent), "{model}: {}", written.body);
            assert!(written.dropped.is_empty(), "{model}: {:?}", written.dropped);
        }
    }

    #[test]
    fn what_cannot_be_left_out_is_refused() {
        let user = r#""messages":[{"role":"user","content":"x"}]"#;
        for (body, model, refused) in [
            (
                format!(r#"{{{user},"mcp_servers":[{{}}]}}"#),
                CLAUDE,
                "`mcp_servers` has no counterpart in Anthropic Messages",
            ),
            (
                format!(r#"{{{user},"stop_sequences":["\n"]}}"#),
                CLAUDE,
                "`stop` is blank in part, which Anthropic Messages does not take",
            ),
            (
                format!(
                    r#"{{{user},"output_config":{{"format":{{"type":"json_schema","schema":{{"type":"object"}}}}}}}}"#
                ),
                CLAUDE,
                "`response_format` has an object of any properties, which Anthropic Messages cannot keep",
            ),
            (
                format!(
                    r#"{{{user},"output_config":{{"format":{{"type":"json_schema","schema":{{"type":"string"}}}}}}}}"#
                ),
                "claude-3-haiku-20240307",
                "`response_format` needs structured outputs, which the model does not have",
            ),
        ] {
            assert_eq!(written(&request(&body), model).unwrap_err(), [refused]);
        }
    }

    #[test]
    fn a_json_mode_becomes_a_sentence() {
        let mut request = request(r#"{"max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#);
        request.format = Some(Format::JsonObject);
        request.cache_key = Some("k".to_owned());
        request.metadata = raw_of(r#"{"a":"b"}"#);
        let written = written(&request, CLAUDE).unwrap();
        assert_eq!(written.dropped, ["response_format", "metadata"]);
        assert!(written.body.contains(r#""system":[{"type":"text","text":"Answer with one JSON object"#));
        assert!(written.body.ends_with(r#","cache_control":{"type":"ephemeral"}}"#));
    }
}
