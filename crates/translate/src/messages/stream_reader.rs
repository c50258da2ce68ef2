//! Reads a stream's events.

use super::answer_reader::AnswerReader;
use crate::form::Event;
use crate::json::Object;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamReader {
    reader: AnswerReader,
}

impl StreamReader {
    pub(crate) fn new(_context: &AnswerContext) -> Self {
        Self { reader: AnswerReader::default() }
    }

    /// Takes one event: its SSE name, if it has one, and its data.
    pub(crate) fn push(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<Event>) {
        let Some(event) = Object::parse(data) else { return };
        let kind = event.str("type");
        let index = event.u64("index").unwrap_or(0);
        match kind.as_deref().or(name) {
            Some("message_start") => self.reader.start(event.object("message").as_ref(), out),
            Some("content_block_start") => {
                if let Some(block) = event.object("content_block") {
                    self.reader.open(index, &block, out);
                }
            }
            Some("content_block_delta") => {
                if let Some(delta) = event.object("delta") {
                    self.reader.delta(index, &delta, out);
                }
            }
            Some("content_block_stop") => self.reader.close(index, out),
            Some("message_delta") => {
                if let Some(usage) = event.object("usage") {
                    self.reader.usage(&usage, out);
                }
                if let Some(delta) = event.object("delta").filter(|delta| delta.raw("stop_reason").is_some())
                {
                    self.reader.finish(Some(&delta), out);
                }
            }
            Some("message_stop") => self.finish(out),
            Some("error") => self.reader.error(&event, out),
            None if event.error().is_some() => self.reader.error(&event, out),
            _ => {}
        }
    }

    /// The stream ended as it should.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        if self.reader.is_started() {
            self.reader.finish(None, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StreamReader;
    use crate::form::{Block, Event, Finish, FinishReason, Opaque, OpaqueKind, TokenUsage};
    use crate::target::AnswerContext;

    fn read(events: &[&str]) -> Vec<Event> {
        let mut reader = StreamReader::new(&AnswerContext::for_test());
        let mut out = Vec::new();
        for event in events {
            reader.push(None, event.as_bytes(), &mut out);
        }
        reader.finish(&mut out);
        out
    }

    fn delta(text: &str) -> Event {
        Event::Delta(text.to_owned())
    }

    #[test]
    fn a_stream_becomes_events() {
        let events = read(&[
            r#"{"type":"message_start","message":{"id":"msg_1","model":"c","usage":{"input_tokens":3,"cache_read_input_tokens":4}}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Eq"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_stop","index":2}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        let signature = Opaque { kind: OpaqueKind::Signature, data: "Eq".to_owned(), id: None, owner: None };
        let usage =
            |output| TokenUsage { input: Some(7), cache_read: Some(4), output, ..TokenUsage::default() };
        let call =
            Block::ToolCall { id: "t".to_owned(), name: "f".to_owned(), namespace: None, custom: false };
        assert_eq!(
            events,
            [
                Event::Start { id: Some("msg_1".to_owned()), model: Some("c".to_owned()), created: None },
                Event::Usage(usage(None)),
                Event::Open(Block::Reasoning),
                delta("hm"),
                Event::Opaque(signature),
                Event::Close,
                Event::Open(call),
                delta("{}"),
                Event::Close,
                Event::Usage(usage(Some(9))),
                Event::Finish(Finish::new(FinishReason::ToolCalls)),
            ]
        );
    }

    #[test]
    fn interleaved_blocks_are_told_one_after_the_other() {
        let start = |index: u8| {
            format!(
                r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
            )
        };
        let piece = |index: u8, text: &str| {
            format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":"{text}"}}}}"#
            )
        };
        let stop = |index: u8| format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
        let events = [start(0), start(1), piece(0, "a"), piece(1, "x"), piece(0, "b"), stop(1), stop(0)];
        let events = read(&events.iter().map(String::as_str).collect::<Vec<_>>());
        let [open, close] = [Event::Open(Block::Text), Event::Close];
        let expected =
            [&open, &delta("a"), &delta("b"), &close, &open, &delta("x"), &close].map(Clone::clone);
        assert_eq!(events[1..8], expected);
    }

    #[test]
    fn an_error_ends_everything() {
        let events = read(&[
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        assert!(
            matches!(&events[..], [Event::Error(error)] if error.status == 529 && error.message == "Overloaded")
        );
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        for data in ["", "null", "{}", "[]", r#"{"type":"message_stop"}"#, r#"{"type":"content_block_stop"}"#]
        {
            assert_eq!(read(&[data]), []);
        }
        let text = r#"{"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"x"}}"#;
        assert_eq!(read(&[text])[1..3], [Event::Open(Block::Text), delta("x")]);
    }
}
