//! Refusing a history whose tool calls and results do not belong together: as the real providers do, in their words.
//!
//! Sources: Anthropic's and OpenAI's answers as quoted in aliasrobotics/cai#182 and microsoft/vscode#299295, Google's as in
//! maximhq/bifrost#1391.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::converse_check;
use crate::dialect::Dialect;

/// Why the tool calls of a request are refused; `None`: they are as they must be.
pub(crate) fn fault(dialect: Dialect, model: &str, body: &Value) -> Option<String> {
    match dialect {
        Dialect::Chat => of_chat(list(&body["messages"])),
        Dialect::Responses => of_responses(body),
        Dialect::Anthropic | Dialect::Invoke => of_messages(model, body),
        Dialect::Converse => converse_check::fault(body),
        Dialect::Gemini => of_contents(list(&body["contents"])),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// All results come directly after the message with their calls.
fn of_chat(messages: &[Value]) -> Option<String> {
    let mut open = BTreeSet::new();
    for (at, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            if !open.remove(text(message, "tool_call_id")) {
                return Some(format!(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
                     'tool_calls': messages.[{at}].role."
                ));
            }
            continue;
        }
        if !open.is_empty() {
            break;
        }
        open = list(&message["tool_calls"]).iter().map(|call| text(call, "id")).collect();
    }
    (!open.is_empty()).then(|| {
        let ids = Vec::from_iter(open).join(", ");
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
             'tool_call_id'. The following tool_call_ids did not have response messages: {ids}"
        )
    })
}

/// Results may come anywhere after their calls, which a stored response may have.
fn of_responses(body: &Value) -> Option<String> {
    let (input, is_stored) = (list(&body["input"]), body["previous_response_id"].is_string());
    for (call, output, words) in [
        ("function_call", "function_call_output", "function call"),
        ("custom_tool_call", "custom_tool_call_output", "custom tool call"),
    ] {
        let mut open = BTreeSet::new();
        for item in input {
            let id = text(item, "call_id");
            if item["type"] == call {
                open.insert(id);
            } else if item["type"] == output && !open.remove(id) && !is_stored {
                return Some(format!("No tool call found for {words} output with call_id {id}."));
            }
        }
        if let Some(id) = open.first() {
            return Some(format!("No tool output found for {words} {id}."));
        }
    }
    None
}

