//! Refusing a conversation that Amazon Bedrock's Converse does not take, in its words.
//!
//! Sources: the shapes of botocore 1.44.8, `bedrock-runtime` 2023-09-30; for roles and results langchain-ai/langchain-aws#192 and
//! #141. Words that no source has are as near to AWS' as is known: tests go by the rule, not by the words.

use std::collections::BTreeSet;

use serde_json::Value;

/// The fields of a request.
const FIELDS: [&str; 13] = [
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];

/// The kinds of blocks, of which each has one.
const BLOCKS: [&str; 11] = [
    "audio",
    "cachePoint",
    "citationsContent",
    "document",
    "guardContent",
    "image",
    "reasoningContent",
    "text",
    "toolResult",
    "toolUse",
    "video",
];

/// Why the request is refused; `None`: it is as it must be.
pub(crate) fn fault(body: &Value) -> Option<String> {
    // To be counted, it stands in another one.
    let body = match body.get("input") {
        Some(input) => input.get("converse")?,
        None => body,
    };
    let unknown = body.as_object()?.keys().find(|field| !FIELDS.contains(&field.as_str()));
    if let Some(field) = unknown {
        return Some(format!("#: extraneous key [{field}] is not permitted"));
    }
    of_tools(body).or_else(|| of_messages(list(&body["messages"])))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn of_tools(body: &Value) -> Option<String> {
    let blocks = || list(&body["messages"]).iter().flat_map(|message| list(&message["content"]));
    let has_calls = blocks().any(|block| block.get("toolUse").or_else(|| block.get("toolResult")).is_some());
    let tools = list(&body["toolConfig"]["tools"]);
    if has_calls && tools.is_empty() {
        return Some(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
                .to_owned(),
        );
    }
    let mut names = tools.iter().filter_map(|tool| tool.get("toolSpec")).map(|spec| &spec["name"]);
    names.find(|name| !is_name(name)).map(|name| invalid("toolConfig.tools.member.toolSpec.name", name))
}

/// `[a-zA-Z0-9_-]{1,64}`.
fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|name| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    })
}

fn invalid(field: &str, value: &Value) -> String {
    format!(
        "1 validation error detected: Value {value} at '{field}' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [a-zA-Z0-9_-]+"
    )
}

/// Roles alternate and the user begins; the results of all calls stand in the next message, before anything else.
fn of_messages(messages: &[Value]) -> Option<String> {
    let mut open = BTreeSet::new();
    for (at, message) in messages.iter().enumerate() {
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        if message["role"] != role {
            return Some(match at {
                0 => "A conversation must start with a user message. Try again with a conversation that starts \
                      with a user message."
                    .to_owned(),
                _ => "A conversation must alternate between user and assistant roles. Make sure the conversation \
                      alternates between user and assistant roles and try again."
                    .to_owned(),
            });
        }
        let content = list(&message["content"]);
        if let Some(fault) = content.iter().find_map(|block| of_block(at, block)) {
            return Some(fault);
        }
        let results = content.iter().take_while(|block| block.get("toolResult").is_some());
        let results: BTreeSet<_> = results.map(|block| id(&block["toolResult"])).collect();
        let all = content.iter().filter(|block| block.get("toolResult").is_some());
        if let Some(orphan) = all.map(|block| id(&block["toolResult"])).find(|id| !open.contains(id)) {
            return Some(format!(
                "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of \
                 previous turn: {orphan}"
            ));
        }
        let missing = Vec::from_iter(open.difference(&results).copied());
        if !missing.is_empty() {
            let ids = missing.join(", ");
            return Some(format!(
                "Expected toolResult blocks at messages.{at}.content for the following Ids: {ids}"
            ));
        }
        let calls = content.iter().filter_map(|block| block.get("toolUse"));
        open = calls.map(id).collect();
    }
    (!open.is_empty()).then(|| {
        format!("Expected toolResult blocks for the following Ids: {}", Vec::from_iter(open).join(", "))
    })
}

