//! What is written is valid JSON or well-formed SSE, and keeps the order rules of its format.

use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};
use proptest::prelude::{any, proptest};
use proptest::sample::Index;
use serde_json::Value;

use super::answers::any_answer;
use super::cases;
use super::formats::{ALL, TARGETS, context, write, write_answer, write_stream};
use super::request_losses::without_refused;
use super::requests::request;
use crate::form::{Event, Finish, FinishReason, StreamError};
use crate::target::AnswerContext;

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn what_is_written_is_json(request in request(), answer in any_answer()) {
        for format in TARGETS {
            let mut request = request.clone();
            without_refused(format, &mut request);
            for json in [write(format, &request), write_answer(format, &answer)] {
                serde_json::from_str::<Value>(&json).expect(&json);
            }
        }
        let array = write_stream(Gemini, &answer, AnswerContext { json_array: true, ..context(Gemini) });
        serde_json::from_slice::<Vec<Value>>(&array).unwrap();
    }

    #[test]
    fn a_stream_keeps_the_order_of_its_format(answer in any_answer()) {
        for format in ALL {
            let events = frames(&write_stream(format, &answer, context(format)));
            match format {
                OpenAiChat => chat(&events),
                OpenAiResponses => responses(&events),
                Anthropic => messages(&events),
                Gemini => gemini(&events),
                BedrockConverse => panic!("no caller has it"),
            }
        }
    }

    #[test]
    fn nothing_follows_an_error(answer in any_answer(), at in any::<Index>(), malformed in any::<bool>()) {
        let mut events: Vec<Event> = answer;
        // Behind the start, ahead of the finish.
        events.truncate(1 + at.index(events.len() - 1));
        events.push(match malformed {
            true => Event::Finish(Finish::new(FinishReason::Malformed)),
            false => Event::Error(StreamError {
                status: 529,
                error_type: Some("overloaded_error".to_owned()),
                code: None,
                message: "Overloaded".to_owned(),
            }),
        });
        for format in ALL {
            if malformed && format == Gemini {
                // Gemini has a word for it.
                continue;
            }
            // Nothing that comes late is written either.
            let late = [Event::Delta("late".to_owned()), Event::Finish(Finish::new(FinishReason::Stop))];
            let all = [events.as_slice(), &late].concat();
            failed(format, &frames(&write_stream(format, &all, context(format))));
        }
    }
}

/// Names and data of the events. Each is one line of each, as all decoders take it.
fn frames(stream: &[u8]) -> Vec<(Option<String>, Value)> {
    let text = std::str::from_utf8(stream).unwrap().replace("\r\n", "\n");
    assert!(text.ends_with("\n\n"), "the last event has no end");
    let frames = text.trim_end_matches('\n').split("\n\n");
    frames
        .map(|frame| {
            let lines: Vec<&str> = frame.split('\n').collect();
            let (name, data) = match lines.as_slice() {
                [data] => (None, data),
                [name, data] => (Some(name.strip_prefix("event: ").unwrap().to_owned()), data),
                _ => panic!("{frame:?}"),
            };
            let data = data.strip_prefix("data: ").unwrap();
            let end = Value::String(data.to_owned());
            (name, if data == "[DONE]" { end } else { serde_json::from_str(data).expect(data) })
        })
        .collect()
}

fn chat(events: &[(Option<String>, Value)]) {
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done.1, "[DONE]");
    let id = &chunks[0].1["id"];
    let (mut finishes, mut calls, mut usages) = (0, 0, 0);
    for (at, (name, chunk)) in chunks.iter().enumerate() {
        assert!(name.is_none() && chunk["id"] == *id && chunk["object"] == "chat.completion.chunk");
        usages += usize::from(chunk["usage"].is_object());
        let Some(choice) = chunk["choices"].get(0) else { continue };
        let delta = &choice["delta"];
        assert_eq!(delta.get("role").is_some(), at == 0, "the role is said once, at the beginning");
        assert!(finishes == 0, "content behind the finish");
        finishes += usize::from(choice["finish_reason"].is_string());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().unwrap();
            let begins = call.get("id").is_some();
            assert_eq!(begins, call.get("type").is_some());
            assert_eq!(index, if begins { calls } else { calls - 1 }, "calls come one after the other");
            calls += u64::from(begins);
        }
    }
    assert_eq!((finishes, usages), (1, 1));
    assert!(chunks.last().unwrap().1["usage"].is_object(), "the usage comes last");
}

