//! An answer in the making: takes events, and tells what this API's stream says of each.
//!
//! A plain response is what the stream ends with, so both come from here.
//!
//! An item stays open until something else begins: texts that follow each other are parts of one message, and only the
//! end tells whether the last item was cut.

use super::item::{Call, ContentPart, Item, Status, summary};
use super::snapshot::{Head, Snapshot};
use super::terminal::End;
use crate::form::{Block, Event, Finish, FinishReason, StreamError, TokenUsage};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::names::{RESPONSES_CALL_ID, fit};
use crate::target::AnswerContext;

/// Takes the events of a stream.
pub(super) trait Sink {
    /// `fields` come behind the type and the sequence number.
    fn event(&mut self, kind: &str, fields: impl FnOnce(ObjectWriter) -> ObjectWriter);
}

#[derive(Debug)]
pub(super) struct AnswerFold {
    context: AnswerContext,
    head: Head,
    started: bool,
    /// The items that are done.
    output: ArrayWriter,
    /// How many items there are, the open one included.
    count: usize,
    open: Option<Open>,
    /// A part of a message, of a refusal or not, of which nothing has come yet.
    awaited: Option<bool>,
    refused: bool,
    usage: Option<TokenUsage>,
    finish: Option<Finish>,
    error: Option<StreamError>,
}

/// The item that is open.
#[derive(Debug)]
struct Open {
    item: Item,
    id: String,
    index: usize,
    part: Option<ContentPart>,
}

impl Open {
    fn at(&self, event: ObjectWriter) -> ObjectWriter {
        event.str("item_id", &self.id).u64("output_index", self.index as u64)
    }

    fn at_part(&self, event: ObjectWriter) -> ObjectWriter {
        let count = if let Item::Message { count, .. } = &self.item { *count } else { 0 };
        self.at(event).u64("content_index", count as u64)
    }
}

impl AnswerFold {
    pub(super) fn new(context: AnswerContext) -> Self {
        Self {
            head: Head::new(&context),
            context,
            started: false,
            output: ArrayWriter::new(),
            count: 0,
            open: None,
            awaited: None,
            refused: false,
            usage: None,
            finish: None,
            error: None,
        }
    }