fn id(value: &Value) -> &str {
    value["toolUseId"].as_str().unwrap_or_default()
}

fn of_block(at: usize, block: &Value) -> Option<String> {
    let kinds: Vec<_> = block.as_object()?.keys().map(String::as_str).collect();
    if kinds.len() != 1 || !BLOCKS.contains(&kinds[0]) {
        return Some(format!("messages.{at}.content: a block must be one of {BLOCKS:?}, not {kinds:?}"));
    }
    if block["text"].as_str().is_some_and(|text| text.trim().is_empty()) {
        return Some(format!(
            "The text field in the ContentBlock object at messages.{at}.content is blank. Add text to the text field, \
             and try again."
        ));
    }
    let call = &block["toolUse"];
    if !call.is_null() && !is_name(&call["name"]) {
        return Some(invalid("toolUse.name", &call["name"]));
    }
    if !call.is_null() && !call["input"].is_object() {
        return Some(format!(
            "The format of the value at messages.{at}.content.toolUse.input is invalid. Provide a json object for the \
             field and try again."
        ));
    }
    let mut ids = ["toolUse", "toolResult"].into_iter().filter_map(|kind| block.get(kind));
    ids.find(|value| !is_name(&value["toolUseId"])).map(|value| invalid("toolUseId", &value["toolUseId"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(id: &str) -> Value {
        json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}})
    }

    fn result(id: &str) -> Value {
        json!({"toolResult": {"toolUseId": id, "content": [{"text": "x"}]}})
    }

    fn body(results: &[Value]) -> Value {
        let messages = json!([
            {"role": "user", "content": [{"text": "x"}]},
            {"role": "assistant", "content": [call("a"), call("b")]},
            {"role": "user", "content": results},
        ]);
        let tool = json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}});
        json!({"messages": messages, "toolConfig": {"tools": [tool]}})
    }

    #[test]
    fn calls_and_results_belong_together() {
        let text = json!({"text": "x"});
        assert_eq!(fault(&body(&[result("b"), result("a"), text.clone()])), None);
        let missing = "Expected toolResult blocks at messages.2.content for the following Ids: b";
        assert_eq!(fault(&body(&[result("a")])).unwrap(), missing);
        assert_eq!(fault(&body(&[result("a"), text, result("b")])).unwrap(), missing, "not first");
        assert!(
            fault(&body(&[result("a"), result("b"), result("c")])).unwrap().ends_with("previous turn: c")
        );
        let mut unanswered = body(&[]);
        unanswered["messages"].as_array_mut().unwrap().pop();
        assert!(fault(&unanswered).unwrap().ends_with("Ids: a, b"));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let good = body(&[result("a"), result("b")]);
        for (pointer, value, words) in [
            ("/messages/1/content/0/toolUse/toolUseId", json!("a.b:c"), "[a-zA-Z0-9_-]+"),
            ("/messages/1/content/0/toolUse/name", json!("x".repeat(65)), "toolUse.name"),
            ("/messages/1/content/0/toolUse/input", json!("{}"), "Provide a json object"),
            ("/messages/1/role", json!("user"), "must alternate"),
            ("/messages/0/role", json!("assistant"), "must start with a user message"),
            ("/messages/0/content/0/text", json!(" \n"), "is blank"),
            ("/messages/0/content/0", json!({"text": "x", "type": "text"}), "a block must be one of"),
            ("/toolConfig/tools/0/toolSpec/name", json!("a.b"), "toolSpec.name"),
            ("/toolConfig", json!({}), "The toolConfig field must be defined"),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            let fault = fault(&bad).unwrap_or_default();
            assert!(fault.contains(words), "{pointer}: {fault}");
        }
        let mut foreign = good.clone();
        foreign["cache_control"] = json!({});
        assert!(fault(&foreign).unwrap().contains("[cache_control]"));
        assert_eq!(fault(&json!({"input": {"converse": good}})), None);
        assert!(fault(&json!({"input": {"converse": foreign}})).is_some());
    }
}
