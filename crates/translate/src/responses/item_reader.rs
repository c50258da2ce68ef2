//! Reads one item of an answer, in pieces, whole, or both.
//!
//! Servers differ in what they send: pieces without the whole, the whole without pieces, or the whole for what was sent
//! in pieces already. So the pieces are counted, and of the whole only the rest is taken.

use super::PARAGRAPH;
use crate::form::{Block, Citation, Event, Opaque, OpaqueKind};
use crate::json::{self, Object};
use crate::names::derived_id;

/// What is read of an item; its kind is known with the first event that names it.
#[derive(Debug)]
pub(super) struct ItemReader {
    kind: Kind,
    /// Stands for the item if it has no id of its own.
    fallback_id: String,
    /// What has been read and not been taken yet.
    events: Vec<Event>,
    open: bool,
    /// No more is to be expected.
    pub(super) done: bool,
    /// Another item has begun to speak, so nobody needs to wait for this one.
    pub(super) paused: bool,
}

#[derive(Debug)]
enum Kind {
    Message {
        parts: Vec<Part>,
        current: Option<u64>,
    },
    Reasoning {
        source: Option<Source>,
        part: u64,
        sent: usize,
    },
    Call {
        custom: bool,
        sent: usize,
    },
    /// An image that the provider made.
    Image,
    /// A tool that the provider runs itself, or something unknown: not for the client.
    Other,
}

/// Where the readable text of reasoning comes from. Some servers send both; one is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Summary,
    Content,
}

/// How much of a part of a message was sent.
#[derive(Debug)]
struct Part {
    index: u64,
    sent: usize,
    cited: usize,
}

/// What stands for which client's call, refusal or text.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AnswerParts {
    pub(super) called: bool,
    pub(super) refused: bool,
}

impl AnswerParts {
    pub(super) fn note(&mut self, event: &Event) {
        self.called |= matches!(event, Event::Open(Block::ToolCall { .. }));
        self.refused |= matches!(event, Event::Open(Block::Refusal));
    }
}

impl ItemReader {
    /// `kind` is the item's type.
    pub(super) fn new(kind: &str, fallback_id: String) -> Self {
        let kind = match kind {
            "message" => Kind::Message { parts: Vec::new(), current: None },
            "reasoning" => Kind::Reasoning { source: None, part: 0, sent: 0 },
            "function_call" => Kind::Call { custom: false, sent: 0 },
            "custom_tool_call" => Kind::Call { custom: true, sent: 0 },
            "image_generation_call" => Kind::Image,
            _ => Kind::Other,
        };
        Self { kind, fallback_id, events: Vec::new(), open: false, done: false, paused: false }
    }

    /// Hands over what has been read.
    pub(super) fn take(&mut self, out: &mut Vec<Event>) {
        out.append(&mut self.events);
    }

    pub(super) const fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether nothing will ever come of it.
    pub(super) const fn is_ignored(&self) -> bool {
        matches!(self.kind, Kind::Other)
    }

    /// An item that comes whole.
    pub(super) fn whole(item: &Object<'_>, index: usize, response_id: &str) -> Vec<Event> {
        let kind = item.str("type");
        let fallback = derived_id("call_", &[response_id, &index.to_string()]);
        let mut reader = Self::new(kind.as_deref().unwrap_or("message"), fallback);
        reader.finish(Some(item));
        reader.events
    }

    /// The item as it was when it began. What it says of itself then need not be all.
    pub(super) fn begin(&mut self, item: &Object<'_>) {
        if matches!(self.kind, Kind::Call { .. }) {
            self.open_call(item);
        }
    }

    /// Ends what is open of a text; should it go on, it is a new block.
    pub(super) fn pause(&mut self, id: Option<&str>) {
        if self.done || !matches!(self.kind, Kind::Message { .. } | Kind::Reasoning { .. }) {
            return;
        }
        self.paused = true;
        if self.open && matches!(self.kind, Kind::Reasoning { .. }) {
            self.plain(id);
        }
        self.close();
    }

    /// Reasoning that is no secret may be wanted back all the same.
    fn plain(&mut self, id: Option<&str>) {
        let id = id.map(ToOwned::to_owned);
        let opaque = Opaque { kind: OpaqueKind::PlainText, data: String::new(), id, owner: None };
        self.events.push(Event::Opaque(opaque));
    }

