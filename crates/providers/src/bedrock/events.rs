//! The messages of a stream as server-sent events, which is what everything behind reads.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use dialects::Dialect;
use memchr::memchr2;
use serde::Deserialize;
use serde_json::json;

use super::errors::{is_exception, is_name};
use super::event_stream::{MAX_MESSAGE_BYTES, Message, MessageDecoder, MessageError, MessageKind};

/// Why the rest of a stream cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventsError {
    /// It is no stream of messages, or none of this API.
    Invalid,
    /// A message is larger than this many bytes.
    TooLarge(usize),
    /// It ended within a message.
    Truncated,
}

/// Decodes a stream.
#[derive(Debug)]
pub(crate) struct StreamDecoder {
    messages: MessageDecoder,
    /// Whether they are InvokeModel's, which hold events of Anthropic's, or Converse's own.
    is_invoke: bool,
    error: Option<EventsError>,
}

impl StreamDecoder {
    /// For the stream of an endpoint of this format.
    pub(crate) fn new(dialect: Dialect) -> Self {
        let is_invoke = dialect == Dialect::Anthropic;
        Self { messages: MessageDecoder::default(), is_invoke, error: None }
    }

    /// The events that are complete with the next piece. What comes behind an error is dropped.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Bytes {
        let mut events = Vec::new();
        if self.error.is_some() {
            return Bytes::new();
        }
        self.messages.push(piece);
        while let Some(message) = self.messages.next_message() {
            let written =
                message.map_err(EventsError::from).and_then(|message| self.write(&message, &mut events));
            if let Err(error) = written {
                self.error = Some(error);
                break;
            }
        }
        events.into()
    }

    /// Why nothing follows the events so far.
    pub(crate) const fn error(&self) -> Option<EventsError> {
        self.error
    }

    /// Why the end of the body is none of the stream.
    pub(crate) fn error_at_end(&self) -> Option<EventsError> {
        self.error.or_else(|| self.messages.is_within_message().then_some(EventsError::Truncated))
    }

    fn write(&self, message: &Message, events: &mut Vec<u8>) -> Result<(), EventsError> {
        match &message.kind {
            MessageKind::Event(_) if self.is_invoke => write_chunk(&message.payload, events)?,
            // The payload is read with the event; a name that is none is no event of this API.
            MessageKind::Event(name) if is_name(name) => write_wrapped(name, &message.payload, events),
            MessageKind::Exception(name) => write_error(name, &message_of(&message.payload), events),
            MessageKind::Error { code, message } => write_error(code, message, events),
            MessageKind::Event(_) | MessageKind::Other => {}
        }
        Ok(())
    }
}

/// The event that a message of InvokeModel's stream holds. Without `bytes` it holds none (C6).
fn write_chunk(payload: &[u8], events: &mut Vec<u8>) -> Result<(), EventsError> {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        bytes: Option<Cow<'a, str>>,
    }
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, rename = "type")]
        event_type: Option<Cow<'a, str>>,
    }
    let chunk: Chunk<'_> = serde_json::from_slice(payload).map_err(|_| EventsError::Invalid)?;
    let Some(encoded) = chunk.bytes else { return Ok(()) };
    let data = BASE64.decode(encoded.as_bytes()).map_err(|_| EventsError::Invalid)?;
    let event: Event<'_> = serde_json::from_slice(&data).map_err(|_| EventsError::Invalid)?;
    let name = event.event_type.unwrap_or_default();
    let is_event_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    write_event(if is_event_name { &name } else { "" }, &data, events);
    Ok(())
}

/// An exception under its name, in the streams of both APIs: its status goes by that. One of no API's is read as the service's own.
fn write_error(name: &str, message: &str, events: &mut Vec<u8>) {
    let name = if is_exception(name) { name } else { "internalServerException" };
    write_wrapped(name, json!({ "message": message }).to_string().as_bytes(), events);
}

/// An event of Converse, under its name.
fn write_wrapped(name: &str, payload: &[u8], events: &mut Vec<u8>) {
    let payload = if payload.is_empty() { b"{}" } else { payload };
    write_event(name, &[b"{\"", name.as_bytes(), b"\":", payload, b"}"].concat(), events);
}

