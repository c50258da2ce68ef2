//! Reads a stream's events: objects with the event's name as their one key.

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

    /// Takes the data of one event.
    pub(crate) fn push(&mut self, data: &[u8], out: &mut Vec<Event>) {
        let Some(event) = Object::parse(data) else { return };
        let Some((name, content)) =
            event.iter().find_map(|(name, content)| Some((name, Object::of(content)?)))
        else {
            return;
        };
        let index = content.u64("contentBlockIndex").unwrap_or(0);
        match name {
            "messageStart" => self.reader.start(out),
            "contentBlockStart" => {
                let Some(start) = content.object("start") else { return };
                match start.object("toolUse") {
                    Some(call) => self.reader.call(index, &call, out),
                    None => self.reader.skip(index, out),
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = content.object("delta") {
                    self.delta(index, &delta, out);
                }
            }
            "contentBlockStop" => self.reader.close(index, out),
            "messageStop" => self.reader.finish(content.str("stopReason").as_deref(), out),
            "metadata" => {
                if let Some(usage) = content.object("usage") {
                    self.reader.usage(&usage, out);
                }
            }
            name if name.ends_with("Exception") => self.reader.error(name, &content, data, out),
            _ => {}
        }
    }

    fn delta(&mut self, index: u64, delta: &Object<'_>, out: &mut Vec<Event>) {
        if let Some(text) = delta.string("text") {
            self.reader.text(index, text, out);
        } else if let Some(call) = delta.object("toolUse") {
            self.reader.input(index, call.string("input").unwrap_or_default(), out);
        } else if let Some(content) = delta.object("reasoningContent") {
            self.reader.reasoning(index, &content, out);
        } else if let Some(citation) = delta.object("citation") {
            self.reader.citation(index, &citation, out);
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
            reader.push(event.as_bytes(), &mut out);
        }
        reader.finish(&mut out);
        out
    }

    fn delta(text: &str) -> Event {
        Event::Delta(text.to_owned())
    }

    fn call(id: &str) -> Event {
        Event::Open(Block::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            namespace: None,
            custom: false,
        })
    }

    const START: Event = Event::Start { id: None, model: None, created: None };

    #[test]
    fn a_stream_becomes_events() {
        let events = read(&[
            r#"{"messageStart":{"p":"abc","role":"assistant"}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}},"p":"a"}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"Eq"}}}}"#,
            r#"{"contentBlockStop":{"contentBlockIndex":0}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"text":"Hi"}}}"#,
            r#"{"contentBlockStart":{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"s","name":"x","type":"server_tool_use"}}}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{}"}}}}"#,
            r#"{"contentBlockStop":{"contentBlockIndex":2}}"#,
            r#"{"contentBlockStart":{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\""}}}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":3,"delta":{"toolUse":{"input":":1}"}}}}"#,
            r#"{"contentBlockStart":{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"u","name":"f"}}}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":4,"delta":{"toolUse":{"input":""}}}}"#,
            r#"{"contentBlockStop":{"contentBlockIndex":4}}"#,
            r#"{"messageStop":{"stopReason":"tool_use"}}"#,
            r#"{"metadata":{"usage":{"inputTokens":3,"cacheReadInputTokens":4,"outputTokens":9}}}"#,
        ]);
        let signature = Opaque { kind: OpaqueKind::Signature, data: "Eq".to_owned(), id: None, owner: None };
        let usage =
            TokenUsage { input: Some(7), cache_read: Some(4), output: Some(9), ..TokenUsage::default() };
        let expected = [
            START,
            Event::Open(Block::Reasoning),
            delta("hm"),
            Event::Opaque(signature),
            Event::Close,
            Event::Open(Block::Text),
            delta("Hi"),
            Event::Close,
            call("t"),
            delta(r#"{"a""#),
            delta(":1}"),
            Event::Close,
            call("u"),
            delta("{}"),
            Event::Close,
            Event::Finish(Finish::new(FinishReason::ToolCalls)),
            Event::Usage(usage),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn an_exception_ends_everything() {
        let events = read(&[
            r#"{"messageStart":{"role":"assistant"}}"#,
            r#"{"serviceUnavailableException":{"message":"busy"}}"#,
            r#"{"messageStop":{"stopReason":"end_turn"}}"#,
        ]);
        assert!(
            matches!(&events[..], [START, Event::Error(error)] if error.status == 503 && error.message == "busy")
        );
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        for data in [
            "",
            "null",
            "{}",
            "[]",
            r#"{"contentBlockStop":{}}"#,
            r#"{"contentBlockDelta":{"delta":{"text":""}}}"#,
        ] {
            assert_eq!(read(&[data]), []);
        }
        assert_eq!(read(&[r#"{"contentBlockStart":{"start":{"image":{"format":"png"}}}}"#])[0], START);
    }

    #[test]
    fn reasons() {
        for (reason, expected) in [
            ("end_turn", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("guardrail_intervened", FinishReason::Filtered),
            ("content_filtered", FinishReason::Filtered),
            ("malformed_tool_use", FinishReason::Malformed),
            ("model_context_window_exceeded", FinishReason::ContextFull),
            ("new", FinishReason::Stop),
        ] {
            let events = read(&[&format!(r#"{{"messageStop":{{"stopReason":"{reason}"}}}}"#)]);
            assert_eq!(events, [START, Event::Finish(Finish::new(expected))]);
        }
    }
}
