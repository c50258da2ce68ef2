//! Recorded exchanges with real providers, translated to every other format and read again by a reader of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod said;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};
use dialects::sse::{Decoder, Frame};
use said::{Said, plain, streamed};
use serde_json::Value;
use translate::{CallerOptions, CallerRequest, Target, Translation};

/// Those of callers.
const ALL: [Dialect; 4] = [OpenAiChat, OpenAiResponses, Anthropic, Gemini];

struct Recording {
    id: String,
    dialect: Dialect,
    model: String,
    request: Vec<u8>,
    is_stream: bool,
    response: Value,
}

fn recordings() -> Vec<Recording> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
        .iter()
        .map(|path| recording(&serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
        .collect()
}

fn recording(json: &Value) -> Recording {
    let dialect = match json["dialect"].as_str().unwrap() {
        "openai-chat" => OpenAiChat,
        "openai-responses" => OpenAiResponses,
        "anthropic-messages" => Anthropic,
        "gemini" => Gemini,
        "bedrock-converse" => BedrockConverse,
        other => panic!("{other}"),
    };
    Recording {
        id: json["id"].as_str().unwrap().to_owned(),
        dialect,
        model: json["model"].as_str().unwrap().to_owned(),
        request: json["request"]["body"].to_string().into_bytes(),
        is_stream: json["stream"].as_bool().unwrap(),
        response: json["response"].clone(),
    }
}

/// A model of which nothing special is known, but for what its format asks for.
fn target(dialect: Dialect) -> Target<'static> {
    let model = if dialect == Gemini { "gemini-3.1-flash" } else { "any-model" };
    Target { dialect, provider: "p", model, is_official: true, refuses: &[] }
}

/// A caller of one format whose request a provider of another answers.
fn translation(caller: Dialect, recording: &Recording) -> Translation {
    let body = match caller {
        Dialect::BedrockConverse => panic!("no caller has it"),
        OpenAiChat => {
            r#"{"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}"#
        }
        OpenAiResponses => r#"{"input":"hi"}"#,
        Anthropic => r#"{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#,
        Gemini => r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#,
    };
    let target = Target {
        dialect: recording.dialect,
        provider: "p",
        model: &recording.model,
        is_official: false,
        refuses: &[],
    };
    let options = CallerOptions {
        stream: recording.is_stream,
        request_id: "req_1".to_owned(),
        ..CallerOptions::default()
    };
    CallerRequest::read(caller, body.as_bytes()).unwrap().translate(&target, options).unwrap()
}

impl Recording {
    /// A stream's events, which of AWS's are made what the crate gets them as.
    fn sse(&self) -> Vec<u8> {
        match self.response["base64"].as_str() {
            Some(binary) => events_of_messages(&STANDARD.decode(binary).unwrap()),
            None => self.response["sse"].as_str().unwrap().as_bytes().to_vec(),
        }
    }
}

/// The messages of AWS's event stream under the names of their events: a length, the length of the headers, a checksum, the
/// headers, of which the first says the name, the payload, a checksum.
fn events_of_messages(mut bytes: &[u8]) -> Vec<u8> {
    let mut sse = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (message, headers) = (&bytes[..number(0)], number(4));
        let mut rest = &message[12..12 + headers];
        let mut name = String::new();
        while let [length, after @ ..] = rest {
            let (header, value) = after.split_at(usize::from(*length));
            let end = 3 + usize::from(u16::from_be_bytes([value[1], value[2]]));
            if header == b":event-type" {
                name = String::from_utf8(value[3..end].to_vec()).unwrap();
            }
            rest = &value[end..];
        }
        let payload = String::from_utf8(message[12 + headers..message.len() - 4].to_vec()).unwrap();
        sse.extend_from_slice(format!("event: {name}\ndata: {{\"{name}\":{payload}}}\n\n").as_bytes());
        bytes = &bytes[message.len()..];
    }
    sse
}

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    decoder.push(bytes::Bytes::copy_from_slice(bytes));
    let mut frames: Vec<Frame> = std::iter::from_fn(|| decoder.next_frame()).map(Result::unwrap).collect();
    frames.extend(decoder.finish());
    frames
}

fn events(bytes: &[u8]) -> Vec<Value> {
    let data = frames(bytes).into_iter().filter_map(|frame| frame.data().map(|data| data.into_owned()));
    data.filter_map(|data| serde_json::from_slice(&data).ok()).collect()
}