    /// A piece of text, or of a refusal.
    pub(super) fn text(&mut self, index: u64, is_refusal: bool, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let Some(part) = self.part(index) else { return };
        part.sent += piece.len();
        self.enter_part(index, is_refusal);
        self.events.push(Event::Delta(piece.to_owned()));
    }

    /// All of a text, or of a refusal.
    pub(super) fn whole_text(&mut self, index: u64, is_refusal: bool, text: &str) {
        let Some(sent) = self.part(index).map(|part| part.sent) else { return };
        if let Some(rest) = remainder(text, sent) {
            self.text(index, is_refusal, rest);
        }
    }

    pub(super) fn citation(&mut self, index: u64, annotation: &Object<'_>) {
        let Some(part) = self.part(index) else { return };
        part.cited += 1;
        let is_current =
            matches!(self.kind, Kind::Message { current: Some(current), .. } if current == index);
        if let Some(citation) = citation(annotation).filter(|_| is_current && self.open) {
            self.events.push(Event::Citation(citation));
        }
    }

    /// A piece of a part of reasoning.
    pub(super) fn reasoning(&mut self, from: Source, index: u64, piece: &str) {
        let Kind::Reasoning { source, part, sent } = &mut self.kind else { return };
        if piece.is_empty() || *source.get_or_insert(from) != from {
            return;
        }
        let is_other = *sent > 0 && index != *part;
        if is_other {
            *sent += PARAGRAPH.len();
        }
        if !self.open {
            self.open = true;
            self.paused = false;
            self.events.push(Event::Open(Block::Reasoning));
        } else if is_other {
            self.events.push(Event::Delta(PARAGRAPH.to_owned()));
        }
        *part = index;
        *sent += piece.len();
        self.events.push(Event::Delta(piece.to_owned()));
    }

    /// A piece of a call's input.
    pub(super) fn input(&mut self, piece: &str) {
        let Kind::Call { sent, .. } = &mut self.kind else { return };
        if !piece.is_empty() && self.open {
            *sent += piece.len();
            self.events.push(Event::Delta(piece.to_owned()));
        }
    }

    /// All of a call's input.
    pub(super) fn whole_input(&mut self, text: &str) {
        let Kind::Call { sent, .. } = self.kind else { return };
        if let Some(rest) = remainder(text, sent) {
            self.input(rest);
        }
    }

