//! Writes a stream's events as SSE.

use super::answer_writer::{self, Seen};
use crate::envelope;
use crate::form::{Block, Event, Finish, FinishReason, OpaqueKind, StreamError, TokenUsage};
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
    seen: Seen,
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
        sealed: Option<String>,
    },
    Call(Input),
    /// Nothing that this format has.
    Left,
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
            seen: Seen::default(),
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
                if let Some(Open::Thinking { sealed, is_begun }) = &mut self.open {
                    // Text that its maker wants back is nothing without the text.
                    if *is_begun || opaque.kind != OpaqueKind::Plain {
                        *sealed = Some(envelope::seal(opaque, &self.context.owner));
                    }
                }
            }
            // The format's own citations of the web hold a value that only Anthropic can make.
            Event::Citation(_) => {}
            Event::Close => self.close(out),
            Event::Finish(finish) if finish.reason == FinishReason::Malformed => {
                self.fail(&malformed(finish), out)
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
        let delta = answer_writer::stop(ObjectWriter::new(), &finish, self.seen);
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
                self.seen.refusal = true;
                Open::Text { is_begun: false }
            }
            Block::Reasoning => Open::Thinking { is_begun: false, sealed: None },
            Block::ToolCall { id, name, custom, .. } => {
                self.seen.calls = true;
                let call =
                    ObjectWriter::of_type("tool_use").str("id", id).str("name", name).json("input", "{}");
                self.begin(call, out);
                Open::Call(match custom {
                    true => Input::Wrapped { text: String::new(), is_freeform: true },
                    false => Input::Nothing,
                })
            }
            Block::Media { .. } => Open::Left,
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
            Some(Open::Thinking { is_begun, sealed }) => {
                if !is_begun {
                    self.begin(
                        ObjectWriter::of_type("thinking").str("thinking", "").str("signature", ""),
                        out,
                    );
                }
                self.piece("thinking_delta", "thinking", text, out);
                self.open = Some(Open::Thinking { is_begun: true, sealed });
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
            Some(Open::Thinking { is_begun: true, sealed }) => {
                if let Some(sealed) = sealed {
                    self.piece("signature_delta", "signature", &sealed, out);
                }
            }
            Some(Open::Thinking { is_begun: false, sealed: Some(sealed) }) => {
                self.begin(ObjectWriter::of_type("redacted_thinking").str("data", &sealed), out);
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
