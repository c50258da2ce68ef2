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

#[cfg(test)]
mod tests {
    use dialects::Dialect;

    use crate::target::Target;
    use crate::{CallerOptions, CallerRequest};

    const NOVA: &str = "us.amazon.nova-lite-v1:0";
    const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    const USER: &str = r#""messages":[{"role":"user","content":"x"}]"#;
    const SENT_USER: &str = r#""messages":[{"role":"user","content":[{"text":"x"}]}]"#;

    /// The body for a model of a request of Anthropic's, and what was left out; or the first refusal.
    fn written(fields: &str, model: &str, stream: bool) -> Result<(String, String), String> {
        let request = CallerRequest::read(Dialect::Anthropic, format!("{{{fields}}}").as_bytes()).unwrap();
        let target = Target {
            dialect: Dialect::BedrockConverse,
            provider: "p",
            model,
            is_official: false,
            refuses: &[],
        };
        let options = CallerOptions { stream, ..CallerOptions::default() };
        let translated = request.translate(&target, options).map_err(|refused| refused[0].to_string())?;
        Ok((String::from_utf8(translated.body.to_vec()).unwrap(), translated.dropped.join(",")))
    }

    #[test]
    fn settings_stand_where_the_format_has_them() {
        for (fields, model, sent, dropped) in [
            (
                r#""max_tokens":64,"temperature":0.5,"top_p":0.9,"stop_sequences":["E"]"#,
                NOVA,
                r#","inferenceConfig":{"maxTokens":64,"temperature":0.5,"topP":0.9,"stopSequences":["E"]}"#,
                "",
            ),
            (r#""top_k":5"#, NOVA, r#","additionalModelRequestFields":{"inferenceConfig":{"topK":5}}"#, ""),
            (r#""top_k":5"#, CLAUDE, r#","additionalModelRequestFields":{"top_k":5}"#, ""),
            (r#""top_k":5"#, "meta.llama3-3-70b-instruct-v1:0", "", "top_k"),
            (r#""temperature":1.5"#, NOVA, r#","inferenceConfig":{"temperature":1.0}"#, "temperature"),
            (
                r#""max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}"#,
                CLAUDE,
                r#","inferenceConfig":{"maxTokens":4000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}"#,
                "",
            ),
            (r#""thinking":{"type":"enabled","budget_tokens":2000}"#, NOVA, "", "thinking"),
            (
                r#""output_config":{"format":{"type":"json_schema","schema":{"type": "string"}}}"#,
                CLAUDE,
                r#","outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\": \"string\"}"}}}}"#,
                "",
            ),
            (r#""metadata":{"user_id":"u"}"#, NOVA, "", "metadata.user_id"),
        ] {
            let body = format!("{USER},{fields}");
            let expected = (format!("{{{SENT_USER}{sent}}}"), dropped.to_owned());
            assert_eq!(written(&body, model, false), Ok(expected), "{fields} {model}");
        }
    }

    #[test]
    fn tools_and_their_choice() {
        let tool = r#""tools":[{"name":"f","description":"","input_schema":{"type":"object"}}]"#;
        let config =
            r#""toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]"#;
        for (choice, sent, dropped) in [
            ("", "}", ""),
            (
                r#","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
                "}",
                "disable_parallel_tool_use",
            ),
            (r#","tool_choice":{"type":"any"}"#, r#","toolChoice":{"any":{}}}"#, ""),
            (r#","tool_choice":{"type":"tool","name":"f"}"#, r#","toolChoice":{"tool":{"name":"f"}}}"#, ""),
        ] {
            let expected = (format!("{{{SENT_USER},{config}{sent}}}"), dropped.to_owned());
            assert_eq!(written(&format!("{USER},{tool}{choice}"), NOVA, true), Ok(expected), "{choice}");
        }
        // Without tools none is called.
        let none = format!(r#"{USER},{tool},"tool_choice":{{"type":"none"}}"#);
        assert_eq!(written(&none, NOVA, false), Ok((format!("{{{SENT_USER}}}"), "tools".to_owned())));
        for (model, stream, choice, refused) in [
            ("us.deepseek.r1-v1:0", false, "", "`tools` are not taken by this model"),
            ("meta.llama3-1-70b-instruct-v1:0", true, "", "`tools` are not taken by this model in a stream"),
            (
                "cohere.command-r-v1:0",
                false,
                r#","tool_choice":{"type":"any"}"#,
                "`tool_choice` makes the model call a tool, which it cannot be made to",
            ),
        ] {
            let written = written(&format!("{USER},{tool}{choice}"), model, stream);
            assert_eq!(written, Err(refused.to_owned()), "{model}");
        }
    }

    #[test]
    fn a_conversation_with_calls_has_tools() {
        let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"toolu.1","name":"f","input":{"a": 1}}]}"#;
        let result = r#"{"role":"user","content":[{"type":"text","text":"b"},{"type":"tool_result","tool_use_id":"toolu.1","is_error":true}]}"#;
        let body = format!(r#""messages":[{{"role":"user","content":"a"}},{call},{result}]"#);
        let (sent, dropped) = written(&body, NOVA, false).unwrap();
        let id = crate::names::fit("toolu.1", crate::names::CONVERSE_CALL_ID);
        let expected = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"text":"a"}}]}},{{"role":"assistant","content":[{{"toolUse":{{"toolUseId":"{id}","name":"f","input":{{"a": 1}}}}}}]}},{{"role":"user","content":[{{"toolResult":{{"toolUseId":"{id}","content":[{{"text":"(no output)"}}],"status":"error"}}}},{{"text":"b"}}]}}],"toolConfig":{{"tools":[{{"toolSpec":{{"name":"f","description":"No longer available. Do not call it.","inputSchema":{{"json":{{"type":"object","properties":{{}}}}}}}}}}]}}}}"#
        );
        assert_eq!((sent, dropped), (expected, String::new()));
    }

    #[test]
    fn cache_points_stand_where_the_model_takes_them() {
        let mark = r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#;
        let body = format!(
            r#""system":[{{"type":"text","text":"s",{mark}}}],{USER},"tools":[{{"name":"f","input_schema":{{"type":"object"}},{mark}}}],"cache_control":{{"type":"ephemeral"}}"#
        );
        for (model, points, dropped) in [
            (CLAUDE, [1, 2], ""),
            (NOVA, [2, 0], "cache_control"),
            ("meta.llama3-3-70b-instruct-v1:0", [0, 0], "cache_control"),
        ] {
            let (sent, left_out) = written(&body, model, false).unwrap();
            let count = |point: &str| sent.matches(point).count();
            let found = [
                count(r#"{"cachePoint":{"type":"default"}}"#),
                count(r#"{"cachePoint":{"type":"default","ttl":"1h"}}"#),
            ];
            assert_eq!((found, left_out.as_str()), (points, dropped), "{model}: {sent}");
        }
    }

    #[test]
    fn what_a_model_lacks_is_refused() {
        for (fields, model, refused) in [
            (r#""system":"s","#, "mistral.mistral-7b-instruct-v0:2", "`system` is not taken by this model"),
            (
                r#""output_config":{"format":{"type":"json_schema","schema":{"type":"string"}}},"#,
                NOVA,
                "`output_config.format` needs structured outputs, which the model does not have",
            ),
            (r#""mcp_servers":[{}],"#, NOVA, "`mcp_servers` has no counterpart in Amazon Bedrock Converse"),
            (
                r#""stop_sequences":["\n"],"#,
                NOVA,
                "`stop_sequences` is blank in part, which Amazon Bedrock Converse does not take",
            ),
        ] {
            assert_eq!(written(&format!("{fields}{USER}"), model, false), Err(refused.to_owned()));
        }
        let pdf = r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="}}]}]"#;
        let refused = "`messages` holds a document without a text beside it, which Amazon Bedrock Converse does not take";
        assert_eq!(written(pdf, NOVA, false), Err(refused.to_owned()));
    }
}
