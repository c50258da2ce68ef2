use bytes::Bytes;

use super::{Choices, EventClass, Progress, classify_event, end_marker};
use crate::sse::Decoder;
use crate::{Dialect, ResponseMeta, Usage};

fn classify_text(dialect: Dialect, text: &str) -> EventClass {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(text.as_bytes()));
    let frame = decoder.next_frame().unwrap().unwrap();
    assert!(decoder.next_frame().is_none());
    classify_event(dialect, &frame, &mut ResponseMeta::default())
}

fn openai(data: &str) -> EventClass {
    classify_text(Dialect::OpenAiChat, &format!("data: {data}\n\n"))
}

fn anthropic(data: &str) -> EventClass {
    classify_text(Dialect::Anthropic, &format!("event: x\ndata: {data}\n\n"))
}

/// What an event brings, told shortly: `c`ontent, `f`inish, `d`one.
fn flags_of(class: &EventClass) -> String {
    let EventClass::Progress(progress) = class else { panic!("{class:?}") };
    let flags = [(progress.content, 'c'), (progress.has_finish_reason(), 'f'), (progress.done, 'd')];
    flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
}

#[test]
fn openais_chunks() {
    let choice = |delta: &str, reason: &str| {
        format!(
            r#"{{"object":"chat.completion.chunk","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#
        )
    };
    for (delta, reason, expected) in [
        (r#"{"role":"assistant","content":"","refusal":null}"#, "null", ""),
        (r#"{"role":"assistant","content":null,"tool_calls":[]}"#, "null", ""),
        ("{}", "null", ""),
        ("null", "null", ""),
        (r#"{"role":"assistant","content":"Hi"}"#, "null", "c"),
        (r#"{"content":"é\u0000"}"#, "null", "c"),
        (r#"{"refusal":"I cannot"}"#, "null", "c"),
        (r#"{"reasoning_content":"hm"}"#, "null", "c"),
        (r#"{"reasoning":"hm","content":""}"#, "null", "c"),
        (r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#, "null", "c"),
        (r#"{"function_call":{"name":"f"}}"#, "null", "c"),
        (r#"{"audio":{"data":"x"}}"#, "null", "c"),
        (r#"{"content":"last"}"#, r#""length""#, "cf"),
        ("{}", r#""stop""#, "f"),
        (r#"{"content":"x"}"#, r#""""#, "c"),
        (r#"{"content":"","index":7,"final":false}"#, "null", ""),
    ] {
        assert_eq!(flags_of(&openai(&choice(delta, reason))), expected, "{delta} {reason}");
    }
}

#[test]
fn openais_other_events() {
    assert_eq!(flags_of(&openai("[DONE]")), "d");
    assert_eq!(flags_of(&openai(r#"{"choices":[],"prompt_filter_results":[]}"#)), "");
    for usage in [
        r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
        r#"{"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
    ] {
        let expected = Progress { usage: Usage { input: Some(5), output: Some(2) }, ..Progress::default() };
        assert_eq!(openai(usage), EventClass::Progress(expected));
    }
}

#[test]
fn end_markers_are_done_and_nothing_else() {
    for dialect in [Dialect::OpenAiChat, Dialect::Anthropic] {
        let marker = String::from_utf8(end_marker(dialect).to_vec()).unwrap();
        assert_eq!(flags_of(&classify_text(dialect, &marker)), "d");
    }
}

#[test]
fn choices_are_distinguished() {
    let EventClass::Progress(progress) = openai(
        r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":2,"delta":{},"finish_reason":"stop"}]}"#,
    ) else {
        panic!("no progress")
    };
    assert_eq!(progress.choices, Choices::single(0).merge(Choices::single(2)));
    assert_eq!(progress.finished, Choices::single(2));
    assert!(!progress.finished.contains_all(progress.choices));
    assert_eq!(Choices::single(64), Choices::single(u32::MAX));
}

#[test]
fn anthropics_events() {
    for (data, expected) in [
        (r#"{"type":"message_start","message":{"content":[],"stop_reason":null}}"#, ""),
        (r#"{"type":"ping"}"#, ""),
        (r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#, ""),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            "",
        ),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            "c",
        ),
        (
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
            "c",
        ),
        (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#, "c"),
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            "c",
        ),
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
            "c",
        ),
        (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}"#, ""),
        (r#"{"type":"content_block_stop","index":0}"#, ""),
        (r#"{"type":"message_delta","delta":{"stop_reason":null}}"#, ""),
        (r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#, "f"),
        (r#"{"type":"message_stop"}"#, "d"),
        (r#"{"type":"something_new","delta":7}"#, ""),
    ] {
        assert_eq!(flags_of(&anthropic(data)), expected, "{data}");
    }
}

#[test]
fn anthropics_usage() {
    for (data, input, output) in [
        (
            r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#,
            Some(9),
            Some(1),
        ),
        (r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":30}}"#, None, Some(30)),
    ] {
        let EventClass::Progress(progress) = anthropic(data) else { panic!("{data}") };
        assert_eq!(progress.usage, Usage { input, output });
    }
}

#[test]
fn errors_in_a_stream() {
    for (class, kind, status) in [
        (openai(r#"{"error":{"type":"server_error","message":"x"}}"#), "server_error", 500),
        (openai(r#"{"choices":[{"delta":{"content":""}}],"error":{"type":"a","code":503}}"#), "a", 503),
        (
            anthropic(r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#),
            "overloaded_error",
            529,
        ),
    ] {
        let EventClass::Error(error) = class else { panic!("{class:?}") };
        assert_eq!((error.error_type.as_deref(), error.status), (Some(kind), Some(status)));
    }
}

#[test]
fn comments_and_blank_lines_are_preambles() {
    for frame in [": keep-alive\n\n", "\n", "event: ping\n\n"] {
        for dialect in [Dialect::OpenAiChat, Dialect::Anthropic] {
            assert_eq!(classify_text(dialect, frame), EventClass::Progress(Progress::default()));
        }
    }
}

#[test]
fn events_of_an_unexpected_shape() {
    for data in [
        "",
        "oops",
        "{",
        "null",
        "7",
        "{}",
        r#"{"choices":"x"}"#,
        r#"{"choices":[{"delta":"x"}]}"#,
        r#"{"type":"ping"}"#,
    ] {
        assert_eq!(openai(data), EventClass::Invalid, "{data}");
    }
    for data in [
        "",
        "oops",
        "[DONE]",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"type":"message_start"}"#,
        r#"{"type":"content_block_delta","delta":"x"}"#,
        r#"{"type":"message_delta"}"#,
    ] {
        assert_eq!(anthropic(data), EventClass::Invalid, "{data}");
    }
}

#[test]
fn response_meta_is_read_once() {
    let meta_of = |dialect, events: &[&str]| {
        let (mut meta, mut decoder) = (ResponseMeta::default(), Decoder::default());
        for event in events {
            decoder.push(format!("data: {event}\n\n").into());
            let frame = decoder.next_frame().unwrap().unwrap();
            assert_ne!(classify_event(dialect, &frame, &mut meta), EventClass::Invalid, "{event}");
        }
        let text = |name: Option<Box<str>>| name.map_or_else(|| "-".to_owned(), String::from);
        format!("{} {}", text(meta.id), text(meta.model))
    };
    // Azure's first chunk has empty names.
    let openai = [
        r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#,
        r#"{"id":"c","model":"m","choices":[{"delta":{"content":"a"}}]}"#,
        r#"{"id":"other","model":"other","choices":[{"delta":{"content":"b"}}]}"#,
    ];
    assert_eq!(meta_of(Dialect::OpenAiChat, &openai), "c m");
    assert_eq!(meta_of(Dialect::OpenAiChat, &openai[..1]), "- -");
    let anthropic = [
        r#"{"type":"ping"}"#,
        r#"{"type":"message_start","message":{"id":"msg_1","model":"m","content":[]}}"#,
    ];
    assert_eq!(meta_of(Dialect::Anthropic, &anthropic), "msg_1 m");
}
