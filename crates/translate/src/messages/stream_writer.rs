//! Writes a stream's events as SSE.

use super::answer_writer::{self, AnswerParts};
use crate::form::{Block, Event, Finish, FinishReason, Opaque, StreamError, TokenUsage};
use crate::json::ObjectWriter;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: AnswerContext,
    is_started: bool,
    /// An error was written: nothing may follow.
    is_over: bool,
    /// The index of the next block.
    index: u64,
    open: Option<Open>,
    parts: AnswerParts,
    finish: Option<Finish>,
    usage: TokenUsage,
}

/// The block in work. It is begun with its first content: an empty text could not be sent back, and reasoning without
/// text is another kind of block.
#[derive(Debug)]
enum Open {
    Text {
        is_begun: bool,
    },
    Thinking {
        is_begun: bool,
        opaque: Option<Opaque>,
    },
    Call(Input),
    /// Nothing that this format has.
    Skipped,
}

/// A call's arguments.
#[derive(Debug)]
enum Input {
    /// Nothing came yet but blanks.
    Nothing,
    /// An object: passed on as it comes.
    Object,
    /// No object, or text: wrapped in one when all of it is there.
    Wrapped { text: String, is_freeform: bool },
}

impl StreamWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            context,
            is_started: false,
            is_over: false,
            index: 0,
            open: None,
            parts: AnswerParts::default(),
            finish: None,
            usage: TokenUsage::default(),
        }
    }

    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        match event {
            Event::Start { id, model, .. } => self.start(id.as_deref(), model.as_deref(), out),
            Event::Open(block) => self.open(block, out),
            Event::Delta(text) => self.delta(text, out),
            Event::Opaque(opaque) => {
                if let Some(Open::Thinking { opaque: known, .. }) = &mut self.open {
                    *known = Some(opaque.clone());
                }
            }
            // The format's own citations of the web hold a value that only Anthropic can make.
            Event::Citation(_) => {}
            Event::Close => self.close(out),
            Event::Finish(finish) if finish.reason == FinishReason::Malformed => {
                self.fail(&malformed(finish), out);
            }
            Event::Finish(finish) => {
                self.close(out);
                self.finish = Some(finish.clone());
            }
            Event::Usage(usage) => self.usage = self.usage.updated_by(*usage),
            Event::Error(error) => self.fail(error, out),
        }
    }

    /// The stream ended as it should: the end marker, if the format has one.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let Some(finish) = self.finish.take().filter(|_| !self.is_over) else { return };
        self.is_over = true;
        self.start(None, None, out);
        let delta = answer_writer::stop(ObjectWriter::new(), &finish, self.parts);
        let event = ObjectWriter::of_type("message_delta")
            .object("delta", delta)
            .object("usage", answer_writer::usage(self.usage));
        write("message_delta", event, out);
        write("message_stop", ObjectWriter::of_type("message_stop"), out);
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if self.is_started {
            return;
        }
        self.is_started = true;
        // The counts are known at the end only; `message_delta` overwrites these.
        let message = ObjectWriter::new()
            .str("id", &answer_writer::id(id, &self.context))
            .str("type", "message")
            .str("role", "assistant")
            .str("model", model.unwrap_or(&self.context.owner.model))
            .json("content", "[]")
            .null("stop_reason")
            .null("stop_sequence")
            .object("usage", answer_writer::usage(TokenUsage::default()));
        write("message_start", ObjectWriter::of_type("message_start").object("message", message), out);
    }

    fn open(&mut self, block: &Block, out: &mut Vec<u8>) {
        self.close(out);
        self.start(None, None, out);
        self.open = Some(match block {
            Block::Text => Open::Text { is_begun: false },
            Block::Refusal => {
                self.parts.refusal = true;
                Open::Text { is_begun: false }
            }
            Block::Reasoning => Open::Thinking { is_begun: false, opaque: None },
            Block::ToolCall { id, name, custom, .. } => {
                self.parts.calls = true;
                let call = answer_writer::call(id, name).json("input", "{}");
                self.begin(call, out);
                Open::Call(match custom {
                    true => Input::Wrapped { text: String::new(), is_freeform: true },
                    false => Input::Nothing,
                })
            }
            Block::Media { .. } => Open::Skipped,
        });
    }

    fn delta(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self.open.take() {
            Some(Open::Text { is_begun }) => {
                if !is_begun {
                    self.begin(ObjectWriter::of_type("text").str("text", ""), out);
                }
                self.piece("text_delta", "text", text, out);
                self.open = Some(Open::Text { is_begun: true });
            }
            Some(Open::Thinking { is_begun, opaque }) => {
                if !is_begun {
                    self.begin(
                        ObjectWriter::of_type("thinking").str("thinking", "").str("signature", ""),
                        out,
                    );
                }
                self.piece("thinking_delta", "thinking", text, out);
                self.open = Some(Open::Thinking { is_begun: true, opaque });
            }
            Some(Open::Call(input)) => self.open = Some(Open::Call(self.arguments(input, text, out))),
            left => self.open = left,
        }
    }

    fn arguments(&self, input: Input, text: &str, out: &mut Vec<u8>) -> Input {
        match input {
            Input::Nothing if text.trim_start().is_empty() => Input::Nothing,
            Input::Nothing if !text.trim_start().starts_with('{') => {
                Input::Wrapped { text: text.to_owned(), is_freeform: false }
            }
            Input::Nothing | Input::Object => {
                self.piece("input_json_delta", "partial_json", text, out);
                Input::Object
            }
            Input::Wrapped { text: mut so_far, is_freeform } => {
                so_far.push_str(text);
                Input::Wrapped { text: so_far, is_freeform }
            }
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take() {
            Some(Open::Text { is_begun: true }) => {}
            Some(Open::Thinking { is_begun, opaque }) => {
                match answer_writer::sealed(opaque.as_ref(), is_begun, &self.context) {
                    Some(sealed) if is_begun => self.piece("signature_delta", "signature", &sealed, out),
                    Some(sealed) => {
                        self.begin(ObjectWriter::of_type("redacted_thinking").str("data", &sealed), out);
                    }
                    None => return,
                }
            }
            Some(Open::Call(input)) => {
                if let Input::Wrapped { text, is_freeform } = input {
                    let input = match is_freeform {
                        true => answer_writer::freeform_input(&text),
                        false => answer_writer::input_object(&text),
                    };
                    self.piece("input_json_delta", "partial_json", &input, out);
                }
            }
            _ => return,
        }
        let event = ObjectWriter::of_type("content_block_stop").u64("index", self.index);
        write("content_block_stop", event, out);
        self.index += 1;
    }

    fn begin(&self, block: ObjectWriter, out: &mut Vec<u8>) {
        let event = ObjectWriter::of_type("content_block_start")
            .u64("index", self.index)
            .object("content_block", block);
        write("content_block_start", event, out);
    }

    fn piece(&self, kind: &str, field: &str, text: &str, out: &mut Vec<u8>) {
        let delta = ObjectWriter::of_type(kind).str(field, text);
        let event =
            ObjectWriter::of_type("content_block_delta").u64("index", self.index).object("delta", delta);
        write("content_block_delta", event, out);
    }

    fn fail(&mut self, error: &StreamError, out: &mut Vec<u8>) {
        self.is_over = true;
        write("error", answer_writer::error(error), out);
    }
}

