//! Reads a stream's events.
//!
//! Items may come interleaved. The common form has one block open at a time, so the first unfinished item is passed on
//! piece by piece. Calls after it wait until it is done, since their arguments cannot be cut in two. Texts do not wait:
//! some servers (llama.cpp) tell of no item that it is done before the very end.

use super::item_reader::{AnswerParts, ItemReader, Source};
use super::response_reader::{end, start};
use super::terminal;
use crate::form::Event;
use crate::json::Object;
use crate::names::derived_id;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(crate) struct StreamReader {
    request_id: String,
    response_id: Option<String>,
    started: bool,
    items: Vec<Slot>,
    /// How many of the items are passed on completely.
    completed: usize,
    parts: AnswerParts,
    over: bool,
}

/// An item and by what events name it. Some servers change an item's id from event to event, so its place counts first.
#[derive(Debug)]
struct Slot {
    index: Option<u64>,
    id: Option<String>,
    item: ItemReader,
}

impl StreamReader {
    pub(crate) fn new(context: &AnswerContext) -> Self {
        Self {
            request_id: context.request_id.clone(),
            response_id: None,
            started: false,
            items: Vec::new(),
            completed: 0,
            parts: AnswerParts::default(),
            over: false,
        }
    }

    /// Takes one event: its SSE name, if it has one, and its data.
    pub(crate) fn push(&mut self, name: Option<&str>, data: &[u8], out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let Some(event) = Object::parse(data) else { return };
        let kind = event.str("type");
        let kind = kind.as_deref().or(name).unwrap_or_default();
        match kind {
            "error" => return self.fail(&event, out),
            _ if event.error().is_some() && !kind.starts_with("response.") => {
                return self.fail(&event, out);
            }
            "response.created" | "response.queued" | "response.in_progress" => {
                if let Some(response) = event.object("response") {
                    self.start(&response, out);
                }
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                let response = event.object("response").unwrap_or_default();
                self.end(&response, kind.trim_start_matches("response."), out);
            }
            "response.failed" | "response.cancelled" => {
                let response = event.object("response").unwrap_or_else(|| event.clone());
                self.start(&response, out);
                self.fail(&response, out);
            }
            _ => self.item_event(kind, &event),
        }
        self.pass(out);
    }

    /// The stream ended as it should.
    pub(crate) fn finish(&mut self, _out: &mut Vec<Event>) {}

