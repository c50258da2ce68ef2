//! Readers take anything: they never panic, and what they make of it is no larger than a multiple of it.

use std::fmt::Debug;

use dialects::Dialect;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use super::answer_losses::coalesced;
use super::answers::any_answer;
use super::bodies::{changed, changes};
use super::formats::{ALL, TARGETS, context, write, write_answer, write_stream};
use super::request_losses::without_refused;
use super::requests::{json_value, request, text};
use super::{cases, formats};
use crate::bridge::{StreamReader, read_request, read_response};
use crate::caller::Caller;
use crate::form::Event;
use crate::json::Object;

/// What is read may take so many times the bytes that came (as `Debug` tells it, which is longer than what is kept):
/// an empty object may be a call, with an id of its own and all that belongs to it.
const FACTOR: usize = 64;
/// What an answer has even if nothing is said.
const LEAST: usize = 1_024;

fn bounded(read: &impl Debug, came: usize) -> Result<(), TestCaseError> {
    let size = format!("{read:?}").len();
    prop_assert!(size <= LEAST + FACTOR * came, "{} bytes of {}", size, came);
    Ok(())
}

/// A stream of any events keeps the order rules, too.
fn read_events<'a>(
    dialect: Dialect,
    events: impl IntoIterator<Item = (Option<&'a str>, &'a [u8])>,
) -> Result<(), TestCaseError> {
    let mut reader = StreamReader::new(dialect, &context(dialect));
    let mut read: Vec<Event> = Vec::new();
    let mut came = 0;
    for (name, data) in events {
        came += data.len() + name.map_or(0, str::len);
        reader.push(name, data, &mut read);
        bounded(&read, came)?;
        // What is held back is bounded as well.
        bounded(&reader, came)?;
    }
    reader.finish(&mut read);
    bounded(&read, came)?;
    coalesced(read);
    Ok(())
}

fn read_all(body: &[u8]) -> Result<(), TestCaseError> {
    for format in TARGETS {
        if let Some(object) = Object::parse(body)
            && let Some(Ok(request)) = Caller::of(format).map(|caller| read_request(caller, &object))
        {
            bounded(&request, body.len())?;
            for format in TARGETS {
                // Writers must not panic either, whatever there is to write.
                let _ = crate::bridge::write_request(&request, &formats::target(format));
            }
        }
        if let Some(events) = read_response(format, body, &context(format)) {
            bounded(&events, body.len())?;
            for format in ALL {
                write_stream(format, &events, context(format));
            }
            coalesced(events);
        }
        read_events(format, [(None, body)])?;
    }
    Ok(())
}

/// Gemini names its sources by number, so that a long one could be told any number of times.
#[test]
fn a_source_that_is_named_often() {
    let numbers = vec!["0"; 20_000].join(",");
    let grounding = format!(
        r#"{{"groundingChunks":[{{"web":{{"uri":"{}"}}}}],"groundingSupports":[{{"groundingChunkIndices":[{numbers}]}}]}}"#,
        "u".repeat(20_000)
    );
    let body = format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"text":"a"}}]}},"groundingMetadata":{grounding}}}]}}"#
    );
    read_all(body.as_bytes()).unwrap();
}

/// Fields of any of the formats with anything in them.
fn known_fields() -> impl Strategy<Value = String> {
    const FIELDS: [&str; 50] = [
        "type",
        "messages",
        "content",
        "role",
        "choices",
        "delta",
        "message",
        "tool_calls",
        "function",
        "arguments",
        "index",
        "id",
        "input",
        "output",
        "item",
        "item_id",
        "output_index",
        "content_index",
        "response",
        "part",
        "text",
        "thinking",
        "signature",
        "candidates",
        "parts",
        "contents",
        "functionCall",
        "functionResponse",
        "args",
        "thoughtSignature",
        "thought",
        "name",
        "usage",
        "usageMetadata",
        "error",
        "finish_reason",
        "stop_reason",
        "reasoning_details",
        "encrypted_content",
        "tools",
        "contentBlockDelta",
        "contentBlockStart",
        "contentBlockIndex",
        "start",
        "toolUse",
        "toolUseId",
        "reasoningContent",
        "messageStop",
        "metadata",
        "throttlingException",
    ];
    const WORDS: [&str; 24] = [
        "text",
        "message",
        "function_call",
        "tool_use",
        "tool_result",
        "thinking",
        "reasoning",
        "user",
        "assistant",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "input_json_delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
        "response.completed",
        "refusal",
        "function",
        "custom",
        "image_url",
        "error",
    ];
    let word = proptest::sample::select(&WORDS[..]).prop_map(|word| format!("\"{word}\""));
    let leaf = prop_oneof![word, json_value()];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let field = (proptest::sample::select(&FIELDS[..]), inner.clone());
        let object = vec(field, 0..6).prop_map(|fields| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        });
        prop_oneof![3 => object, 1 => vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(",")))]
    })
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        read_all(&bytes)?;
    }

    #[test]
    fn any_json(json in json_value()) {
        read_all(json.as_bytes())?;
    }

    #[test]
    fn any_json_of_known_fields(json in known_fields()) {
        read_all(json.as_bytes())?;
    }

    #[test]
    fn any_events(events in vec(known_fields(), 0..12), name in text()) {
        for format in TARGETS {
            read_events(format, events.iter().map(|event| (Some(name.as_str()), event.as_bytes())))?;
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_request_that_is_almost_right(request in request(), changes in changes()) {
        for format in TARGETS {
            let mut request = request.clone();
            without_refused(format, &mut request);
            read_all(changed(&write(format, &request), &changes).as_bytes())?;
        }
    }

    #[test]
    fn an_answer_that_is_almost_right(events in any_answer(), changes in changes()) {
        for format in TARGETS {
            read_all(changed(&write_answer(format, &events), &changes).as_bytes())?;
        }
    }

    #[test]
    fn a_stream_that_is_almost_right(events in any_answer(), changes in vec(proptest::option::weighted(0.3, changes()), 1..12)) {
        for format in TARGETS {
            let stream = write_stream(format, &events, context(format));
            let stream = String::from_utf8(stream).unwrap();
            let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
            let events: Vec<String> = lines
                .zip(changes.iter().cycle())
                .map(|(data, change)| change.as_ref().map_or_else(|| data.to_owned(), |change| changed(data, change)))
                .collect();
            read_events(format, events.iter().map(|data| (None, data.as_bytes())))?;
        }
    }
}