/// A model that failed in the middle of its answer has not finished it.
fn malformed(finish: &Finish) -> StreamError {
    let message = finish.detail.clone().unwrap_or_else(|| "the model's answer was malformed".to_owned());
    StreamError { status: 500, error_type: None, code: None, message }
}

fn write(name: &str, event: ObjectWriter, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(event.finish().as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::StreamWriter;
    use crate::form::{Block, Event, Finish, FinishReason, Opaque, OpaqueKind, StreamError, TokenUsage};
    use crate::messages::write_response;
    use crate::target::AnswerContext;

    fn stream(events: &[Event]) -> String {
        let mut writer = StreamWriter::new(AnswerContext::for_test());
        let mut out = Vec::new();
        for event in events {
            writer.push(event, &mut out);
        }
        writer.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn delta(text: &str) -> Event {
        Event::Delta(text.to_owned())
    }

    fn opaque() -> Event {
        Event::Opaque(Opaque { kind: OpaqueKind::Encrypted, data: "x".to_owned(), id: None, owner: None })
    }

    fn call(custom: bool) -> Event {
        Event::Open(Block::ToolCall { id: "c".to_owned(), name: "f".to_owned(), namespace: None, custom })
    }

    fn finish(reason: FinishReason) -> Event {
        Event::Finish(Finish::new(reason))
    }

    const START: Event = Event::Start { id: None, model: None, created: None };

    #[test]
    fn every_event_stands_in_its_place() {
        let events = [
            START,
            Event::Open(Block::Reasoning),
            delta("hm"),
            opaque(),
            Event::Close,
            Event::Open(Block::Text),
            delta(""),
            Event::Close,
            Event::Open(Block::Reasoning),
            opaque(),
            Event::Close,
            call(false),
            delta(r#"{"a""#),
            delta(":1}"),
            Event::Close,
            finish(FinishReason::Stop),
            Event::Usage(TokenUsage {
                input: Some(9),
                cache_read: Some(4),
                cache_write: Some(1),
                output: Some(5),
                reasoning: Some(2),
            }),
        ];
        let sealed = "c3dpdGNoYm9hcmQ6djE6ZW5jcnlwdGVkCnAKbQoKeA==";
        let expected = [
            r#"{"type":"message_start","message":{"id":"msg_4f1a116a70d9811d","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}"#.to_owned(),
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#.to_owned(),
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#.to_owned(),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"signature_delta","signature":"{sealed}"}}}}"#),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
            format!(r#"{{"type":"content_block_start","index":1,"content_block":{{"type":"redacted_thinking","data":"{sealed}"}}}}"#),
            r#"{"type":"content_block_stop","index":1}"#.to_owned(),
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}}"#.to_owned(),
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#.to_owned(),
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#.to_owned(),
            r#"{"type":"content_block_stop","index":2}"#.to_owned(),
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":4,"cache_creation_input_tokens":1,"cache_read_input_tokens":4,"output_tokens":5,"output_tokens_details":{"thinking_tokens":2}}}"#.to_owned(),
            r#"{"type":"message_stop"}"#.to_owned(),
        ];
        let written = stream(&events);
        let data: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(data, expected);
        let named = |data: &str| format!("event: {}\n", data.split('"').nth(3).unwrap());
        assert!(data.iter().all(|data| written.contains(&named(data))));
    }

    #[test]
    fn inputs_that_are_no_objects_are_wrapped() {
        for (events, input) in [
            (vec![call(true), delta("*** "), delta("\"x\"")], r#""{\"input\":\"*** \\\"x\\\"\"}""#),
            (vec![call(false), delta("nu"), delta("ll")], r#""{}""#),
            (vec![call(false), delta("[1]")], r#""{\"_raw\":\"[1]\"}""#),
        ] {
            let written =
                stream(&[vec![START], events, vec![Event::Close, finish(FinishReason::Stop)]].concat());
            assert!(written.contains(&format!(r#""partial_json":{input}}}"#)), "{written}");
        }
    }

    #[test]
    fn nothing_follows_an_error() {
        let error =
            StreamError { status: 429, error_type: None, code: None, message: "slow down".to_owned() };
        let written = stream(&[START, Event::Error(error), Event::Open(Block::Text), delta("x")]);
        let (_, end) = written.split_once("\n\n").unwrap();
        assert_eq!(
            end,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow down\"}}\n\n"
        );
        assert!(stream(&[START, finish(FinishReason::Malformed)]).contains("api_error"));
    }

    #[test]
    fn reasons_to_stop_keep_their_class() {
        for (open, reason, expected) in [
            (Event::Open(Block::Text), FinishReason::Stop, "end_turn"),
            (Event::Open(Block::Refusal), FinishReason::Stop, "refusal"),
            (Event::Open(Block::Text), FinishReason::Filtered, "refusal"),
            (call(false), FinishReason::Stop, "tool_use"),
            (call(false), FinishReason::Length, "max_tokens"),
            (Event::Open(Block::Text), FinishReason::ContextFull, "model_context_window_exceeded"),
            (Event::Open(Block::Text), FinishReason::Paused, "pause_turn"),
        ] {
            let events = [START, open, delta("{}"), Event::Close, finish(reason)];
            let expected = format!(r#""stop_reason":"{expected}""#);
            assert!(stream(&events).contains(&expected), "{reason:?}");
            assert!(write_response(&events, &AnswerContext::for_test()).contains(&expected), "{reason:?}");
        }
    }
}
