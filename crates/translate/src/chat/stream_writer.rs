//! Writes a stream's events as SSE.

use super::pieces::{Piece, Pieces};
use super::response_writer::Head;
use super::{failure, finish, usage};
use crate::form::{Event, Finish, FinishReason, StreamError, TokenUsage};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamWriter {
    context: AnswerContext,
    /// `None`: nothing was written yet.
    head: Option<Head>,
    pieces: Pieces,
    ready: Vec<Piece>,
    usage: TokenUsage,
    /// How many there are so far.
    annotations: usize,
    images: usize,
    failed: bool,
}

impl StreamWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            pieces: Pieces::new(context.owner.clone()),
            context,
            head: None,
            ready: Vec::new(),
            usage: TokenUsage::default(),
            annotations: 0,
            images: 0,
            failed: false,
        }
    }

    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        match event {
            Event::Start { id, model, created } => self.start(id.as_deref(), model.as_deref(), *created, out),
            Event::Finish(finish) => self.end(finish, out),
            Event::Usage(told) => self.usage = self.usage.updated_by(*told),
            Event::Error(error) => self.fail(error, out),
            other => {
                let mut ready = std::mem::take(&mut self.ready);
                self.pieces.push(other, &mut ready);
                for piece in ready.drain(..) {
                    self.piece(piece, out);
                }
                self.ready = ready;
            }
        }
    }

    /// The stream ended as it should: usage, and the end marker.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        if let (true, Some(usage)) = (self.context.include_usage, usage::write(self.usage)) {
            let chunk = self.chunk().array("choices", ArrayWriter::new()).object("usage", usage);
            write_data(&chunk.finish(), out);
        }
        write_data("[DONE]", out);
    }

    /// The first chunk alone has the role: the SDKs join what comes again.
    fn start(&mut self, id: Option<&str>, model: Option<&str>, created: Option<u64>, out: &mut Vec<u8>) {
        if self.head.is_none() {
            self.head = Some(Head::of(id, model, created, &self.context));
            self.delta(ObjectWriter::new().str("role", "assistant").str("content", ""), out);
        }
    }

    fn piece(&mut self, piece: Piece, out: &mut Vec<u8>) {
        self.start(None, None, None, out);
        let index = self.pieces.calls().saturating_sub(1);
        let delta = match piece {
            Piece::Text(text) => ObjectWriter::new().str("content", &text),
            Piece::Refusal(text) => ObjectWriter::new().str("refusal", &text),
            Piece::Reasoning(text) => ObjectWriter::new().str("reasoning_content", &text),
            Piece::Detail(item) => list("reasoning_details", item),
            Piece::Annotation(item) => self.numbered("annotations", item),
            Piece::Image(item) => self.numbered("images", item),
            Piece::Call { id, name, custom } => {
                let (kind, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
                let call =
                    ObjectWriter::new().json("index", &index.to_string()).str("id", &id).str("type", kind);
                let call = call.object(kind, ObjectWriter::new().str("name", &name).str(input, ""));
                list("tool_calls", call)
            }
            // Id, type and name are not said again: the SDKs would join them, or complain.
            Piece::Arguments { text, custom } => {
                let (kind, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
                let call = ObjectWriter::new().json("index", &index.to_string());
                list("tool_calls", call.object(kind, ObjectWriter::new().str(input, &text)))
            }
        };
        self.delta(delta, out);
    }

    /// An item of a list that comes one by one. OpenAI's helper puts such lists together by index.
    fn numbered(&mut self, field: &'static str, item: ObjectWriter) -> ObjectWriter {
        let count = if field == "images" { &mut self.images } else { &mut self.annotations };
        let item = item.json("index", &count.to_string());
        *count += 1;
        list(field, item)
    }

    fn end(&mut self, finish: &Finish, out: &mut Vec<u8>) {
        self.start(None, None, None, out);
        if finish.reason == FinishReason::Malformed {
            let message = finish.detail.clone();
            let message =
                message.unwrap_or_else(|| "the model produced an answer that cannot be used".to_owned());
            self.fail(&StreamError { status: 502, error_type: None, code: None, message }, out);
            return;
        }
        self.choice(ObjectWriter::new(), Some(finish::as_str(finish.reason)), out);
    }

    /// An error is the last that is written: no end marker may follow.
    fn fail(&mut self, error: &StreamError, out: &mut Vec<u8>) {
        self.failed = true;
        write_data(&failure::write(error), out);
    }

    fn delta(&mut self, delta: ObjectWriter, out: &mut Vec<u8>) {
        self.choice(delta, None, out);
    }

    fn choice(&mut self, delta: ObjectWriter, reason: Option<&str>, out: &mut Vec<u8>) {
        let choice = ObjectWriter::new().u64("index", 0).object("delta", delta).null("logprobs");
        let choice = match reason {
            Some(reason) => choice.str("finish_reason", reason),
            None => choice.null("finish_reason"),
        };
        let chunk = self.chunk().array("choices", [choice].into_iter().collect());
        let chunk = if self.context.include_usage { chunk.null("usage") } else { chunk };
        write_data(&chunk.finish(), out);
    }

    fn chunk(&mut self) -> ObjectWriter {
        let head = self.head.get_or_insert_with(|| Head::of(None, None, None, &self.context));
        head.write("chat.completion.chunk")
    }
}

fn list(field: &str, item: ObjectWriter) -> ObjectWriter {
    ObjectWriter::new().array(field, [item].into_iter().collect())
}

fn write_data(json: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(json.as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::StreamWriter;
    use crate::chat::testing::context;
    use crate::chat::write_response;
    use crate::form::{
        Block, Citation, Event, Finish, FinishReason, Opaque, OpaqueKind, StreamError, TokenUsage,
    };

    fn start() -> Event {
        Event::Start { id: Some("a".to_owned()), model: Some("x".to_owned()), created: Some(7) }
    }

    fn delta(text: &str) -> Event {
        Event::Delta(text.to_owned())
    }

    fn call(id: &str, custom: bool) -> Event {
        Event::Open(Block::ToolCall { id: id.to_owned(), name: "f".to_owned(), namespace: None, custom })
    }

    fn finish(reason: FinishReason) -> Event {
        Event::Finish(Finish::new(reason))
    }

    /// The lines without what heads each chunk.
    fn written(events: &[Event], include_usage: bool) -> String {
        let mut writer = StreamWriter::new(crate::target::AnswerContext { include_usage, ..context() });
        let mut out = Vec::new();
        events.iter().for_each(|event| writer.push(event, &mut out));
        writer.finish(&mut out);
        let head = r#"data: {"id":"a","object":"chat.completion.chunk","created":7,"model":"x","#;
        String::from_utf8(out)
            .unwrap()
            .replace(head, "")
            .replace(r#""logprobs":null,"#, "")
            .replace("\n\n", "\n")
    }

    fn choice(delta: &str) -> String {
        format!(r#""choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
    }

    #[test]
    fn a_stream_stands_in_order() {
        let events = [
            start(),
            Event::Open(Block::Text),
            delta("hi"),
            Event::Close,
            call("c0", false),
            delta("{"),
            delta("}"),
            Event::Close,
            call("c1", false),
            Event::Close,
            Event::Usage(TokenUsage { input: Some(1), output: Some(2), ..TokenUsage::default() }),
            finish(FinishReason::ToolCalls),
        ];
        let expected = [
            choice(r#"{"role":"assistant","content":""}"#),
            choice(r#"{"content":"hi"}"#),
            choice(
                r#"{"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}}]}"#,
            ),
            choice(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#),
            choice(r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#),
            choice(
                r#"{"tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}"#,
            ),
            choice(r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#),
            r#""choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
            "data: [DONE]\n".to_owned(),
        ];
        assert_eq!(written(&events, false), expected.join("\n"));
        let usage = r#""choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3"#;
        let with_usage = written(&events, true);
        let tail = with_usage.rsplit(r#""finish_reason":"tool_calls"}],"usage":null}"#).next().unwrap();
        assert!(tail.trim_start().starts_with(usage) && tail.ends_with("data: [DONE]\n"), "{tail}");
    }

    #[test]
    fn nothing_follows_an_error() {
        let error = StreamError { status: 503, error_type: None, code: None, message: "boom".to_owned() };
        let events = [start(), Event::Error(error), Event::Open(Block::Text), delta("x")];
        let line = r#"data: {"error":{"message":"boom","type":"server_error","param":null,"code":null}}"#;
        assert!(written(&events, true).ends_with(&format!("{line}\n")));
        assert!(!written(&[start(), finish(FinishReason::Malformed)], true).contains("[DONE]"));
    }

    #[test]
    fn reasoning_text_and_sources_have_their_places() {
        let opaque = Opaque { kind: OpaqueKind::Signature, data: "S".to_owned(), id: None, owner: None };
        let citation = Citation { url: "u".to_owned(), title: None, cited_text: None, span: Some((1, 2)) };
        let events = [
            start(),
            Event::Open(Block::Reasoning),
            delta("r"),
            Event::Opaque(opaque.clone()),
            Event::Close,
            Event::Open(Block::Text),
            delta("ab"),
            Event::Close,
            Event::Open(Block::Reasoning),
            Event::Opaque(opaque),
            Event::Close,
            Event::Open(Block::Text),
            delta("cd"),
            Event::Citation(citation),
            Event::Close,
            call("c0", true),
            delta("raw"),
            Event::Close,
            finish(FinishReason::ToolCalls),
        ];
        let streamed = written(&events, false);
        let sealed = "c3dpdGNoYm9hcmQ6djE6c2lnbmF0dXJlCnAKbQoKUw==";
        let plain = write_response(&events, &context());
        for whole in [
            format!(r#"{{"type":"reasoning.encrypted","data":"{sealed}","content":"r","index":0}}"#),
            format!(r#"{{"type":"reasoning.encrypted","data":"{sealed}","index":2}}"#),
        ] {
            assert!(streamed.contains(&whole) && plain.contains(&whole), "{whole} in {plain} {streamed}");
        }
        // Two texts with something between them do not run together, and annotations count over both.
        assert!(plain.contains(r#""content":"ab\n\ncd","refusal":null,"reasoning_content":"r""#), "{plain}");
        assert!(plain.contains(r#""start_index":5,"end_index":6"#), "{plain}");
        assert!(
            plain.contains(r#"{"id":"c0","type":"custom","custom":{"name":"f","input":"raw"}}"#),
            "{plain}"
        );
    }

    #[test]
    fn what_is_not_said_is_derived() {
        let events = [Event::Start { id: None, model: None, created: None }, finish(FinishReason::Stop)];
        let first = write_response(&events, &context());
        assert_eq!(first, write_response(&events, &context()));
        assert!(first.starts_with(r#"{"id":"chatcmpl-"#), "{first}");
        assert!(first.contains(r#""created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":null}"#), "{first}");
    }
}
