//! The format against tables of its own: what is read, and what is written of it.

use dialects::Dialect;

use super::{StreamReader, StreamWriter, read_request, read_response, write_request, write_response};
use crate::form::{
    Block, Citation, Effort, Event, Finish, FinishReason, Opaque, OpaqueKind, Owner, PartKind, Reasoning,
    Request, Role, StreamError, TokenUsage,
};
use crate::json::Object;
use crate::names::ToolNames;
use crate::target::{AnswerContext, Target, Written};

fn owner() -> Owner {
    Owner { provider: "openai".to_owned(), model: "gpt-5.5".to_owned() }
}

fn context() -> AnswerContext {
    AnswerContext {
        owner: owner(),
        names: ToolNames::default(),
        include_usage: false,
        show_reasoning: false,
        json_array: false,
        created: 7,
        request_id: "req_1".to_owned(),
        echo: String::new(),
    }
}

fn request(json: &str) -> Request {
    read_request(&Object::parse(json.as_bytes()).unwrap()).unwrap()
}

fn target(model: &'static str) -> Target<'static> {
    Target { dialect: Dialect::OpenAiResponses, provider: "openai", model, is_official: true }
}

fn written(json: &str, model: &'static str) -> Written {
    write_request(&request(json), &target(model)).unwrap()
}

fn refused(json: &str, model: &'static str) -> Vec<String> {
    write_request(&request(json), &target(model)).unwrap_err().iter().map(ToString::to_string).collect()
}

fn delta(text: &str) -> Event {
    Event::Delta(text.to_owned())
}

fn call(id: &str, name: &str, custom: bool) -> Event {
    Event::Open(Block::ToolCall { id: id.to_owned(), name: name.to_owned(), namespace: None, custom })
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish(Finish::new(reason))
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
fn items_become_turns() {
    let request = request(
        r#"{"instructions":"Be brief.","input":[
            {"type":"message","role":"developer","content":[{"type":"input_text","text":"Rules"}]},
            {"role":"user","content":"Hi"},
            {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAA"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Let me see","annotations":[]}]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\": 1}"},
            {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** x"},
            {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"ok"},{"type":"input_image","image_url":"data:image/png;base64,aGk="}]},
            {"type":"custom_tool_call_output","call_id":"c2","output":"done"},
            {"role":"system","content":"Hurry"},
            {"type":"web_search_call","id":"ws_1","status":"completed"}]}"#,
    );
    assert_eq!(request.system.len(), 2);
    let shape: Vec<(Role, usize)> = request.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let expected =
        [(Role::User, 1), (Role::Assistant, 4), (Role::User, 2), (Role::System, 1), (Role::Assistant, 1)];
    assert_eq!(shape, expected);
    let PartKind::Reasoning { text, opaque: Some(opaque) } = &request.turns[1].parts[0].kind else {
        panic!()
    };
    assert_eq!((text.as_str(), opaque.id.as_deref(), &opaque.owner), ("a\n\nb", Some("rs_1"), &None));
    assert!(matches!(&request.turns[4].parts[0].kind, PartKind::Foreign(kind) if kind == "web_search_call"));
}

#[test]
fn the_own_format_keeps_what_the_form_can_say() {
    let body = r#"{"model":"gpt-5.5","instructions":"Be brief.","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","detail":"high","image_url":"https://x/y.png"},{"type":"input_file","filename":"r.pdf","file_data":"data:application/pdf;base64,aGk="}]},{"type":"message","role":"assistant","content":"b"},{"type":"function_call","call_id":"c1","name":"f","namespace":"ns","arguments":"{\"a\": 1}"},{"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** x"},{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"ok"},{"type":"input_image","detail":"auto","image_url":"data:image/png;base64,aGk="}]},{"type":"custom_tool_call_output","call_id":"c2","output":"done"},{"type":"message","role":"developer","content":"Hurry"}],"tools":[{"type":"namespace","name":"ns","description":"ns","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object", "properties":{}},"strict":false}]},{"type":"custom","name":"patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}}],"tool_choice":{"type":"custom","name":"patch"},"parallel_tool_calls":false,"max_output_tokens":99,"reasoning":{"effort":"high","summary":"auto"},"text":{"format":{"type":"json_object"},"verbosity":"low"},"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","user":"u","metadata":{"a":"b"},"service_tier":"flex","store":false,"stream":true}"#;
    let written = written(body, "gpt-5.5");
    assert_eq!(written.body, body);
    assert_eq!(written.dropped, ["tools.description"]);
}