fn responses(events: &[(Option<String>, Value)]) {
    let mut open: Option<(u64, Value)> = None;
    let mut done = Vec::new();
    for (at, (name, event)) in events.iter().enumerate() {
        let kind = event["type"].as_str().unwrap();
        assert_eq!((name.as_deref(), event["sequence_number"].as_u64()), (Some(kind), Some(at as u64)));
        match kind {
            "response.created" => assert_eq!(at, 0),
            "response.in_progress" => assert_eq!(at, 1),
            "response.output_item.added" => {
                assert!(open.is_none(), "an item within another");
                assert_eq!(event["output_index"], done.len() as u64);
                open = Some((done.len() as u64, event["item"]["id"].clone()));
            }
            "response.output_item.done" => {
                assert_eq!(Some((done.len() as u64, event["item"]["id"].clone())), open.take());
                done.push(event["item"].clone());
            }
            "response.completed" | "response.incomplete" => {
                assert_eq!(at, events.len() - 1, "the end comes last");
                assert_eq!(event["response"]["output"], Value::Array(done.clone()));
                assert!(event["response"]["usage"].is_object());
            }
            _ => {
                let (index, id) = open.as_ref().expect(kind);
                assert_eq!((&event["output_index"], &event["item_id"]), (&Value::from(*index), id));
            }
        }
    }
    let last = events.last().unwrap().1["type"].as_str().unwrap();
    assert!(open.is_none() && matches!(last, "response.completed" | "response.incomplete"), "{last}");
}

fn messages(events: &[(Option<String>, Value)]) {
    let mut open = false;
    let mut index = 0;
    for (at, (name, event)) in events.iter().enumerate() {
        let kind = event["type"].as_str().unwrap();
        assert_eq!(name.as_deref(), Some(kind));
        let left = events.len() - 1 - at;
        match kind {
            "message_start" => assert_eq!(at, 0),
            "content_block_start" => {
                assert!(!std::mem::replace(&mut open, true), "a block within another");
                assert_eq!(event["index"], index);
            }
            "content_block_delta" => assert!(open && event["index"] == index),
            "content_block_stop" => {
                assert!(std::mem::replace(&mut open, false) && event["index"] == index);
                index += 1;
            }
            "message_delta" => assert!(left == 1 && !open && event["delta"]["stop_reason"].is_string()),
            "message_stop" => assert_eq!(left, 0),
            other => panic!("{other}"),
        }
    }
    assert_eq!(events.last().unwrap().1["type"], "message_stop");
}

fn gemini(events: &[(Option<String>, Value)]) {
    for (at, (name, chunk)) in events.iter().enumerate() {
        assert!(name.is_none());
        let candidate = &chunk["candidates"][0];
        assert!(candidate["content"]["parts"].as_array().is_some_and(|parts| !parts.is_empty()));
        let is_last = at == events.len() - 1;
        assert_eq!(candidate["finishReason"].is_string(), is_last, "the reason comes once, at the end");
        assert_eq!(chunk["usageMetadata"].is_object(), is_last);
    }
}

/// The error is told last, and there is no sign of a good end.
fn failed(format: Dialect, events: &[(Option<String>, Value)]) {
    let (_, last) = events.last().unwrap();
    let says = |test: &dyn Fn(&Value) -> bool| events.iter().filter(|(_, event)| test(event)).count();
    match format {
        OpenAiChat => {
            assert!(last["error"]["message"].is_string());
            assert_eq!(
                says(&|event| event["choices"][0]["finish_reason"].is_string() || *event == "[DONE]"),
                0
            );
        }
        OpenAiResponses => {
            assert_eq!(
                (&last["type"], &last["response"]["status"]),
                (&"response.failed".into(), &"failed".into())
            );
            assert_eq!(
                says(&|event| event["type"] == "response.completed" || event["type"] == "response.incomplete"),
                0
            );
        }
        Anthropic => {
            assert_eq!(last["type"], "error");
            assert_eq!(says(&|event| event["type"] == "message_stop" || event["type"] == "message_delta"), 0);
        }
        Gemini => {
            assert!(last["error"]["code"].is_number());
            assert_eq!(says(&|event| event["candidates"][0]["finishReason"].is_string()), 0);
        }
        BedrockConverse => panic!("no caller has it"),
    }
}
