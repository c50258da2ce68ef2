use bytes::Bytes;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_assert_ne, prop_oneof, proptest};
use proptest::sample::select;
use serde_json::Value;

use super::{EventClass, EventReader, classify_event, end_marker, keep_alive, last_array_item};
use crate::dialect::Dialect;
use crate::progress::Progress;
use crate::response_meta::ResponseMeta;
use crate::sse::Decoder;

fn classify_text(dialect: Dialect, text: &str) -> EventClass {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(text.as_bytes()));
    let frame = decoder.next_frame().unwrap().unwrap();
    assert!(decoder.next_frame().is_none());
    classify_event(dialect, &frame, &mut ResponseMeta::default())
}

#[test]
fn the_last_item_of_an_array_closes_it() {
    let event = b"data: {\"error\":{}}\n\n";
    assert_eq!(last_array_item(event, true), "[{\"error\":{}}]");
    assert_eq!(last_array_item(event, false), ",\n{\"error\":{}}]");
}

fn openai(data: &str) -> EventClass {
    classify_text(Dialect::OpenAiChat, &format!("data: {data}\n\n"))
}

fn anthropic(data: &str) -> EventClass {
    classify_text(Dialect::Anthropic, &format!("event: x\ndata: {data}\n\n"))
}

/// What an event brings, in letters.
fn flags_of(class: &EventClass) -> String {
    let EventClass::Progress(progress) = class else { panic!("{class:?}") };
    progress.flags()
}

#[test]
fn end_markers_are_done_and_nothing_else() {
    for dialect in [Dialect::OpenAiChat, Dialect::Anthropic] {
        let marker = String::from_utf8(end_marker(dialect).to_vec()).unwrap();
        assert_eq!(flags_of(&classify_text(dialect, &marker)), "d");
    }
    for dialect in [Dialect::OpenAiResponses, Dialect::Gemini] {
        assert!(end_marker(dialect).is_empty(), "the finish, or the end of the connection");
    }
}

#[test]
fn keep_alives_have_no_meaning() {
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic] {
        let event = String::from_utf8(keep_alive(dialect).to_vec()).unwrap();
        assert_eq!(flags_of(&classify_text(dialect, &event)), "", "{event}");
    }
    assert!(keep_alive(Dialect::Gemini).is_empty());
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
        for dialect in Dialect::ALL {
            assert_eq!(classify_text(dialect, frame), EventClass::Progress(Progress::default()));
        }
    }
}

#[test]
fn what_is_no_json_is_invalid() {
    for data in ["oops", "{", r#"{"choices":[]"#, "<html>"] {
        for dialect in Dialect::ALL {
            let class = classify_text(dialect, &format!("data: {data}\n\n"));
            assert_eq!(class, EventClass::Invalid, "{dialect} {data}");
        }
    }
}

#[test]
fn what_is_no_part_of_an_answer_brings_nothing() {
    for data in ["", " ", "null", "7", "{}", r#"{"type":"ping"}"#, r#"{"trace":{"id":"x"}}"#] {
        for dialect in Dialect::ALL {
            assert_eq!(
                flags_of(&classify_text(dialect, &format!("data: {data}\n\n"))),
                "",
                "{dialect} {data}"
            );
        }
    }
    assert_eq!(flags_of(&classify_text(Dialect::Anthropic, "event: ping\ndata: {}\n\n")), "");
    assert_eq!(flags_of(&classify_text(Dialect::OpenAiChat, "event: ping\ndata: {}\n\n")), "");
}