    fn start(&mut self, response: &Object<'_>, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            self.response_id = response.string("id");
            out.push(start(response));
        }
    }

    fn fail(&mut self, holder: &Object<'_>, out: &mut Vec<Event>) {
        self.over = true;
        out.push(Event::Error(terminal::read_error(holder)));
    }

    fn end(&mut self, response: &Object<'_>, status: &str, out: &mut Vec<Event>) {
        self.start(response, out);
        let items = response.objects("output");
        for (index, item) in (0..).zip(&items) {
            let id = item.str("id");
            match self.find(Some(index), id.as_deref(), false) {
                Some(at) => {
                    let at = self.resume(at);
                    self.items[at].item.finish(Some(item));
                }
                // Never told of before. Where the places differ, there are no more items here than there were.
                None if self.items.len() < items.len() => {
                    let at = self.begin(
                        Some(index),
                        id.as_deref(),
                        item.str("type").as_deref().unwrap_or("message"),
                    );
                    self.items[at].item.finish(Some(item));
                }
                None => {}
            }
        }
        for slot in &mut self.items {
            slot.item.finish(None);
        }
        self.pass(out);
        end(response, status, self.parts, out);
        self.over = true;
    }

    /// An event within an item.
    fn item_event(&mut self, kind: &str, event: &Object<'_>) {
        let whole = event.object("item");
        let index = event.u64("output_index");
        let id = event.str("item_id").or_else(|| whole.as_ref()?.str("id"));
        let id = id.as_deref();
        if kind == "response.output_item.added" {
            if let Some(item) = &whole {
                let at = self.begin(index, id, item.str("type").as_deref().unwrap_or("message"));
                self.items[at].item.begin(item);
                self.pause_before(at);
            }
            return;
        }
        let item_kind = match (kind, &whole) {
            ("response.output_item.done", Some(item)) => {
                item.str("type").map_or_else(|| "message".to_owned(), Into::into)
            }
            _ => match implied(kind) {
                Some(implied) => implied.to_owned(),
                None => return,
            },
        };
        let at = match self.find(index, id, true) {
            Some(at) => self.resume(at),
            // Reasoning has such parts too, so it does not tell what begins.
            None if kind.starts_with("response.content_part.") => return,
            None => self.begin(index, id, &item_kind),
        };
        read_piece(&mut self.items[at].item, kind, event, whole.as_ref());
        self.pause_before(at);
    }

    /// Pauses the items before one that has events: a writer sends one item at a time.
    fn pause_before(&mut self, at: usize) {
        if !self.items[at].item.has_news() {
            return;
        }
        for slot in self.items.get_mut(self.completed..at).unwrap_or_default() {
            slot.item.pause(slot.id.as_deref());
        }
    }

    /// An item that goes on although it was passed by takes its place behind the others.
    fn resume(&mut self, at: usize) -> usize {
        if at >= self.completed || self.items[at].item.done || self.items[at].item.is_ignored() {
            return at;
        }
        let slot = self.items.remove(at);
        self.completed -= 1;
        self.items.push(slot);
        self.items.len() - 1
    }

    /// The item that an event is about; only one that is not done yet, if `open`.
    fn find(&self, index: Option<u64>, id: Option<&str>, open: bool) -> Option<usize> {
        let fits = |slot: &Slot| !open || !slot.item.done;
        let by_index =
            self.items.iter().rposition(|slot| index.is_some() && slot.index == index && fits(slot));
        by_index.or_else(|| {
            let by_id = |slot: &Slot| {
                id.is_some() && slot.id.as_deref() == id && (index.is_none() || slot.index.is_none())
            };
            self.items.iter().rposition(|slot| by_id(slot) && fits(slot))
        })
    }

    fn begin(&mut self, index: Option<u64>, id: Option<&str>, kind: &str) -> usize {
        let response = self.response_id.as_deref().unwrap_or(&self.request_id);
        let fallback = derived_id("call_", &[response, &self.items.len().to_string()]);
        let item = ItemReader::new(kind, fallback);
        self.items.push(Slot { index, id: id.map(ToOwned::to_owned), item });
        self.items.len() - 1
    }

    /// Passes on what is ready, in the order of the items.
    fn pass(&mut self, out: &mut Vec<Event>) {
        let mut ready = Vec::new();
        while let Some(slot) = self.items.get_mut(self.completed) {
            slot.item.take(&mut ready);
            if !slot.item.done && !slot.item.is_ignored() && !slot.item.paused {
                break;
            }
            self.completed += 1;
        }
        if !ready.is_empty() {
            // Not every server says that it begins.
            self.start(&Object::default(), out);
        }
        for event in &ready {
            self.parts.note(event);
        }
        out.append(&mut ready);
    }
}

/// The type of the item that an event within it is about.
fn implied(kind: &str) -> Option<&'static str> {
    let kind = kind.strip_prefix("response.")?;
    match kind.split_once('.')?.0 {
        "output_text" | "refusal" | "content_part" => Some("message"),
        "reasoning_summary_text" | "reasoning_text" => Some("reasoning"),
        "function_call_arguments" => Some("function_call"),
        "custom_tool_call_input" => Some("custom_tool_call"),
        _ => None,
    }
}

fn read_piece(item: &mut ItemReader, kind: &str, event: &Object<'_>, whole: Option<&Object<'_>>) {
    let text = |key: &str| event.str(key).unwrap_or_default();
    let part = event.u64("content_index").unwrap_or(0);
    let summary = event.u64("summary_index").unwrap_or(0);
    match kind {
        "response.output_text.delta" => item.text(part, false, &text("delta")),
        "response.output_text.done" => item.whole_text(part, false, &text("text")),
        "response.output_text.annotation.added" => {
            if let Some(annotation) = event.object("annotation") {
                item.citation(part, &annotation);
            }
        }
        "response.refusal.delta" => item.text(part, true, &text("delta")),
        "response.refusal.done" => item.whole_text(part, true, &text("refusal")),
        "response.content_part.done" => {
            if let Some(whole) = event.object("part") {
                item.finish_part(part, &whole);
            }
        }
        "response.reasoning_summary_text.delta" => item.reasoning(Source::Summary, summary, &text("delta")),
        "response.reasoning_text.delta" => item.reasoning(Source::Content, part, &text("delta")),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            item.input(&text("delta"));
        }
        "response.function_call_arguments.done" => item.whole_input(&text("arguments")),
        "response.custom_tool_call_input.done" => item.whole_input(&text("input")),
        "response.output_item.done" => item.finish(whole),
        _ => {}
    }
}