/// What the recorded answer says, and what the caller of another format gets.
fn translated(recording: &Recording, caller: Dialect) -> (Said, Said) {
    let translation = translation(caller, recording);
    if recording.is_stream {
        let sse = recording.sse();
        let mut bridge = translation.bridge();
        let mut out = Vec::new();
        for frame in frames(&sse) {
            let name = std::str::from_utf8(frame.event()).ok().filter(|name| !name.is_empty());
            if let Some(data) = frame.data() {
                out.extend_from_slice(&bridge.push(name, &data));
            }
        }
        out.extend_from_slice(&bridge.finish());
        (streamed(recording.dialect, &events(&sse)), streamed(caller, &events(&out)))
    } else {
        let body = &recording.response["json"];
        let answer = translation.response(body.to_string().as_bytes()).unwrap();
        (plain(recording.dialect, body), plain(caller, &serde_json::from_slice(&answer).unwrap()))
    }
}

#[test]
fn recorded_answers_say_the_same_in_every_format() {
    let mut wrong = Vec::new();
    for recording in recordings() {
        for caller in ALL.into_iter().filter(|caller| *caller != recording.dialect) {
            let (mut expected, translated) = translated(&recording, caller);
            if expected.tokens.is_none() {
                // Two formats must tell some number.
                expected.tokens = translated.tokens.filter(|tokens| *tokens == (0, 0));
            }
            if translated != expected {
                wrong.push(format!(
                    "{} to {caller:?}: translated\n  {translated:?}\nand not\n  {expected:?}",
                    recording.id
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All texts in a JSON value.
fn texts<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, out)),
        _ => {}
    }
}

/// What the user said last.
fn last_words(dialect: Dialect, body: &Value) -> Option<String> {
    let list = match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        OpenAiChat | Anthropic => &body["messages"],
        OpenAiResponses => &body["input"],
        Gemini => &body["contents"],
    };
    if let Some(text) = list.as_str() {
        return Some(text.to_owned());
    }
    let said = list
        .as_array()?
        .iter()
        .rev()
        .find(|one| one["role"] == "user" && one.to_string().contains("text"))?;
    let content = if dialect == Gemini { &said["parts"] } else { &said["content"] };
    let text = content.as_str().or_else(|| content.as_array()?.iter().find_map(|part| part["text"].as_str()));
    text.map(str::to_owned)
}

/// What stands against a request where it cannot be sent.
const REFUSED: [(&str, &[Dialect], &str); 6] = [
    // Tools that the provider runs, and no others beside them.
    ("gemini-google-64e0e058", &[OpenAiChat, OpenAiResponses, Anthropic, BedrockConverse], "urlContext"),
    (
        "gemini-google-vertex-59d1e1ca",
        &[OpenAiChat, OpenAiResponses, Anthropic, BedrockConverse],
        "googleSearch",
    ),
    (
        "messages-anthropic-1dffd657",
        &[OpenAiChat, OpenAiResponses, Gemini, BedrockConverse],
        "computer_20251124",
    ),
    ("responses-openai-741ad918", &[OpenAiChat, Anthropic, Gemini, BedrockConverse], "web_search"),
    ("responses-openai-add29c68", &[OpenAiChat, Anthropic, Gemini, BedrockConverse], "image_generation"),
    ("messages-anthropic-42e443b0", &[Gemini, BedrockConverse], "image_url"),
];

#[test]
fn recorded_requests_go_to_every_format_or_say_why_not() {
    let mut refused: Vec<(String, Dialect, String)> = Vec::new();
    for recording in recordings().into_iter().filter(|recording| recording.dialect != BedrockConverse) {
        let request = CallerRequest::read(recording.dialect, &recording.request).unwrap();
        let words = last_words(recording.dialect, &serde_json::from_slice(&recording.request).unwrap());
        for format in Dialect::OF_PROVIDERS.into_iter().filter(|format| *format != recording.dialect) {
            let options = CallerOptions { stream: recording.is_stream, ..CallerOptions::default() };
            match request.translate(&target(format), options) {
                Ok(translated) => {
                    let body: Value = serde_json::from_slice(&translated.body).unwrap();
                    let mut found = Vec::new();
                    texts(&body, &mut found);
                    let words = words.as_deref().unwrap_or_default();
                    assert!(
                        found.iter().any(|text| text.contains(words)),
                        "{} to {format:?}: {words}",
                        recording.id
                    );
                }
                Err(reasons) => {
                    assert!(reasons.iter().all(|one| !one.field.is_empty() && !one.reason.is_empty()));
                    refused.extend(
                        reasons.into_iter().map(|one| (recording.id.clone(), format, one.to_string())),
                    );
                }
            }
        }
    }
    let expected = |id: &str, format: Dialect, reason: &str| {
        REFUSED.iter().any(|(of, by, why)| *of == id && by.contains(&format) && reason.contains(why))
    };
    assert!(refused.iter().all(|(id, format, reason)| expected(id, *format, reason)), "{refused:#?}");
    let found = REFUSED.iter().all(|(of, by, _)| {
        by.iter().all(|by| refused.iter().any(|(id, format, _)| id == of && format == by))
    });
    assert!(found, "{refused:#?}");
}