    pub(super) fn push(&mut self, event: &Event, sink: &mut impl Sink) {
        if self.error.is_some() {
            return;
        }
        match event {
            Event::Start { id, model, created } => {
                if !self.started {
                    self.head.update(id.as_deref(), model.as_deref(), *created);
                }
                self.start(sink);
            }
            Event::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().updated_by(*usage)),
            Event::Open(Block::Reasoning) => {
                self.open_item(Item::Reasoning { text: String::new(), opaque: None }, sink);
            }
            Event::Open(Block::Text) => self.awaited = Some(false),
            Event::Open(Block::Refusal) => self.awaited = Some(true),
            Event::Open(Block::ToolCall { id, name, namespace, custom }) => {
                let call = Call {
                    id: fit(id, RESPONSES_CALL_ID).into_owned(),
                    name: name.clone(),
                    namespace: namespace.clone(),
                    custom: *custom,
                    input: String::new(),
                };
                self.open_item(Item::Call(call), sink);
            }
            Event::Open(Block::Media { media_type }) => {
                self.close_item(Status::Completed, sink);
                if media_type.starts_with("image/") {
                    self.open_item(Item::Image { data: String::new() }, sink);
                }
            }
            Event::Delta(text) => self.delta(text, sink),
            Event::Opaque(opaque) => {
                if let Some(Item::Reasoning { opaque: kept, .. }) =
                    self.open.as_mut().map(|open| &mut open.item)
                {
                    *kept = Some(opaque.clone());
                }
            }
            Event::Citation(citation) => {
                if let Some(part) = self.open.as_mut().and_then(|open| open.part.as_mut()) {
                    part.citations.push(citation.clone());
                }
            }
            Event::Close => {
                self.awaited = None;
                self.close_part(sink);
            }
            Event::Finish(finish) => self.end(finish, sink),
            Event::Error(error) => self.fail(error.clone(), sink),
        }
    }

    /// The stream ended as it should: says how.
    pub(super) fn finish(&mut self, sink: &mut impl Sink) {
        if self.error.is_some() {
            return;
        }
        match &self.finish {
            Some(_) => {
                let end = self.how();
                self.start(sink);
                sink.event(&format!("response.{}", end.status()), |event| {
                    event.json("response", &self.response())
                });
            }
            // Never a made-up end.
            None if self.started => {
                self.fail(failure("the stream ended before the answer was complete"), sink);
            }
            None => {}
        }
    }

    /// The response as it stands at the end.
    pub(super) fn response(&self) -> String {
        let snapshot = Snapshot {
            end: Some(self.how()),
            output: Some(&self.output),
            usage: self.usage,
            error: self.error.as_ref(),
        };
        self.head.render(&snapshot, &self.context.echo)
    }

    fn how(&self) -> End {
        match (&self.error, &self.finish) {
            (Some(_), _) => End::Failed,
            (None, Some(finish)) => End::of(finish, self.refused),
            (None, None) => End::Completed,
        }
    }

    fn start(&mut self, sink: &mut impl Sink) {
        if !std::mem::replace(&mut self.started, true) {
            let response = self.head.render(&Snapshot::default(), &self.context.echo);
            sink.event("response.created", |event| event.json("response", &response));
            sink.event("response.in_progress", |event| event.json("response", &response));
        }
    }

    fn open_item(&mut self, item: Item, sink: &mut impl Sink) {
        self.start(sink);
        self.close_item(Status::Completed, sink);
        let index = self.count;
        let open = Open { id: item.id(&self.head.id, index), item, index, part: None };
        // Nothing is said of reasoning until there is some.
        let is_reasoning = matches!(open.item, Item::Reasoning { .. });
        self.open = Some(open);
        if !is_reasoning {
            self.add_item(sink);
        }
    }

    fn add_item(&mut self, sink: &mut impl Sink) {
        let Some(open) = &self.open else { return };
        self.count += 1;
        let json = open.item.json(&open.id, Status::InProgress, &self.context.owner);
        sink.event("response.output_item.added", |event| {
            event.u64("output_index", open.index as u64).json("item", &json)
        });
        if matches!(open.item, Item::Image { .. }) {
            sink.event("response.image_generation_call.in_progress", |event| open.at(event));
            sink.event("response.image_generation_call.generating", |event| open.at(event));
        }
    }

    fn open_part(&mut self, is_refusal: bool, sink: &mut impl Sink) {
        if !matches!(&self.open, Some(Open { item: Item::Message { .. }, .. })) {
            self.open_item(Item::Message { parts: ArrayWriter::new(), count: 0 }, sink);
        }
        self.close_part(sink);
        self.refused |= is_refusal;
        let Some(open) = &mut self.open else { return };
        open.part = Some(ContentPart::new(is_refusal));
        let empty = ContentPart::new(is_refusal).json();
        sink.event("response.content_part.added", |event| open.at_part(event).object("part", empty));
    }

    fn delta(&mut self, text: &str, sink: &mut impl Sink) {
        if text.is_empty() {
            return;
        }
        // Nothing is said of a part until there is some, lest there be empty messages.
        if let Some(is_refusal) = self.awaited.take() {
            self.open_part(is_refusal, sink);
        }
        if let Some(Open { item: Item::Reasoning { text: so_far, .. }, .. }) = &self.open
            && so_far.is_empty()
        {
            self.add_item(sink);
            if let Some(open) = &self.open {
                sink.event("response.reasoning_summary_part.added", |event| {
                    open.at(event).u64("summary_index", 0).object("part", summary(""))
                });
            }
        }
        let Some(open) = &mut self.open else { return };
        match (&mut open.item, &mut open.part) {
            (Item::Message { .. }, Some(part)) => {
                part.text.push_str(text);
                if part.is_refusal {
                    sink.event("response.refusal.delta", |event| open.at_part(event).str("delta", text));
                } else {
                    sink.event("response.output_text.delta", |event| {
                        open.at_part(event).str("delta", text).json("logprobs", "[]")
                    });
                }
            }
            (Item::Message { .. }, None) => {}
            (Item::Reasoning { text: so_far, .. }, _) => {
                so_far.push_str(text);
                sink.event("response.reasoning_summary_text.delta", |event| {
                    open.at(event).u64("summary_index", 0).str("delta", text)
                });
            }
            (Item::Call(call), _) => {
                call.input.push_str(text);
                let kind = call_event(call.custom);
                sink.event(&format!("{kind}.delta"), |event| open.at(event).str("delta", text));
            }
            (Item::Image { data }, _) => data.push_str(text),
        }
    }

    /// Ends a part of a message. Items end when something else begins.
    fn close_part(&mut self, sink: &mut impl Sink) {
        let Some(open) = &mut self.open else { return };
        let Some(part) = open.part.take() else { return };
        for (index, annotation) in part.annotations().enumerate() {
            sink.event("response.output_text.annotation.added", |event| {
                open.at_part(event).u64("annotation_index", index as u64).object("annotation", annotation)
            });
        }
        if part.is_refusal {
            sink.event("response.refusal.done", |event| open.at_part(event).str("refusal", &part.text));
        } else {
            sink.event("response.output_text.done", |event| {
                open.at_part(event).str("text", &part.text).json("logprobs", "[]")
            });
        }
        let json = part.json();
        sink.event("response.content_part.done", |event| open.at_part(event).object("part", json.clone()));
        if let Item::Message { parts, count } = &mut open.item {
            parts.push(json);
            *count += 1;
        }
    }

    fn close_item(&mut self, status: Status, sink: &mut impl Sink) {
        self.close_part(sink);
        if let Some(Open { item: Item::Reasoning { text, opaque }, .. }) = &self.open
            && text.is_empty()
        {
            if opaque.is_none() {
                self.open = None;
            } else {
                self.add_item(sink);
            }
        }
        if let Some(Open { item: Item::Call(Call { custom: false, input, .. }), .. }) = &self.open
            && input.is_empty()
        {
            // No arguments at all are an empty object, which clients can parse.
            self.delta("{}", sink);
        }
        let Some(open) = self.open.take() else { return };
        match &open.item {
            Item::Message { .. } => {}
            Item::Reasoning { text, .. } => close_summary(&open, text, sink),
            Item::Call(call) => {
                let kind = call_event(call.custom);
                sink.event(&format!("{kind}.done"), |event| {
                    let event = open.at(event);
                    if call.custom {
                        event.str("input", &call.input)
                    } else {
                        event.str("name", &call.name).str("arguments", &call.input)
                    }
                });
            }
            Item::Image { .. } => {
                sink.event("response.image_generation_call.completed", |event| open.at(event));
            }
        }
        let json = open.item.json(&open.id, status, &self.context.owner);
        sink.event("response.output_item.done", |event| {
            event.u64("output_index", open.index as u64).json("item", &json)
        });
        self.output.push_json(&json);
    }

    fn end(&mut self, finish: &Finish, sink: &mut impl Sink) {
        self.start(sink);
        if finish.reason == FinishReason::Malformed {
            let detail = finish.detail.as_deref().unwrap_or("the model's answer was malformed");
            return self.fail(failure(detail), sink);
        }
        let cut = matches!(End::of(finish, self.refused), End::Incomplete(_));
        self.close_item(if cut { Status::Incomplete } else { Status::Completed }, sink);
        self.finish = Some(finish.clone());
    }

    /// What was begun is not closed, so that nobody takes it for complete.
    fn fail(&mut self, error: StreamError, sink: &mut impl Sink) {
        self.start(sink);
        self.error = Some(error);
        sink.event("response.failed", |event| event.json("response", &self.response()));
    }
}

fn close_summary(open: &Open, text: &str, sink: &mut impl Sink) {
    if !text.is_empty() {
        let at = |event| open.at(event).u64("summary_index", 0);
        sink.event("response.reasoning_summary_text.done", |event| at(event).str("text", text));
        sink.event("response.reasoning_summary_part.done", |event| at(event).object("part", summary(text)));
    }
}

const fn call_event(custom: bool) -> &'static str {
    if custom { "response.custom_tool_call_input" } else { "response.function_call_arguments" }
}

fn failure(message: &str) -> StreamError {
    StreamError { status: 500, error_type: None, code: None, message: message.to_owned() }
}