/// The results are the first blocks of the next message, one for each call.
fn of_messages(model: &str, body: &Value) -> Option<String> {
    let messages = list(&body["messages"]);
    for (at, message) in messages.iter().enumerate() {
        let blocks = list(&message["content"]);
        if let Some(index) =
            blocks.iter().position(|block| block["type"] == "tool_use" && !has_good_id(block))
        {
            return Some(format!(
                "messages.{at}.content.{index}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            ));
        }
        let calls: BTreeSet<_> = blocks
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .map(|block| text(block, "id"))
            .collect();
        let next = messages.get(at + 1).map(|next| list(&next["content"])).unwrap_or_default();
        let results: BTreeSet<_> = next
            .iter()
            .take_while(|block| block["type"] == "tool_result")
            .map(|block| text(block, "tool_use_id"))
            .collect();
        let missing = Vec::from_iter(calls.difference(&results).copied());
        if !missing.is_empty() {
            return Some(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
                 `tool_use` block must have a corresponding `tool_result` block in the next message.",
                missing.join(", ")
            ));
        }
        let all = next.iter().filter(|block| block["type"] == "tool_result");
        if let Some(orphan) = all.map(|block| text(block, "tool_use_id")).find(|id| !calls.contains(id)) {
            return Some(format!(
                "messages.{}: unexpected `tool_use_id` found in `tool_result` blocks: {orphan}. Each `tool_result` \
                 block must have a corresponding `tool_use` block in the previous message.",
                at + 1
            ));
        }
    }
    thinks_within_budget(model).then(|| continued_without_thinking(body, messages)).flatten()
}

fn has_good_id(call: &Value) -> bool {
    let id = text(call, "id");
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The later ones take no budget.
fn thinks_within_budget(model: &str) -> bool {
    model.contains("claude-") && (model.contains("-3-7") || model.contains("-4-"))
}

/// With a budget for thinking, the message whose calls are answered last begins with thinking.
fn continued_without_thinking(body: &Value, messages: &[Value]) -> Option<String> {
    let [.., assistant, results] = messages else { return None };
    let is_continued = body["thinking"]["type"] == "enabled"
        && assistant["role"] == "assistant"
        && list(&results["content"]).iter().any(|block| block["type"] == "tool_result");
    let first = text(list(&assistant["content"]).first()?, "type");
    (is_continued && !matches!(first, "thinking" | "redacted_thinking")).then(|| {
        format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When \
             `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the \
             lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`.",
            messages.len() - 2
        )
    })
}

/// A turn with calls is followed by one with as many results, of the same names. Google's clients keep each chunk of a stream
/// as a content of its own: neighbours of one role are one turn.
fn of_contents(contents: &[Value]) -> Option<String> {
    let names = |turn: &[Value], key: &str| -> Vec<String> {
        let parts =
            turn.iter().flat_map(|content| list(&content["parts"])).filter(|part| part[key].is_object());
        let mut names: Vec<_> = parts.map(|part| text(&part[key], "name").to_owned()).collect();
        names.sort_unstable();
        names
    };
    let is_model = |content: &Value| content["role"] == "model";
    let turns: Vec<_> = contents.chunk_by(|one, next| is_model(one) == is_model(next)).collect();
    for (at, turn) in turns.iter().enumerate() {
        let calls = names(turn, "functionCall");
        let results = turns.get(at + 1).map(|next| names(next, "functionResponse")).unwrap_or_default();
        if calls != results {
            return Some(
                "Please ensure that the number of function response parts is equal to the number of function call \
                 parts of the function call turn."
                    .to_owned(),
            );
        }
    }
    let first = turns.first().is_some_and(|first| !names(first, "functionResponse").is_empty());
    first.then(|| {
        "Please ensure that function response turn comes immediately after a function call turn.".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_and_results_belong_together() {
        let call =
            |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": ""});
        let chat = |results: &[Value]| {
            let mut messages = vec![json!({"role": "assistant", "tool_calls": [call("a"), call("b")]})];
            messages.extend_from_slice(results);
            fault(Dialect::Chat, "m", &json!({"messages": messages}))
        };
        let user = json!({"role": "user", "content": "x"});
        assert_eq!(chat(&[result("b"), result("a"), user.clone()]), None);
        assert!(chat(&[result("a")]).unwrap().ends_with("did not have response messages: b"));
        assert!(chat(&[result("a"), user, result("b")]).is_some(), "not directly after");
        assert!(chat(&[result("a"), result("b"), result("b")]).is_some());

        let item = |kind: &str, id: &str| json!({"type": kind, "call_id": id});
        let responses = |items: &[Value]| fault(Dialect::Responses, "m", &json!({"input": items}));
        assert_eq!(responses(&[item("function_call", "a"), item("function_call_output", "a")]), None);
        let mixed = [item("custom_tool_call", "a"), item("function_call_output", "a")];
        assert_eq!(responses(&mixed).unwrap(), "No tool call found for function call output with call_id a.");
        assert_eq!(responses(&mixed[..1]).unwrap(), "No tool output found for custom tool call a.");

        let part = |kind: &str, name: &str| json!({kind: {"name": name}});
        let gemini = |results: Vec<Value>| {
            let calls = [part("functionCall", "f"), part("functionCall", "g")];
            let model = |parts: &Value| json!({"role": "model", "parts": [parts]});
            let contents = json!([model(&calls[0]), model(&calls[1]), {"role": "user", "parts": results}]);
            fault(Dialect::Gemini, "m", &json!({"contents": contents}))
        };
        assert_eq!(gemini(vec![part("functionResponse", "g"), part("functionResponse", "f")]), None);
        assert!(gemini(vec![part("functionResponse", "g")]).is_some());
    }

    #[test]
    fn anthropics_results_come_first_and_all_at_once() {
        let uses = ["a", "b"].map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}}));
        let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id});
        let refusal = |content: &[Value], thinking: &str| {
            let turns =
                [json!({"role": "assistant", "content": uses}), json!({"role": "user", "content": content})];
            fault(
                Dialect::Anthropic,
                "claude-sonnet-4-5",
                &json!({"messages": turns, "thinking": {"type": thinking}}),
            )
        };
        let said = json!({"type": "text", "text": "x"});
        assert_eq!(refusal(&[result("b"), result("a"), said.clone()], "adaptive"), None);
        let odd =
            json!({"messages": [{"content": [{"type": "tool_use", "id": "functions.f:0", "name": "f"}]}]});
        let pattern = fault(Dialect::Anthropic, "m", &odd).unwrap();
        assert!(pattern.starts_with("messages.0.content.0.tool_use.id: String should match"), "{pattern}");
        assert!(refusal(&[said, result("a"), result("b")], "adaptive").is_some());
        assert!(refusal(&[result("a")], "adaptive").unwrap().contains("immediately after: b"));
        assert!(refusal(&[result("a"), result("b"), result("c")], "adaptive").unwrap().contains("blocks: c"));
        let thought = refusal(&[result("a"), result("b")], "enabled").unwrap();
        assert!(thought.starts_with("messages.0.content.0.type: Expected `thinking`"), "{thought}");
    }
}
