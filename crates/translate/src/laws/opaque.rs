//! Opaque reasoning goes through a client of any other format and comes back to just the model that made it (T5).

use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};
use proptest::option;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::cases;
use super::formats::{ALL, TARGETS, context, read, target, write};
use super::requests::{json_object, name, text};
use crate::bridge::{write_request, write_response};
use crate::caller::Caller;
use crate::form::{Block, Event, Finish, FinishReason, Opaque, OpaqueKind, PartKind, Request};
use crate::target::Target;

/// Reasoning ahead of a call, with what its maker wants back. The words are such as nothing else has.
fn reasoning(maker: Dialect) -> impl Strategy<Value = (String, Opaque)> {
    (option::of(text()), name(), option::of(name())).prop_map(move |(text, data, id)| {
        let opaque = |kind, data, id| Opaque { kind, data, id, owner: None };
        let data = format!("secret{data}");
        let text = text.map(|text| format!("musing{text}")).unwrap_or_default();
        match maker {
            OpenAiChat => (format!("musing{text}"), opaque(OpaqueKind::PlainText, String::new(), None)),
            OpenAiResponses => (text, opaque(OpaqueKind::Encrypted, data, id.map(|id| format!("rs_{id}")))),
            Anthropic | BedrockConverse if text.is_empty() => {
                (text, opaque(OpaqueKind::Redacted, data, None))
            }
            Anthropic | BedrockConverse => (text, opaque(OpaqueKind::Signature, data, None)),
            Gemini => {
                (String::new(), opaque(OpaqueKind::ThoughtSignature, format!("call call_1 {data}"), None))
            }
        }
    })
}

fn answer_events(text: &str, opaque: &Opaque, tool: &str, arguments: &str) -> Vec<Event> {
    let call =
        Block::ToolCall { id: "call_1".to_owned(), name: tool.to_owned(), namespace: None, custom: false };
    let mut events = vec![
        Event::Start { id: Some("resp_1".to_owned()), model: None, created: None },
        Event::Open(Block::Reasoning),
    ];
    events.extend((!text.is_empty()).then(|| Event::Delta(text.to_owned())));
    events.extend([
        Event::Opaque(opaque.clone()),
        Event::Close,
        Event::Open(call),
        Event::Delta(arguments.to_owned()),
        Event::Close,
        Event::Finish(Finish::new(FinishReason::ToolCalls)),
    ]);
    events
}

/// What a client sends next: the answer as it got it, and the tool's result.
fn next_request(client: Dialect, answer: &Value, tool: &str) -> Value {
    match client {
        OpenAiChat => json!({"messages": [
            {"role": "user", "content": "hi"},
            answer["choices"][0]["message"],
            {"role": "tool", "tool_call_id": "call_1", "content": "done"}]}),
        OpenAiResponses => {
            let mut input = vec![json!({"role": "user", "content": "hi"})];
            input.extend(answer["output"].as_array().unwrap().iter().cloned());
            input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "done"}));
            json!({ "input": input })
        }
        Anthropic => json!({"messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "done"}]}]}),
        Gemini => json!({"contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            answer["candidates"][0]["content"],
            {"role": "user", "parts": [
                {"functionResponse": {"id": "call_1", "name": tool, "response": {"output": "done"}}}]}]}),
        BedrockConverse => panic!("no caller has it"),
    }
}

/// The reasoning in a request.
fn reasoning_in(request: &Request) -> Vec<(String, Option<Opaque>)> {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    parts
        .filter_map(|part| match &part.kind {
            PartKind::Reasoning { text, opaque } => Some((text.clone(), opaque.clone())),
            _ => None,
        })
        .collect()
}

fn comes_back(
    maker: Dialect,
    client: Dialect,
    (text, opaque): &(String, Opaque),
    (tool, arguments): (&str, &str),
) -> Result<(), proptest::test_runner::TestCaseError> {
    let writer = Caller::of(client).unwrap();
    let answered = write_response(writer, &answer_events(text, opaque, tool, arguments), &context(maker));
    let shown: Value = serde_json::from_str(&answered).unwrap();
    prop_assert!(opaque.data.is_empty() || !answered.contains(&opaque.data), "{answered}");
    let returned = read(client, &next_request(client, &shown, tool).to_string());
    let restored = write(maker, &returned);
    if maker == BedrockConverse {
        let sent: Value = serde_json::from_str(&restored).unwrap();
        let expected = match opaque.kind {
            OpaqueKind::Redacted => json!({"reasoningContent": {"redactedContent": opaque.data}}),
            _ => json!({"reasoningContent": {"reasoningText": {"text": text, "signature": opaque.data}}}),
        };
        prop_assert_eq!(&sent["messages"][1]["content"][0], &expected, "by {:?}: {}", client, restored);
    }
    let again = Caller::of(maker).map(|_| reasoning_in(&read(maker, &restored)));
    // The chat format has no opaque values: the text is all that is wanted back.
    let expected = if maker == OpenAiChat { None } else { Some(opaque.clone()) };
    if let Some(again) = again {
        prop_assert_eq!(again, [(text.clone(), expected)], "{:?} by {:?}: {}", maker, client, restored);
    }
    // Another model, and the same model at another provider.
    let same = target(maker);
    for other in [Target { model: "any-other", ..same }, Target { provider: "q", ..same }] {
        for dialect in TARGETS {
            let body = write_request(&returned, &Target { dialect, ..other }).unwrap().body;
            prop_assert!(!body.contains("secret") && !body.contains("musing"), "{:?}: {}", dialect, body);
            prop_assert!(!body.contains(crate::envelope::PREFIX), "{:?}: {}", dialect, body);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn reasoning_comes_back_to_its_maker(
        chat in reasoning(OpenAiChat),
        responses in reasoning(OpenAiResponses),
        messages in reasoning(Anthropic),
        gemini in reasoning(Gemini),
        converse in reasoning(BedrockConverse),
        tool in name(),
        arguments in json_object(),
    ) {
        let made = [
            (OpenAiChat, &chat),
            (OpenAiResponses, &responses),
            (Anthropic, &messages),
            (Gemini, &gemini),
            (BedrockConverse, &converse),
        ];
        for (maker, reasoning) in made {
            for client in ALL.into_iter().filter(|client| *client != maker) {
                comes_back(maker, client, reasoning, (&tool, &arguments))?;
            }
        }
    }
}
