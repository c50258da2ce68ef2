//! What holds of Converse, which nothing reads requests of: the rules by which Bedrock takes one, and that all words arrive.

use dialects::Dialect::{self, BedrockConverse};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::Value;

use super::answer_losses::{self, coalesced, events, without_opaque};
use super::answers::any_answer;
use super::formats::{ALL, context, read_answer, target, through, write_answer};
use super::request_losses::without_refused;
use super::requests::request;
use super::{cases, same};
use crate::bridge::write_request;
use crate::form::{Event, PartKind, Request};
use crate::target::Target;

/// Models whose abilities differ.
const MODELS: [&str; 2] = ["us.amazon.nova-2-lite-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"];

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_request_keeps_bedrocks_rules(request in request()) {
        for caller in ALL {
            let mut request = request.clone();
            without_refused(caller, &mut request);
            without_refused(BedrockConverse, &mut request);
            let request = through(caller, &request);
            for model in MODELS.into_iter().chain([target(BedrockConverse).model]) {
                let target = Target { model, ..target(BedrockConverse) };
                // What some models cannot do is refused.
                let Ok(written) = write_request(&request, &target) else { continue };
                check(&serde_json::from_str(&written.body).unwrap());
            }
        }
    }

    #[test]
    fn all_words_arrive_in_their_order(request in request()) {
        let mut request = request;
        without_refused(BedrockConverse, &mut request);
        let body: Value =
            serde_json::from_str(&write_request(&request, &target(BedrockConverse)).unwrap().body).unwrap();
        let mut found = Vec::new();
        texts(&body["messages"], &mut found);
        let mut found = found.into_iter();
        for words in words(&request) {
            prop_assert!(found.any(|text| text.contains(&words)), "{:?} of {}", words, body);
        }
    }

    #[test]
    fn an_answer_is_read_as_bedrock_writes_it(answer in any_answer()) {
        let mut said = without_opaque(coalesced(answer));
        let expected = answer_losses::as_said_in(BedrockConverse, said.clone());
        said.blocks.iter_mut().for_each(|block| block.citations.clear());
        same(&answer_through(&said), &expected, &[BedrockConverse])?;
    }

    #[test]
    fn an_answer_goes_to_a_caller_with_all_its_blocks(answer in any_answer()) {
        let read = read_answer(BedrockConverse, &write_answer(BedrockConverse, &answer));
        let said = without_opaque(coalesced(read));
        for caller in ALL {
            let expected = answer_losses::as_said_in(caller, said.clone());
            let body = crate::bridge::write_response(
                crate::caller::Caller::of(caller).unwrap(),
                &events(&said),
                &context(BedrockConverse),
            );
            let got = without_opaque(coalesced(read_answer(caller, &body)));
            prop_assert_eq!(&got.blocks, &expected.blocks, "{:?}", caller);
            prop_assert_eq!(&got.ends, &expected.ends, "{:?}", caller);
        }
    }
}

fn answer_through(said: &answer_losses::AnswerFacts) -> answer_losses::AnswerFacts {
    let format: Dialect = BedrockConverse;
    without_opaque(coalesced(read_answer(format, &write_answer(format, &events(said)))))
}

/// The words of the conversation, in the order in which they are sent: results stand first in their turn.
fn words(request: &Request) -> Vec<String> {
    let mut all = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => all.push(text.clone()),
            PartKind::ToolResult(result) => {
                all.extend(result.content.iter().filter_map(|part| match &part.kind {
                    PartKind::Text(text) => Some(text.clone()),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    all
}

fn texts<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, out)),
        _ => {}
    }
}

/// Bedrock's rules (botocore 1.44.8; the words of its refusals).
fn check(body: &Value) {
    let messages = body["messages"].as_array().unwrap();
    let mut open: Vec<&str> = Vec::new();
    let mut has_tools = false;
    for (at, message) in messages.iter().enumerate() {
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        assert_eq!(message["role"], role, "roles alternate, and the user begins");
        let content = message["content"].as_array().unwrap();
        assert!(!content.is_empty());
        let is = |kind: &str| content.iter().filter(|block| block.get(kind).is_some()).count();
        assert!(is("document") == 0 || is("text") > 0, "a document has a text beside it");
        let last_result = content.iter().rposition(|block| block.get("toolResult").is_some());
        for (place, block) in content.iter().enumerate() {
            assert_eq!(block.as_object().unwrap().len(), 1, "one kind");
            if let Some(text) = block["text"].as_str() {
                assert!(!text.trim().is_empty() && last_result.is_none_or(|last| place > last));
            }
            if let Some(result) = block.get("toolResult") {
                has_tools = true;
                let id = result["toolUseId"].as_str().unwrap();
                let call = open.iter().position(|call| *call == id).expect("a call for every result");
                open.remove(call);
                assert!(!result["content"].as_array().unwrap().is_empty());
            }
        }
        assert!(open.is_empty(), "a result for every call");
        for call in content.iter().filter_map(|block| block.get("toolUse")) {
            has_tools = true;
            open.push(call["toolUseId"].as_str().unwrap());
            assert!(call["input"].is_object() && is_name(&call["name"]) && is_name(&call["toolUseId"]));
        }
    }
    let tools = body["toolConfig"]["tools"].as_array();
    assert!(tools.is_some_and(|tools| !tools.is_empty()) || !has_tools && tools.is_none());
    for spec in tools.into_iter().flatten().filter_map(|tool| tool.get("toolSpec")) {
        assert!(is_name(&spec["name"]) && spec["inputSchema"]["json"]["type"] == "object");
        assert!(spec["description"].as_str().is_none_or(|text| !text.is_empty()));
    }
    assert!(body.to_string().matches(r#"{"cachePoint":"#).count() <= 4);
    let within = |value: &Value| value.as_f64().is_none_or(|value| (0.0..=1.0).contains(&value));
    assert!(within(&body["inferenceConfig"]["temperature"]) && within(&body["inferenceConfig"]["topP"]));
}

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|name| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    })
}

#[test]
fn an_answer_that_no_caller_can_see_has_an_error_in_it() {
    let event = br#"{"throttlingException":{"message":"x"}}"#;
    let mut reader = crate::bridge::StreamReader::new(BedrockConverse, &context(BedrockConverse));
    let mut read = Vec::new();
    reader.push(None, event, &mut read);
    assert!(matches!(&read[..], [Event::Error(error)] if error.status == 429));
}
