//! Makes events of the pieces of an answer.
//!
//! A provider may mix its pieces: those of several calls, text between the pieces of a call, a name in parts. Each
//! piece goes to its block. The blocks wait in a queue, of which the first is open and the others are replayed when
//! it is done: a call when its arguments are a whole JSON object, anything else when another block begins.

use std::collections::VecDeque;

use super::calls::{Call, CallPiece, Calls};
use super::finish;
use super::reasoning::{Details, Form};
use crate::form::{Block, Citation, Event, Opaque, OpaqueKind, StreamError, TokenUsage};
use crate::json::Object;
use crate::names::derived_id;
use crate::target::AnswerContext;

#[derive(Debug)]
pub(super) struct Assembler {
    request_id: String,
    head: Head,
    started: bool,
    /// An error ended the answer.
    failed: bool,
    queue: VecDeque<Pending>,
    /// The number of the queue's first block among all.
    first: usize,
    /// Nothing more comes to any block.
    ending: bool,
    calls: Calls,
    /// Characters of text so far: annotations count from the beginning.
    text_chars: u64,
    annotated: bool,
    /// Sources that came ahead of the text.
    early: Vec<Citation>,
    finish_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: TokenUsage,
}

/// What heads an answer, as far as it is known.
#[derive(Debug, Default)]
struct Head {
    id: Option<String>,
    model: Option<String>,
    created: Option<u64>,
}

/// A block with what is not told of it yet.
#[derive(Debug)]
struct Pending {
    kind: Kind,
    open: bool,
    text: String,
    citations: Vec<Citation>,
}

#[derive(Debug)]
enum Kind {
    /// The characters of text before it.
    Text {
        start: u64,
    },
    Refusal,
    Reasoning {
        form: Form,
        details: Details,
    },
    /// A Gemini thought signature.
    Signature(String),
    Call(usize),
    Media {
        media_type: String,
    },
}

impl Assembler {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            request_id: context.request_id.clone(),
            head: Head::default(),
            started: false,
            failed: false,
            queue: VecDeque::new(),
            first: 0,
            ending: false,
            calls: Calls::default(),
            text_chars: 0,
            annotated: false,
            early: Vec::new(),
            finish_reason: None,
            stop_sequence: None,
            usage: TokenUsage::default(),
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether there is any content.
    pub(super) fn is_empty(&self) -> bool {
        self.first == 0 && self.queue.is_empty()
    }

    /// Notes what heads the answer. Some servers leave it empty in their first chunks.
    pub(super) fn head(&mut self, body: &Object<'_>) {
        let known = |value: Option<String>| value.filter(|value| !value.is_empty());
        if !self.started {
            self.head.id = self.head.id.take().or_else(|| known(body.string("id")));
            self.head.model = self.head.model.take().or_else(|| known(body.string("model")));
            self.head.created =
                self.head.created.or_else(|| body.u64("created").filter(|created| *created > 0));
        }
    }

    pub(super) fn usage(&mut self, usage: TokenUsage) {
        self.usage = self.usage.updated_by(usage);
    }

    pub(super) fn finish_reason(&mut self, reason: String, stop_sequence: Option<String>) {
        self.finish_reason = Some(reason);
        self.stop_sequence = stop_sequence.or(self.stop_sequence.take());
    }

