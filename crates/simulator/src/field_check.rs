//! Refusing fields that an API does not have: OpenAI's Responses and Anthropic's Messages do, in their words.
//!
//! Sources: the types of openai-python 3.57.0 and anthropic 2.14.0, with the betas of anthropics/claude-code#51700.

use serde_json::Value;

use crate::dialect::Dialect;

const RESPONSES: &[&str] = &[
    "access_programs",
    "background",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];
/// The items that go to and fro in a loop of tools, by type; others are not looked at.
const ITEMS: [(&str, &[&str]); 6] = [
    ("message", &["content", "id", "phase", "role", "status", "type"]),
    ("reasoning", &["content", "encrypted_content", "id", "status", "summary", "type"]),
    ("function_call", &["arguments", "call_id", "caller", "id", "name", "namespace", "status", "type"]),
    ("function_call_output", &["call_id", "caller", "id", "output", "status", "type"]),
    ("custom_tool_call", &["call_id", "caller", "id", "input", "name", "namespace", "status", "type"]),
    ("custom_tool_call_output", &["call_id", "caller", "id", "output", "status", "type"]),
];

const MESSAGES: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "safeguards",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user_profile_id",
    "workspace_id",
];
const BLOCKS: [(&str, &[&str]); 5] = [
    ("text", &["cache_control", "citations", "text", "type"]),
    ("thinking", &["signature", "thinking", "type"]),
    ("redacted_thinking", &["data", "type"]),
    ("tool_use", &["cache_control", "caller", "id", "input", "name", "toolset_name", "type"]),
    ("tool_result", &["cache_control", "content", "is_error", "tool_use_id", "type"]),
];

/// Why a field of the request is refused; `None`: all are known, or nothing is refused here.
pub(crate) fn fault(dialect: Dialect, body: &Value) -> Option<String> {
    match dialect {
        Dialect::Responses => {
            let items = elements(&body["input"]).filter_map(|(at, item)| {
                let kind = item["type"].as_str().unwrap_or("message");
                Some(format!("input[{at}].{}", unknown_by_kind(item, kind, &ITEMS)?))
            });
            let field = unknown(body, RESPONSES).map(str::to_owned).or_else(|| items.into_iter().next())?;
            Some(format!("Unknown parameter: '{field}'."))
        }
        Dialect::Anthropic => {
            let blocks = elements(&body["messages"]).flat_map(|(at, message)| {
                elements(&message["content"]).filter_map(move |(index, block)| {
                    let kind = block["type"].as_str()?;
                    let field = unknown_by_kind(block, kind, &BLOCKS)?;
                    Some(format!("messages.{at}.content.{index}.{kind}.{field}"))
                })
            });
            let field = unknown(body, MESSAGES).map(str::to_owned).or_else(|| blocks.into_iter().next())?;
            Some(format!("{field}: Extra inputs are not permitted"))
        }
        // The first two take much that is not in their types; of InvokeModel, it is not documented, and Converse's has rules
        // of its own (`converse_check`).
        Dialect::Chat | Dialect::Gemini | Dialect::Invoke | Dialect::Converse => None,
    }
}

fn unknown_by_kind<'a>(value: &'a Value, kind: &str, kinds: &[(&str, &[&str])]) -> Option<&'a str> {
    let (_, known) = kinds.iter().find(|(name, _)| *name == kind)?;
    unknown(value, known)
}

fn unknown<'a>(value: &'a Value, known: &[&str]) -> Option<&'a str> {
    value.as_object()?.keys().map(String::as_str).find(|field| !known.contains(field))
}

fn elements(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_another_api_is_refused() {
        let call = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"});
        let mut marked = call.clone();
        marked["cache_control"] = json!({});
        let responses = |item: Value| fault(Dialect::Responses, &json!({"model": "m", "input": ["x", item]}));
        assert_eq!(responses(call), None);
        assert_eq!(responses(marked).unwrap(), "Unknown parameter: 'input[1].cache_control'.");
        let block = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}, "index": 0});
        let messages = json!({"messages": [{"role": "assistant", "content": [block]}]});
        assert_eq!(
            fault(Dialect::Anthropic, &messages).unwrap(),
            "messages.0.content.0.tool_use.index: Extra inputs are not permitted"
        );
        let seed = fault(Dialect::Anthropic, &json!({"seed": 1})).unwrap();
        assert_eq!(seed, "seed: Extra inputs are not permitted");
        assert_eq!(fault(Dialect::Chat, &json!({"odd": 1})), None);
    }
}