    /// The item is done; `None`: nobody says what became of it.
    pub(super) fn finish(&mut self, item: Option<&Object<'_>>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        match (&self.kind, item) {
            (Kind::Message { .. }, Some(item)) => self.finish_message(item),
            (Kind::Reasoning { .. }, Some(item)) => self.finish_reasoning(item),
            (Kind::Call { custom, .. }, Some(item)) => {
                let field = if *custom { "input" } else { "arguments" };
                self.open_call(item);
                // Some servers give an object instead of its text.
                let input = item.raw(field).map(|raw| json::as_str(raw).unwrap_or(raw.get().into()));
                self.whole_input(&input.unwrap_or_default());
            }
            (Kind::Image, Some(item)) => self.finish_image(item),
            (Kind::Other, _) | (_, None) => {}
        }
        self.close();
    }

    fn finish_message(&mut self, item: &Object<'_>) {
        let content = item.objects("content");
        let Kind::Message { parts, .. } = &self.kind else { return };
        let indices: Vec<u64> = parts.iter().map(|part| part.index).collect();
        // Some servers count the parts otherwise in their events; then their order tells which is which.
        let by_place =
            indices.iter().all(|index| usize::try_from(*index).is_ok_and(|index| index < content.len()));
        for (place, part) in content.iter().enumerate() {
            let index = if by_place {
                place as u64
            } else {
                indices.get(place).copied().unwrap_or(u64::MAX - place as u64)
            };
            self.finish_part(index, part);
        }
    }

    /// A part of a message as it is at its end.
    pub(super) fn finish_part(&mut self, index: u64, part: &Object<'_>) {
        match part.str("type").as_deref() {
            Some("refusal") => self.whole_text(index, true, &part.str("refusal").unwrap_or_default()),
            Some("output_text" | "text") => {
                self.whole_text(index, false, &part.str("text").unwrap_or_default());
                let cited = self.part(index).map_or(0, |part| part.cited);
                for annotation in part.objects("annotations").iter().skip(cited) {
                    self.citation(index, annotation);
                }
            }
            _ => {}
        }
    }

    fn finish_reasoning(&mut self, item: &Object<'_>) {
        let text = super::reasoning_text(item);
        let Kind::Reasoning { part, sent, .. } = self.kind else { return };
        if sent == 0 && !text.is_empty() {
            self.reasoning(Source::Summary, part, &text);
        } else if let (Some(rest), true) = (remainder(&text, sent), self.is_summary(item)) {
            self.reasoning(Source::Summary, part, rest);
        }
        let encrypted = item.string("encrypted_content").filter(|data| !data.is_empty());
        let id = item.string("id");
        let Some(data) = encrypted else {
            if self.open {
                self.plain(id.as_deref());
            }
            return;
        };
        if !std::mem::replace(&mut self.open, true) {
            self.events.push(Event::Open(Block::Reasoning));
        }
        self.events.push(Event::Opaque(Opaque { kind: OpaqueKind::Encrypted, data, id, owner: None }));
    }

    /// Whether the pieces so far were of what the whole text is made of.
    fn is_summary(&self, item: &Object<'_>) -> bool {
        let has_summary = !item.array("summary").is_empty();
        matches!(self.kind, Kind::Reasoning { source: Some(Source::Summary), .. }) && has_summary
    }

    fn finish_image(&mut self, item: &Object<'_>) {
        let Some(data) = item.string("result").filter(|data| !data.is_empty()) else { return };
        // Some servers give a data URL.
        let (head, data) = data.split_once(";base64,").unwrap_or(("", &data));
        let format = item.str("output_format").unwrap_or("png".into());
        let media_type =
            head.strip_prefix("data:").map_or_else(|| format!("image/{format}"), ToOwned::to_owned);
        let data = data.to_owned();
        self.events.extend([Event::Open(Block::Media { media_type }), Event::Delta(data)]);
        self.open = true;
    }

    fn open_call(&mut self, item: &Object<'_>) {
        let Kind::Call { custom, .. } = self.kind else { return };
        // Without a name yet, it has to wait for the whole.
        let Some(name) = item.string("name").filter(|name| !name.is_empty()) else { return };
        if !std::mem::replace(&mut self.open, true) {
            let id =
                ["call_id", "id"].into_iter().find_map(|key| item.string(key).filter(|id| !id.is_empty()));
            self.events.push(Event::Open(Block::ToolCall {
                id: id.unwrap_or_else(|| self.fallback_id.clone()),
                name,
                namespace: item.string("namespace").filter(|namespace| !namespace.is_empty()),
                custom,
            }));
        }
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.open, false) {
            self.events.push(Event::Close);
        }
    }

    fn enter_part(&mut self, index: u64, is_refusal: bool) {
        let Kind::Message { current, .. } = &mut self.kind else { return };
        if *current != Some(index) || !self.open {
            *current = Some(index);
            self.close();
            self.open = true;
            self.paused = false;
            self.events.push(Event::Open(if is_refusal { Block::Refusal } else { Block::Text }));
        }
    }

    /// How far a part of a message has been passed on; `None`: this is no message.
    fn part(&mut self, index: u64) -> Option<&mut Part> {
        let Kind::Message { parts, .. } = &mut self.kind else { return None };
        let at = parts.iter().position(|part| part.index == index).unwrap_or_else(|| {
            parts.push(Part { index, sent: 0, cited: 0 });
            parts.len() - 1
        });
        parts.get_mut(at)
    }
}

/// What is left of a text after its first bytes.
fn remainder(text: &str, sent: usize) -> Option<&str> {
    text.get(sent..).filter(|rest| !rest.is_empty())
}

fn citation(annotation: &Object<'_>) -> Option<Citation> {
    let nested = annotation.object("url_citation");
    let source = nested.as_ref().unwrap_or(annotation);
    let span = source.u64("start_index").zip(source.u64("end_index"));
    Some(Citation { url: source.string("url")?, title: source.string("title"), cited_text: None, span })
}