    pub(super) fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.queue.back(), Some(Pending { kind: Kind::Text { .. }, .. })) {
            let start = self.text_chars;
            self.begin(Kind::Text { start });
            for citation in std::mem::take(&mut self.early) {
                self.citation(citation);
            }
        }
        self.append(text);
        self.text_chars += text.chars().count() as u64;
        self.emit_ready(out);
    }

    pub(super) fn refusal(&mut self, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.queue.back(), Some(Pending { kind: Kind::Refusal, .. })) {
            self.begin(Kind::Refusal);
        }
        self.append(text);
        self.emit_ready(out);
    }

    /// Whether the last block is reasoning whose text came as `reasoning_content`.
    pub(super) fn is_in_reasoning_content(&self) -> bool {
        matches!(self.queue.back(), Some(Pending { kind: Kind::Reasoning { form: Form::Content, .. }, .. }))
    }

    /// `details` are those that came with it.
    pub(super) fn reasoning(&mut self, text: &str, form: &Form, items: &[Object<'_>], out: &mut Vec<Event>) {
        if text.is_empty() && items.is_empty() {
            return;
        }
        if !matches!(self.queue.back(), Some(Pending { kind: Kind::Reasoning { .. }, .. })) {
            self.begin(Kind::Reasoning { form: form.clone(), details: Details::default() });
        }
        if let Some(Pending { kind: Kind::Reasoning { details, .. }, .. }) = self.queue.back_mut() {
            items.iter().for_each(|item| details.push(item));
        }
        self.append(text);
        self.emit_ready(out);
    }

    /// A Gemini thought signature, which belongs to what follows.
    pub(super) fn signature(&mut self, signature: String, out: &mut Vec<Event>) {
        self.begin(Kind::Signature(signature));
        self.emit_ready(out);
    }

    pub(super) fn media(&mut self, media_type: &str, data: &str, out: &mut Vec<Event>) {
        self.begin(Kind::Media { media_type: media_type.to_owned() });
        self.append(data);
        self.emit_ready(out);
    }

    /// A source of the last text, or of the first if none came yet. One that no text takes is left out.
    pub(super) fn citation(&mut self, mut citation: Citation) {
        self.annotated = true;
        let last_text = self.queue.iter_mut().rev().find(|block| matches!(block.kind, Kind::Text { .. }));
        if let Some(Pending { kind: Kind::Text { start }, citations, .. }) = last_text {
            let within = |(from, to): (u64, u64)| Some((from.checked_sub(*start)?, to.checked_sub(*start)?));
            citation.span = citation.span.and_then(within);
            citations.push(citation);
        } else {
            self.early.push(citation);
        }
    }

    /// Sources of the answer as a whole, which matter where the text has no annotations.
    pub(super) fn sources(&mut self, sources: Vec<Citation>) {
        if !self.annotated {
            sources.into_iter().for_each(|source| self.citation(source));
        }
    }

    /// A whole call.
    pub(super) fn whole_call(&mut self, piece: CallPiece, out: &mut Vec<Event>) {
        let number = self.new_call(&piece);
        self.call_piece(number, piece, out);
    }

    /// A piece of a call.
    pub(super) fn call(&mut self, piece: CallPiece, out: &mut Vec<Event>) {
        let number = self.calls.find(&piece).unwrap_or_else(|| self.new_call(&piece));
        self.call_piece(number, piece, out);
    }

    fn new_call(&mut self, piece: &CallPiece) -> usize {
        if let Some(signature) = &piece.signature {
            self.begin(Kind::Signature(signature.clone()));
        }
        let number = self.calls.next();
        let block = self.begin(Kind::Call(number));
        self.calls.begin(piece.custom, block);
        number
    }

    fn call_piece(&mut self, number: usize, mut piece: CallPiece, out: &mut Vec<Event>) {
        let at = self.calls.add(number, &mut piece).and_then(|block| block.checked_sub(self.first));
        // A call that was done takes no more: blanks, or its arguments once again.
        if let Some(block) = at.and_then(|at| self.queue.get_mut(at)) {
            block.text.push_str(&piece.arguments);
        }
        self.emit_ready(out);
    }

    pub(super) fn error(&mut self, error: StreamError, out: &mut Vec<Event>) {
        if !self.failed {
            self.failed = true;
            out.push(Event::Error(error));
        }
    }

    /// The content is all there.
    pub(super) fn close(&mut self, out: &mut Vec<Event>) {
        self.ending = true;
        self.emit_ready(out);
        self.ending = false;
    }

    /// The answer ended as it should.
    pub(super) fn finish(&mut self, out: &mut Vec<Event>) {
        if self.failed {
            return;
        }
        self.close(out);
        self.start(out);
        if self.usage != TokenUsage::default() {
            out.push(Event::Usage(self.usage));
        }
        let called = !self.calls.is_empty();
        let stop_sequence = self.stop_sequence.take();
        out.push(Event::Finish(finish::read(self.finish_reason.as_deref(), stop_sequence, called)));
    }

    fn begin(&mut self, kind: Kind) -> usize {
        self.queue.push_back(Pending { kind, open: false, text: String::new(), citations: Vec::new() });
        self.first + self.queue.len() - 1
    }

    fn append(&mut self, text: &str) {
        if let Some(block) = self.queue.back_mut() {
            block.text.push_str(text);
        }
    }

    fn start(&mut self, out: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            let Head { id, model, created } = &self.head;
            out.push(Event::Start { id: id.clone(), model: model.clone(), created: *created });
        }
    }

    /// Tells what can be told by now.
    fn emit_ready(&mut self, out: &mut Vec<Event>) {
        while let Some(mut block) = self.queue.pop_front() {
            let last = self.queue.is_empty() && !self.ending;
            if !block.open {
                if last && !self.may_open(&block.kind) {
                    self.queue.push_front(block);
                    return;
                }
                self.start(out);
                block.open = true;
                out.push(Event::Open(self.block_of(&block.kind)));
            }
            if !block.text.is_empty() {
                out.push(Event::Delta(std::mem::take(&mut block.text)));
            }
            if last || !self.is_done(&block.kind) {
                self.queue.push_front(block);
                return;
            }
            self.first += 1;
            close(block, out);
        }
    }

    /// A call's name may come in pieces until its arguments begin.
    fn may_open(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Call(number) => self.calls.get(*number).is_some_and(|call| call.begun),
            _ => true,
        }
    }

    /// Whether nothing more comes to the block, given that another one began.
    fn is_done(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Call(number) => self.ending || self.calls.get(*number).is_none_or(Call::is_whole),
            _ => true,
        }
    }

    fn block_of(&self, kind: &Kind) -> Block {
        match kind {
            Kind::Text { .. } => Block::Text,
            Kind::Refusal => Block::Refusal,
            Kind::Reasoning { .. } | Kind::Signature(_) => Block::Reasoning,
            Kind::Media { media_type } => Block::Media { media_type: media_type.clone() },
            Kind::Call(number) => {
                let call = self.calls.get(*number);
                let mut id = call.map(|call| call.id.clone()).unwrap_or_default();
                let name = call.map(|call| call.name.clone()).unwrap_or_default();
                let custom = call.is_some_and(|call| call.custom);
                if id.is_empty() {
                    let answer = self.head.id.as_deref().unwrap_or(&self.request_id);
                    id = derived_id("call_", &[answer, &number.to_string()]);
                }
                Block::ToolCall { id, name, namespace: None, custom }
            }
        }
    }
}

fn close(block: Pending, out: &mut Vec<Event>) {
    match block.kind {
        Kind::Text { .. } => out.extend(block.citations.into_iter().map(Event::Citation)),
        Kind::Reasoning { form, details } => {
            let form = if details.is_empty() { form } else { Form::Details(details.into_json()) };
            out.push(Event::Opaque(form.into_opaque()));
        }
        Kind::Signature(data) => {
            out.push(Event::Opaque(Opaque {
                kind: OpaqueKind::ThoughtSignature,
                data,
                id: None,
                owner: None,
            }));
        }
        Kind::Refusal | Kind::Call(_) | Kind::Media { .. } => {}
    }
    out.push(Event::Close);
}