#[test]
fn an_event_named_error_is_one() {
    for dialect in Dialect::ALL {
        for data in [r#"{"message":"down"}"#, r#""down""#, r#"{"error":{"message":"down"}}"#] {
            let class = classify_text(dialect, &format!("event: error\ndata: {data}\n\n"));
            assert!(matches!(class, EventClass::Error(_)), "{dialect} {data}");
        }
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

/// Any JSON, made of the names that matter.
fn odd_json() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 14] = [
        "type",
        "delta",
        "item",
        "response",
        "output",
        "usage",
        "input_tokens",
        "text",
        "candidates",
        "content",
        "parts",
        "finishReason",
        "index",
        "usageMetadata",
    ];
    const TEXTS: [&str; 5] = ["", "response.completed", "response.output_item.done", "a.delta", "STOP"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(&TEXTS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = select(&NAMES[..]).prop_map(str::to_owned);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(key, inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_is_invalid(json in odd_json()) {
        let data = json.to_string();
        for dialect in Dialect::ALL {
            let class = classify_text(dialect, &format!("data: {data}\n\n"));
            prop_assert_ne!(class, EventClass::Invalid, "{} {}", dialect, data);
        }
    }
}

/// Events of which words (`@`) and numbers (`#`) are replaced.
const EVENTS: [(Dialect, &str); 9] = [
    (
        Dialect::OpenAiChat,
        r#"{"id":"c","object":"@","created":#,"model":"m","choices":[{"index":0,"delta":{"content":"@"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"@"}"#,
    ),
    (
        Dialect::OpenAiChat,
        r#"{"choices":[{"index":#,"delta":{"role":"@","content":"@"},"finish_reason":"@"}]}"#,
    ),
    (
        Dialect::OpenAiChat,
        r#"{"id":"@","choices":[{"text":"@"}],"usage":{"prompt_tokens":#},"x":["@",#,{"y":"@"}]}"#,
    ),
    (
        Dialect::Anthropic,
        r#"{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"@"}}"#,
    ),
    (Dialect::Anthropic, r#"{"type":"@","delta":{"stop_reason":"@"},"usage":{"output_tokens":#},"x":#}"#),
    (
        Dialect::OpenAiResponses,
        r#"{"type":"response.output_text.delta","sequence_number":#,"item_id":"@","delta":"@","logprobs":[]}"#,
    ),
    (Dialect::OpenAiResponses, r#"{"type":"@","text":"@","item":{"type":"@","content":["@"]}}"#),
    (
        Dialect::Gemini,
        r#"{"candidates":[{"content":{"parts":[{"text":"@"}],"role":"@"},"index":#}],"modelVersion":"m","x":#}"#,
    ),
    (
        Dialect::BedrockConverse,
        r#"{"contentBlockDelta":{"contentBlockIndex":#,"delta":{"text":"@"},"p":"@"}}"#,
    ),
];

proptest! {
    /// Which events a reader has seen changes nothing.
    #[test]
    fn an_event_means_the_same_behind_others(
        (dialect, event) in select(EVENTS.to_vec()),
        values in proptest::collection::vec(
            (
                select(vec![
                    "a", "a", "Hi", " the", "", "\\n", "\\ud83d\\ude00", "\\ud83d", "\\u00e", "\u{e9}", "\u{1}", "\"", "\\", "stop", "null",
                    "\",\"finish_reason\":\"stop", "\"}],\"error\":\"x", "error", "response.completed", "response.output_item.done",
                    "message_delta", "message_stop", "content_block_delta", "longer than a word of eight bytes",
                ]),
                select(vec!["0", "0", "7", "12", "1.5", "-1", "1e400", "00", "", "null", "\"x\"", "3,\"error\":1", " 5 "]),
            ),
            1..24,
        ),
        names in proptest::collection::vec(select(vec!["", "event: a\n", "event: error\n", "data: \n"]), 6),
    ) {
        let mut values = values.iter().cycle();
        let mut reader = EventReader::default();
        let (mut meta, mut expected_meta) = <(ResponseMeta, ResponseMeta)>::default();
        for name in names {
            let mut data = String::new();
            for letter in event.chars() {
                match letter {
                    '@' => data.push_str(values.next().unwrap().0),
                    '#' => data.push_str(values.next().unwrap().1),
                    _ => data.push(letter),
                }
            }
            for text in [format!("{name}data: {data}\n\n"), "data: [DONE]\n\n".to_owned()] {
                let mut decoder = Decoder::default();
                decoder.push(Bytes::from(text.clone()));
                let frame = decoder.next_frame().unwrap().unwrap();
                // An end marker now and then.
                if text.contains("DONE") && !data.len().is_multiple_of(4) {
                    continue;
                }
                let class = reader.classify(dialect, &frame, &mut meta);
                let expected = classify_event(dialect, &frame, &mut expected_meta);
                prop_assert_eq!(class, expected, "{}", text);
                prop_assert_eq!(&meta, &expected_meta);
            }
        }
    }
}
