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
            Piece::Detail(json) => list("reasoning_details", &json),
            Piece::Annotation(json) => list("annotations", &json),
            Piece::Image(json) => list("images", &json),
            Piece::Call { id, name, custom } => {
                let (kind, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
                let call =
                    ObjectWriter::new().json("index", &index.to_string()).str("id", &id).str("type", kind);
                let call = call.object(kind, ObjectWriter::new().str("name", &name).str(input, ""));
                list("tool_calls", &call.finish())
            }
            // Id, type and name are not said again: the SDKs would join them, or complain.
            Piece::Arguments { text, custom } => {
                let (kind, input) = if custom { ("custom", "input") } else { ("function", "arguments") };
                let call = ObjectWriter::new().json("index", &index.to_string());
                list("tool_calls", &call.object(kind, ObjectWriter::new().str(input, &text)).finish())
            }
        };
        self.delta(delta, out);
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
        self.choice(ObjectWriter::new(), Some(finish::word(finish.reason)), out);
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

fn list(field: &str, item: &str) -> ObjectWriter {
    let mut list = ArrayWriter::new();
    list.push_json(item);
    ObjectWriter::new().array(field, list)
}

fn write_data(json: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(json.as_bytes());
    out.extend_from_slice(b"\n\n");
}
