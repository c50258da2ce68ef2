//! Answers: what is read of them, and what is written.

use super::{context, delta, finish};
use crate::form::{Block, Citation, Event, FinishReason, StreamError, TokenUsage};
use crate::responses::{StreamReader, StreamWriter, read_response, write_response};

fn call(id: &str, name: &str, custom: bool) -> Event {
    Event::Open(Block::ToolCall { id: id.to_owned(), name: name.to_owned(), namespace: None, custom })
}

/// The events of a stream's text.
fn stream(events: &[&str]) -> Vec<Event> {
    let mut reader = StreamReader::new(&context());
    let mut out = Vec::new();
    for event in events {
        reader.push(None, event.as_bytes(), &mut out);
    }
    reader.finish(&mut out);
    out
}

fn sse(events: &[Event]) -> String {
    let mut writer = StreamWriter::new(context());
    let mut out = Vec::new();
    for event in events {
        writer.push(event, &mut out);
    }
    writer.finish(&mut out);
    String::from_utf8(out).unwrap()
}

/// The data of each event.
fn data(sse: &str) -> Vec<serde_json::Value> {
    let lines = sse.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn kinds(sse: &str) -> Vec<String> {
    data(sse)
        .iter()
        .map(|event| event["type"].as_str().unwrap().trim_start_matches("response.").to_owned())
        .collect()
}

#[test]
fn a_stream_is_numbered_and_repeats_its_items() {
    let citation = Citation { url: "http://a".to_owned(), title: None, cited_text: None, span: None };
    let events = [
        Event::Start { id: Some("msg_01".to_owned()), model: Some("claude".to_owned()), created: None },
        Event::Open(Block::Text),
        Event::Close,
        Event::Open(Block::Text),
        delta("hé"),
        Event::Citation(citation),
        Event::Close,
        call("toolu_1", "f", false),
        Event::Close,
        call("toolu_2", "patch", true),
        delta("raw"),
        Event::Close,
        finish(FinishReason::ToolCalls),
        Event::Usage(TokenUsage { input: Some(5), output: Some(7), ..TokenUsage::default() }),
    ];
    let sse = sse(&events);
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds(&sse), expected);
    let data = data(&sse);
    assert!((0..).zip(&data).all(|(number, event)| event["sequence_number"] == number));
    let response = &data.last().unwrap()["response"];
    let done: Vec<_> = data.iter().filter(|event| event["type"] == "response.output_item.done").collect();
    assert!((0..).zip(&done).all(|(index, event)| event["output_index"] == index));
    let items: Vec<_> = done.iter().map(|event| event["item"].clone()).collect();
    assert_eq!(response["output"].as_array().unwrap(), &items);
    assert_eq!((&response["id"], &response["usage"]["total_tokens"]), (&"resp_msg_01".into(), &12.into()));
    assert_eq!(items[0]["content"][0]["annotations"][0]["end_index"], 2);
    assert_eq!((&items[1]["arguments"], &items[2]["input"]), (&"{}".into(), &"raw".into()));
    // A stream folded up is the plain response.
    let plain: serde_json::Value = serde_json::from_str(&write_response(&events, &context())).unwrap();
    assert_eq!(response, &plain);
}

#[test]
fn an_answer_ends_as_it_did() {
    let end = |last: &[Event]| {
        let mut events = vec![Event::Open(Block::Text), delta("x"), Event::Close];
        events.extend_from_slice(last);
        let data = data(&sse(&events));
        let last = data.last().unwrap();
        let response = &last["response"];
        (
            last["type"].as_str().unwrap().to_owned(),
            response["incomplete_details"]["reason"].as_str().map(ToOwned::to_owned),
            response["error"]["code"].as_str().map(ToOwned::to_owned),
        )
    };
    let some = |word: &str| Some(word.to_owned());
    assert_eq!(end(&[finish(FinishReason::StopSequence)]), ("response.completed".to_owned(), None, None));
    let incomplete = |reason| ("response.incomplete".to_owned(), some(reason), None);
    assert_eq!(end(&[finish(FinishReason::ContextFull)]), incomplete("max_output_tokens"));
    assert_eq!(end(&[finish(FinishReason::Filtered)]), incomplete("content_filter"));
    let refusal = [Event::Open(Block::Refusal), delta("no"), Event::Close, finish(FinishReason::Filtered)];
    assert_eq!(end(&refusal), ("response.completed".to_owned(), None, None));
    let failed = |code| ("response.failed".to_owned(), None, some(code));
    assert_eq!(end(&[finish(FinishReason::Malformed)]), failed("server_error"));
    assert_eq!(end(&[]), failed("server_error"));
    let error = StreamError { status: 529, error_type: None, code: None, message: "Overloaded".to_owned() };
    assert_eq!(end(&[Event::Error(error), finish(FinishReason::Stop)]), failed("server_is_overloaded"));
}

#[test]
fn servers_that_send_only_what_is_done_are_read() {
    let item = r#"{"type":"message","id":"m","content":[{"type":"output_text","text":"hello","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":5}]}]}"#;
    let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
    let completed = r#"{"type":"response.completed","response":{"id":"r","output":[],"status":"completed"}}"#;
    let whole = format!(
        r#"{{"type":"response.completed","response":{{"id":"r","status":"completed","output":[{item}]}}}}"#
    );
    let delta = r#"{"type":"response.output_text.delta","item_id":"m","delta":"hel"}"#;
    let text = |events: &[Event]| {
        let deltas = events
            .iter()
            .filter_map(|event| if let Event::Delta(text) = event { Some(text.as_str()) } else { None });
        let cited = events.iter().filter(|event| matches!(event, Event::Citation(_))).count();
        (deltas.collect::<String>(), cited, events.last() == Some(&finish(FinishReason::Stop)))
    };
    let expected = ("hello".to_owned(), 1, true);
    assert_eq!(text(&stream(&[&done, completed, "[DONE]"])), expected);
    assert_eq!(text(&stream(&[&whole])), expected);
    assert_eq!(text(&stream(&[delta, &done, completed])), expected);
    assert_eq!(text(&stream(&[delta, &whole, &done])), expected);
}