fn write_event(name: &str, data: &[u8], events: &mut Vec<u8>) {
    if !name.is_empty() {
        events.extend_from_slice(b"event: ");
        events.extend_from_slice(name.as_bytes());
        events.push(b'\n');
    }
    events.extend_from_slice(b"data: ");
    let start = events.len();
    events.extend_from_slice(data);
    // In JSON a line break stands between tokens only, where a blank means the same; in an event it would end the line.
    if memchr2(b'\n', b'\r', data).is_some() {
        for byte in &mut events[start..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    events.extend_from_slice(b"\n\n");
}

/// The words of an exception.
fn message_of(payload: &[u8]) -> String {
    #[derive(Deserialize, Default)]
    struct Exception {
        #[serde(alias = "Message")]
        message: Option<String>,
        #[serde(rename = "originalMessage")]
        original_message: Option<String>,
    }
    let exception: Exception = serde_json::from_slice(payload).unwrap_or_default();
    exception.message.or(exception.original_message).unwrap_or_default()
}

impl From<MessageError> for EventsError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Malformed | MessageError::Checksum => Self::Invalid,
            MessageError::TooLarge => Self::TooLarge(MAX_MESSAGE_BYTES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_stream::tests::{encode, event};
    use super::*;

    fn chunk(data: &str) -> Vec<u8> {
        event("chunk", json!({"bytes": BASE64.encode(data), "p": "abc"}).to_string().as_bytes())
    }

    fn exception(name: &str, payload: &str) -> Vec<u8> {
        encode(&[(":message-type", "exception"), (":exception-type", name)], payload.as_bytes())
    }

    fn decode(dialect: Dialect, stream: &[u8]) -> (String, Option<EventsError>) {
        let mut decoder = StreamDecoder::new(dialect);
        let events: Vec<_> = stream.chunks(5).map(|piece| decoder.push(piece)).collect();
        (String::from_utf8(events.concat()).unwrap(), decoder.error_at_end())
    }

    #[test]
    fn invoke_models_events_are_anthropics() {
        let data = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ä"}}"#;
        let stream =
            [chunk(data), event("chunk", b"{}"), chunk("{\"type\":\n\"ping\"}"), chunk("{}")].concat();
        let expected = format!(
            "event: content_block_delta\ndata: {data}\n\nevent: ping\ndata: {{\"type\": \"ping\"}}\n\ndata: {{}}\n\n"
        );
        assert_eq!(decode(Dialect::Anthropic, &stream), (expected, None));
    }

    #[test]
    fn an_exception_keeps_its_name() {
        for dialect in [Dialect::Anthropic, Dialect::BedrockConverse] {
            for (name, expected) in [
                ("throttlingException", "throttlingException"),
                ("ModelNotReadyException", "ModelNotReadyException"),
                ("somethingNew", "internalServerException"),
            ] {
                let (events, error) = decode(dialect, &exception(name, r#"{"message":"a\nb"}"#));
                let data = format!(r#"{{"{expected}":{{"message":"a\nb"}}}}"#);
                assert_eq!((events, error), (format!("event: {expected}\ndata: {data}\n\n"), None));
            }
        }
    }

    #[test]
    fn converses_events_stand_under_their_names() {
        let failed =
            [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "m")];
        let stream = [
            event("messageStart", br#"{"role":"assistant"}"#),
            exception("throttlingException", r#"{"Message":"wait"}"#),
            encode(&failed, b""),
        ]
        .concat();
        let expected = "event: messageStart\ndata: {\"messageStart\":{\"role\":\"assistant\"}}\n\n\
            event: throttlingException\ndata: {\"throttlingException\":{\"message\":\"wait\"}}\n\n\
            event: internalServerException\ndata: {\"internalServerException\":{\"message\":\"m\"}}\n\n";
        assert_eq!(decode(Dialect::BedrockConverse, &stream), (expected.to_owned(), None));
    }

    #[test]
    fn a_cut_and_what_is_no_event() {
        let good = chunk(r#"{"type":"ping"}"#);
        let events = "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned();
        let cut = [&good[..], &good[..20]].concat();
        assert_eq!(decode(Dialect::Anthropic, &cut), (events.clone(), Some(EventsError::Truncated)));
        let mut damaged = [&good[..], &good[..], &good[..]].concat();
        damaged[good.len() + 30] ^= 1;
        assert_eq!(decode(Dialect::Anthropic, &damaged), (events, Some(EventsError::Invalid)));
        for payload in [&b"x"[..], br#"{"bytes":"*"}"#, br#"{"bytes":"eA=="}"#] {
            let (events, error) = decode(Dialect::Anthropic, &event("chunk", payload));
            assert_eq!((events.as_str(), error), ("", Some(EventsError::Invalid)));
        }
    }
}
