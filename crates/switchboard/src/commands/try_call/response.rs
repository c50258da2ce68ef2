//! The text and the tokens of an answer, plain or streamed, in each API format.

use bytes::Bytes;
use dialects::{Dialect, EventClass, ResponseMeta, Usage, classify_event, sse};
use serde_json::Value;

/// The text of a plain answer.
pub(super) fn text(dialect: Dialect, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match dialect {
        Dialect::OpenAiChat => string(&body, "/choices/0/message/content").to_owned(),
        Dialect::OpenAiResponses => {
            let items = array(&body, "/output").iter().flat_map(|item| array(item, "/content"));
            items.map(|content| string(content, "/text")).collect()
        }
        Dialect::Anthropic => array(&body, "/content").iter().map(|block| string(block, "/text")).collect(),
        Dialect::Gemini => gemini_text(&body),
        Dialect::BedrockConverse => {
            array(&body, "/output/message/content").iter().map(|block| string(block, "/text")).collect()
        }
    }
}

/// What an error of a provider or of the gateway says: as a body, or as an event of a stream.
pub(super) fn error_message(body: &[u8]) -> String {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let places = ["/error/message", "/response/error/message", "/message", "/error"];
    let message = places.into_iter().map(|place| string(&parsed, place)).find(|text| !text.is_empty());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

/// Reads the events of a stream.
#[derive(Debug)]
pub(super) struct StreamReader {
    dialect: Dialect,
    decoder: sse::Decoder,
    meta: ResponseMeta,
    /// The tokens that were reported so far.
    pub(super) usage: Usage,
    /// What an error event said.
    pub(super) error: Option<String>,
}

impl StreamReader {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            decoder: sse::Decoder::default(),
            meta: ResponseMeta::default(),
            usage: Usage::default(),
            error: None,
        }
    }

    /// The text in these bytes.
    pub(super) fn push(&mut self, bytes: Bytes) -> String {
        self.decoder.push(bytes);
        let mut text = String::new();
        while let Some(frame) = self.decoder.next_frame() {
            match frame {
                Ok(frame) => self.read(&frame, &mut text),
                Err(error) => {
                    self.error = Some(error.to_string());
                    break;
                }
            }
        }
        text
    }

    fn read(&mut self, frame: &sse::Frame, text: &mut String) {
        let data = frame.data().unwrap_or_default();
        match classify_event(self.dialect, frame, &mut self.meta) {
            EventClass::Progress(progress) => {
                self.usage = self.usage.updated_by(progress.usage);
                if progress.content {
                    text.push_str(&delta(self.dialect, &data));
                }
            }
            EventClass::Error(_) => self.error = Some(error_message(&data)),
            EventClass::Invalid => self.error = Some("an event is not of the API format".to_owned()),
        }
    }
}

/// The text of an event: not thinking, not the input of tools.
fn delta(dialect: Dialect, data: &[u8]) -> String {
    let event: Value = serde_json::from_slice(data).unwrap_or_default();
    match (dialect, string(&event, "/type")) {
        (Dialect::OpenAiChat, _) => string(&event, "/choices/0/delta/content").to_owned(),
        (Dialect::OpenAiResponses, "response.output_text.delta") => string(&event, "/delta").to_owned(),
        (Dialect::Anthropic, "content_block_delta") => string(&event, "/delta/text").to_owned(),
        (Dialect::Gemini, _) => gemini_text(&event),
        (Dialect::BedrockConverse, _) => string(&event, "/contentBlockDelta/delta/text").to_owned(),
        _ => String::new(),
    }
}

fn gemini_text(answer: &Value) -> String {
    let parts = array(answer, "/candidates/0/content/parts").iter();
    let said = parts.filter(|part| part["thought"] != Value::Bool(true));
    said.map(|part| string(part, "/text")).collect()
}

/// The text at a place; empty if there is none.
fn string<'a>(value: &'a Value, place: &str) -> &'a str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, place: &str) -> &'a [Value] {
    value.pointer(place).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_plain_answers() {
        for (dialect, body) in [
            (Dialect::OpenAiChat, r#"{"choices":[{"message":{"content":"Hello"}}]}"#),
            (
                Dialect::OpenAiResponses,
                r#"{"output":[{"type":"reasoning","summary":[]},{"content":[{"type":"output_text","text":"Hello"}]}]}"#,
            ),
            (Dialect::Anthropic, r#"{"content":[{"type":"thinking","thinking":"x"},{"text":"Hello"}]}"#),
            (
                Dialect::Gemini,
                r#"{"candidates":[{"content":{"parts":[{"text":"x","thought":true},{"text":"Hel"},{"text":"lo"}]}}]}"#,
            ),
        ] {
            assert_eq!(text(dialect, body.as_bytes()), "Hello", "{dialect}");
            assert_eq!(text(dialect, b"{}"), "", "{dialect}");
        }
    }

    #[test]
    fn texts_of_streams() {
        for (dialect, events) in [
            (Dialect::OpenAiChat, r#"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#),
            (Dialect::OpenAiResponses, r#"{"type":"response.output_text.delta","delta":"Hello"}"#),
            (
                Dialect::Anthropic,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
            ),
            (Dialect::Gemini, r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}]}}]}"#),
        ] {
            let mut reader = StreamReader::new(dialect);
            assert_eq!(reader.push(format!("data: {events}\n\n").into()), "Hello", "{dialect}");
            assert_eq!(reader.error, None, "{dialect}");
        }
    }

    #[test]
    fn errors_in_streams_are_reported() {
        for dialect in Dialect::ALL {
            let mut reader = StreamReader::new(dialect);
            reader.push(dialects::error::error_event(dialect, 502, "stream_interrupted", "cut off"));
            assert_eq!(reader.error.as_deref(), Some("cut off"), "{dialect}");
        }
        assert_eq!(error_message(b"<html>"), "<html>");
    }
}