#[test]
fn reasoning_goes_back_to_its_maker_alone() {
    let events = [
        Event::Start { id: None, model: None, created: None },
        Event::Open(Block::Reasoning),
        delta("thought"),
        Event::Opaque(Opaque {
            kind: OpaqueKind::Encrypted,
            data: "gAAA".to_owned(),
            id: Some("rs_9".to_owned()),
            owner: None,
        }),
        Event::Close,
        finish(FinishReason::Stop),
    ];
    let answer: serde_json::Value = serde_json::from_str(&write_response(&events, &context())).unwrap();
    let body =
        serde_json::json!({"input": [answer["output"][0], {"role": "user", "content": "on"}]}).to_string();
    let own = written(&body, "gpt-5.5").body;
    let item = r#"{"type":"reasoning","id":"rs_9","summary":[{"type":"summary_text","text":"thought"}],"encrypted_content":"gAAA"}"#;
    assert!(own.contains(item), "{own}");
    let others = written(&body, "gpt-5.4").body;
    assert!(!others.contains("thought") && !others.contains("gAAA"), "{others}");
}

#[test]
fn what_cannot_be_carried_is_refused_or_named() {
    assert_eq!(
        refused(r#"{"input":"x","stop":["END"]}"#, "gpt-4o"),
        ["`stop` has no counterpart in OpenAI Responses"]
    );
    let stored = r#"{"input":[{"type":"item_reference","id":"msg_1"}],"previous_response_id":"resp_1","background":true}"#;
    assert_eq!(refused(stored, "gpt-4o").len(), 3);
    let hosted = r#"{"input":"x","tools":[{"type":"web_search"}]}"#;
    assert_eq!(refused(hosted, "gpt-4o"), ["`tools.web_search` has no counterpart in OpenAI Responses"]);
    let beside = r#"{"input":"x","seed":3,"temperature":0.2,"truncation":"auto","max_output_tokens":1,"tools":[{"type":"web_search"},{"type":"function","name":"f"}]}"#;
    let named = ["truncation", "tools.web_search", "max_tokens", "temperature", "seed"];
    assert_eq!(written(beside, "o3").dropped, named);
    let blind = r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x"}]}]}"#;
    assert_eq!(refused(blind, "o3-mini"), ["`image` cannot be seen by o3-mini"]);
}

#[test]
fn a_model_gets_the_nearest_effort_that_it_takes() {
    let effort = |model, effort: Effort| {
        let reasoning = Reasoning { effort: Some(effort), ..Reasoning::default() };
        let written =
            write_request(&Request { reasoning, ..request(r#"{"input":"x"}"#) }, &target(model)).unwrap();
        let body: serde_json::Value = serde_json::from_str(&written.body).unwrap();
        (body["reasoning"]["effort"].as_str().map(ToOwned::to_owned), written.dropped.len())
    };
    let some = |word: &str| Some(word.to_owned());
    assert_eq!(effort("gpt-5", Effort::None), (some("minimal"), 1));
    assert_eq!(effort("gpt-5.5", Effort::Minimal), (some("low"), 1));
    assert_eq!(effort("gpt-5.5-2026-04-23", Effort::Xhigh), (some("xhigh"), 0));
    assert_eq!(effort("gpt-5-pro", Effort::Low), (some("high"), 1));
    assert_eq!(effort("gpt-4o-mini", Effort::Low), (None, 1));
    assert_eq!(effort("somebody/new", Effort::Max), (some("max"), 0));
}

#[test]
fn a_strict_schema_must_be_one() {
    let tool = r#"{"input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":true}]}"#;
    let written = written(tool, "gpt-4o");
    assert!(written.body.contains(r#""strict":false"#));
    assert_eq!(written.dropped, ["strict"]);
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
    assert_eq!(events[..8], expected);
    assert_eq!(events.last(), Some(&finish(FinishReason::ToolCalls)));
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
