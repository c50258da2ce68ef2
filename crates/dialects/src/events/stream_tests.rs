//! Whole streams: what is only compared with the event before it is the same as read alone.

use std::path::Path;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{prop_assert_eq, proptest};
use proptest::sample::select;
use serde_json::Value;

use super::{EventClass, EventReader, classify_event};
use crate::dialect::Dialect;
use crate::response_meta::ResponseMeta;
use crate::sse::Decoder;

/// The events of a stream, and what each means.
type Events = (Vec<(Bytes, EventClass)>, ResponseMeta);

/// As a stream is read, and how many of its events were only compared.
fn read(dialect: Dialect, pieces: &[&[u8]]) -> (Events, usize) {
    let (mut decoder, mut reader) = <(Decoder, EventReader)>::default();
    let (mut events, mut meta, mut compared) = (Vec::new(), ResponseMeta::default(), 0);
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            if let Some((bytes, progress)) = reader.next_alike(&mut decoder) {
                events.push((bytes, EventClass::Progress(*progress)));
                compared += 1;
            } else if let Some(frame) = decoder.next_frame() {
                let frame = frame.unwrap();
                let class = reader.classify(dialect, &frame, &mut meta);
                events.push((frame.into_raw(), class));
            } else {
                break;
            }
        }
    }
    ((events, meta), compared)
}

/// Each event by itself.
fn read_alone(dialect: Dialect, stream: &[u8]) -> Events {
    let (mut decoder, mut meta) = <(Decoder, ResponseMeta)>::default();
    decoder.push(Bytes::copy_from_slice(stream));
    let mut events = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        let frame = frame.unwrap();
        let class = classify_event(dialect, &frame, &mut meta);
        events.push((frame.into_raw(), class));
    }
    (events, meta)
}

fn dialect(name: &str) -> Dialect {
    match name {
        "openai-chat" => Dialect::OpenAiChat,
        "openai-responses" => Dialect::OpenAiResponses,
        "anthropic-messages" => Dialect::Anthropic,
        "gemini" => Dialect::Gemini,
        other => panic!("{other}"),
    }
}

/// The recorded streams of the crate `translate`.
fn recorded_streams() -> Vec<(String, Dialect, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../translate/tests/recordings");
    let mut streams = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        if let Some(stream) = json["response"]["sse"].as_str() {
            let text = |field: &str| json[field].as_str().unwrap().to_owned();
            streams.push((text("id"), dialect(&text("dialect")), stream.to_owned()));
        }
    }
    streams
}

#[test]
fn recorded_streams_mean_the_same_compared_and_alone() {
    let streams = recorded_streams();
    assert!(streams.len() > 10);
    let mut compared = 0;
    for (id, dialect, stream) in streams {
        let expected = read_alone(dialect, stream.as_bytes());
        let events: Vec<&[u8]> = expected.0.iter().map(|(raw, _)| &raw[..]).collect();
        let (actual, count) = read(dialect, &events);
        assert_eq!(actual, expected, "{id}, an event at a time");
        compared += count;
        let (actual, together) = read(dialect, &[stream.as_bytes()]);
        assert_eq!(actual, expected, "{id}, together");
        assert_eq!(together, count, "{id}");
        for size in [1, 7, 100, 1000] {
            let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            assert_eq!(read(dialect, &pieces).0, expected, "{id}, {size} bytes at a time");
        }
    }
    assert!(compared > 20, "{compared}");
}

const TEMPLATES: [(Dialect, &str); 4] = [
    (
        Dialect::OpenAiChat,
        r#"{"id":"c","created":#,"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}"#,
    ),
    (Dialect::OpenAiChat, r#"{"choices": [{"delta": {"content": "@"}}], "x": # }"#),
    (
        Dialect::Anthropic,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
    ),
    (Dialect::Gemini, r#"{"candidates":[{"content":{"parts":[{"text":"@"}]},"index":0}],"x":"@"}"#),
];

proptest! {
    /// Lines that end anywhere, fields around the data, and events of which a part is missing.
    #[test]
    fn odd_streams_mean_the_same_compared_and_alone(
        (dialect, template) in select(TEMPLATES.to_vec()),
        events in vec(
            (
                select(vec!["", "", "", "event: a\n", "event: error\n", "id: 7\n", ": c\n", "data: \n", "\u{feff}", "\n", "retry: 1\r"]),
                select(vec!["Hi", "Hi", " the", "", "\\n", "\n", "\r", "\n\n", "\u{e9}", "\\ud83d", "\"", "\n\ndata: x\n\n"]),
                select(vec!["1", "1", "22", "1.5", "\n1", "\"x\"", ""]),
                select(vec!["\n\n", "\n\n", "\n\n", "\r\n\r\n", "\r\r", "\n\r", "\r\n\n", "\n", "", "\nid: 8\n\n", "\ndata: \n\n"]),
            ),
            1..12,
        ),
        sizes in vec(1_usize..200, 1..20),
    ) {
        let mut stream = String::new();
        for (before, word, number, after) in events {
            let data = template.replace('@', word).replace('#', number);
            stream.push_str(&format!("{before}data: {data}{after}"));
        }
        let expected = read_alone(dialect, stream.as_bytes());
        prop_assert_eq!(&read(dialect, &[stream.as_bytes()]).0, &expected, "{}", stream);
        let (mut pieces, mut left) = (Vec::new(), stream.as_bytes());
        for size in sizes.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let (piece, rest) = left.split_at((*size).min(left.len()));
            pieces.push(piece);
            left = rest;
        }
        prop_assert_eq!(&read(dialect, &pieces).0, &expected, "{}", stream);
    }
}
