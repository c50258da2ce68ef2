//! Tests of its parent.

use super::StreamReader;
use crate::form::{Block, Event, FinishReason, Owner};
use crate::gemini::response_reader;
use crate::names::ToolNames;
use crate::target::AnswerContext;

fn context() -> AnswerContext {
    AnswerContext {
        owner: Owner { provider: "p".to_owned(), model: "m".to_owned() },
        names: ToolNames::default(),
        has_namespaces: false,
        include_usage: false,
        show_reasoning: false,
        json_array: false,
        created: 0,
        request_id: "r".to_owned(),
        echo: String::new(),
    }
}

/// Parts of one chunk each, then the end.
fn read(parts: &[&str], end: &str) -> Vec<Event> {
    let mut reader = StreamReader::new(&context());
    let mut out = Vec::new();
    for part in parts {
        let chunk = format!(
            r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}}}}],"responseId":"id"}}"#
        );
        reader.push(None, chunk.as_bytes(), &mut out);
    }
    reader.push(None, end.as_bytes(), &mut out);
    reader.finish(&mut out);
    out
}

fn summarize(events: &[Event]) -> Vec<String> {
    let summaries = events.iter().filter_map(|event| match event {
        Event::Open(Block::ToolCall { name, .. }) => Some(format!("call {name}")),
        Event::Open(block) => Some(format!("{block:?}")),
        Event::Delta(text) => Some(text.clone()),
        Event::Opaque(opaque) => Some(format!("({})", opaque.data.split(' ').next_back().unwrap())),
        Event::Citation(citation) => Some(format!("<{}>", citation.url)),
        Event::Close => Some("/".to_owned()),
        Event::Finish(finish) => Some(format!("{:?}", finish.reason)),
        Event::Error(error) => Some(format!("{} {}", error.status, error.message)),
        Event::Start { .. } | Event::Usage(_) => None,
    });
    summaries.collect()
}

#[test]
fn text_goes_on_until_another_kind_comes() {
    let parts = [
        r#"{"text":"h","thought":true}"#,
        r#"{"text":"m","thought":true}"#,
        r#"{"text":"a"}"#,
        r#"{"text":"b"}"#,
        r#"{"text":"c","thoughtSignature":"Cg=="}"#,
        r#"{"executableCode":{"code":"1"},"thoughtSignature":"Dg=="}"#,
    ];
    let end = r#"{"candidates":[{"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"u"}}]}}]}"#;
    let expected =
        ["Reasoning", "h", "m", "/", "Text", "a", "b", "c", "<u>", "/", "Reasoning", "(Cg==)", "/", "Stop"];
    assert_eq!(summarize(&read(&parts, end)), expected);
}

#[test]
fn calls_come_whole_and_decide_the_end() {
    let parts = [
        r#"{"functionCall":{"name":"f","args":{"x": 1.0}},"thoughtSignature":"Cg=="}"#,
        r#"{"functionCall":{"name":"f"}}"#,
    ];
    let end = r#"{"candidates":[{"content":{},"finishReason":"STOP"}]}"#;
    let events = read(&parts, end);
    let expected =
        ["Reasoning", "(Cg==)", "/", "call f", "{\"x\": 1.0}", "/", "call f", "{}", "/", "ToolCalls"];
    assert_eq!(summarize(&events), expected);
    let ids: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Open(Block::ToolCall { id, .. }) => Some(id),
            _ => None,
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn ends() {
    let reason = |end: &str| match read(&[r#"{"text":"a"}"#], end).last() {
        Some(Event::Finish(finish)) => (finish.reason, finish.detail.clone()),
        other => panic!("{other:?}"),
    };
    let cases = [
        (r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#, FinishReason::Length, None),
        (r#"{"candidates":[{"finishReason":"SPII"}]}"#, FinishReason::Filtered, None),
        (r#"{"candidates":[{"finishReason":"NEW_WORD"}]}"#, FinishReason::Stop, None),
        (
            r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"bad"}]}"#,
            FinishReason::Malformed,
            Some("bad"),
        ),
        (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, FinishReason::Filtered, Some("SAFETY")),
        ("null", FinishReason::Stop, None),
    ];
    for (end, expected, detail) in cases {
        assert_eq!(reason(end), (expected, detail.map(ToOwned::to_owned)), "{end}");
    }
}

#[test]
fn an_error_ends_it() {
    let events =
        read(&[r#"{"text":"a"}"#], r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#);
    assert_eq!(summarize(&events), ["Text", "a", "503 overloaded"]);
}

#[test]
fn what_is_no_response_is_none() {
    assert_eq!(response_reader::read(br#"{"choices":[]}"#, &context()), None);
    assert_eq!(response_reader::read(b"[]", &context()), None);
    let list = br#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"candidates":[{"finishReason":"STOP"}]}]"#;
    assert_eq!(summarize(&response_reader::read(list, &context()).unwrap()), ["Text", "a", "/", "Stop"]);
}