#[test]
fn interleaved_items_come_one_after_the_other() {
    let added = |index: u64| {
        format!(
            r#"{{"type":"response.output_item.added","output_index":{index},"item":{{"type":"function_call","call_id":"c{index}","name":"f","arguments":""}}}}"#
        )
    };
    let piece = |index: u64, text: &str| {
        format!(
            r#"{{"type":"response.function_call_arguments.delta","output_index":{index},"delta":"{text}"}}"#
        )
    };
    let done = |index: u64, text: &str| {
        format!(
            r#"{{"type":"response.output_item.done","output_index":{index},"item":{{"type":"function_call","call_id":"c{index}","name":"f","arguments":"{text}"}}}}"#
        )
    };
    let search = r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"web_search_call","id":"ws"}}"#;
    let end = r#"{"type":"response.completed","response":{"output":[]}}"#;
    let (a0, a1, p0, p1, q0) = (added(0), added(1), piece(0, "a"), piece(1, "b"), piece(0, "A"));
    let events = stream(&[&a0, &a1, &p0, &p1, search, &q0, &done(1, "bB"), &done(0, "aA"), end]);
    let expected = [
        call("c0", "f", false),
        delta("a"),
        delta("A"),
        Event::Close,
        call("c1", "f", false),
        delta("b"),
        delta("B"),
        Event::Close,
    ];
    assert_eq!(events[1..9], expected);
    assert_eq!(events.last(), Some(&finish(FinishReason::ToolCalls)));
}

#[test]
fn texts_do_not_wait_for_what_is_told_to_be_done_at_the_end() {
    let mut reader = StreamReader::new(&context());
    let mut out = Vec::new();
    let mut push = |event: &str| {
        out.clear();
        reader.push(None, event.as_bytes(), &mut out);
        out.clone()
    };
    push(r#"{"type":"response.created","response":{"id":"resp_1"}}"#);
    push(r#"{"type":"response.output_item.added","item":{"type":"reasoning","id":"rs"}}"#);
    push(r#"{"type":"response.reasoning_text.delta","item_id":"rs","delta":"hm"}"#);
    assert!(push(r#"{"type":"response.output_item.added","item":{"type":"message","id":"m"}}"#).is_empty());
    let text = push(r#"{"type":"response.output_text.delta","item_id":"m","delta":"yes"}"#);
    assert!(matches!(text.as_slice(), [Event::Opaque(_), Event::Close, _, _]), "{text:?}");
    assert_eq!(text[2..], [Event::Open(Block::Text), delta("yes")]);
    let late = r#"{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs","content":[{"type":"reasoning_text","text":"hm"}]}}"#;
    assert!(push(late).is_empty());
    let message = r#"{"type":"response.output_item.done","item":{"type":"message","id":"m","content":[{"type":"output_text","text":"yes!"}]}}"#;
    assert_eq!(push(message), [delta("!"), Event::Close]);
    let end = push(r#"{"type":"response.completed","response":{"output":[]}}"#);
    assert_eq!(end, [finish(FinishReason::Stop)]);
}

#[test]
fn a_failure_ends_the_answer() {
    let error = r#"{"type":"error","code":"rate_limit_exceeded","message":"slowly","sequence_number":3}"#;
    let failed =
        r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"late"}}}"#;
    let events = stream(&[error, failed]);
    let [Event::Error(told)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((told.status, told.message.as_str()), (429, "slowly"));
    let plain = read_response(
        br#"{"status":"failed","error":{"code":"server_error","message":"x"},"output":[]}"#,
        &context(),
    );
    assert!(matches!(plain.unwrap().last(), Some(Event::Error(_))));
    assert!(read_response(b"{}", &context()).is_none() && read_response(b"<html>", &context()).is_none());
}

#[test]
fn a_stream_says_what_the_plain_response_says() {
    let item = |kind: &str, rest: &str| format!(r#"{{"type":"{kind}","id":"i",{rest}}}"#);
    let items = [
        item(
            "reasoning",
            r#""summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gA""#,
        ),
        item(
            "message",
            r#""content":[{"type":"refusal","refusal":"no"},{"type":"output_text","text":"yes"}]"#,
        ),
        item("custom_tool_call", r#""call_id":"c","name":"n","input":"x""#),
        item("image_generation_call", r#""result":"aGk=","output_format":"webp""#),
    ];
    let response = format!(
        r#"{{"id":"r","object":"response","status":"incomplete","incomplete_details":{{"reason":"max_output_tokens"}},"output":[{}],"usage":{{"input_tokens":3,"output_tokens":4}}}}"#,
        items.join(",")
    );
    let plain = read_response(response.as_bytes(), &context()).unwrap();
    let ended = format!(r#"{{"type":"response.incomplete","response":{response}}}"#);
    assert_eq!(stream(&[&ended]), plain);
    assert!(
        plain.contains(&delta("a\n\nb"))
            && plain.contains(&Event::Open(Block::Media { media_type: "image/webp".to_owned() }))
    );
    assert_eq!(plain.last(), Some(&finish(FinishReason::Length)));
}
