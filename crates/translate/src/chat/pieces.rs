//! Makes the pieces of a chat answer of events: what a stream sends one by one, and a plain answer puts together.

use super::reasoning;
use crate::envelope;
use crate::form::{Block, Citation, Event, Opaque, Owner};
use crate::json::ObjectWriter;
use crate::names::flat_name;

#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Refusal(String),
    /// Text of `reasoning_content`.
    Reasoning(String),
    /// An item of `reasoning_details`.
    Detail(ObjectWriter),
    /// An item of `annotations`.
    Annotation(ObjectWriter),
    /// A generated image: an item of `images`.
    Image(ObjectWriter),
    Call {
        id: String,
        name: String,
        custom: bool,
    },
    /// A piece of the last call's arguments, or of a freeform tool's input.
    Arguments {
        text: String,
        custom: bool,
    },
}

#[derive(Debug)]
pub(super) struct Pieces {
    owner: Owner,
    open: Option<Block>,
    /// Characters of text so far: annotations count from the beginning.
    chars: u64,
    /// Where the open block of text began.
    start: u64,
    /// There is text, and something else came after it.
    interrupted: bool,
    /// The text so far ends with white space.
    ends_blank: bool,
    texts: usize,
    calls: usize,
    reasonings: usize,
    /// The open block had a delta.
    has_delta: bool,
    /// The open block's text, where it is needed once more.
    text: String,
    opaque: Vec<Opaque>,
    citations: Vec<Citation>,
}

impl Pieces {
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            owner,
            open: None,
            chars: 0,
            start: 0,
            interrupted: false,
            ends_blank: false,
            texts: 0,
            calls: 0,
            reasonings: 0,
            has_delta: false,
            text: String::new(),
            opaque: Vec::new(),
            citations: Vec::new(),
        }
    }

    /// How many calls there are.
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// Takes an event, and adds what comes of it.
    pub(super) fn push(&mut self, event: &Event, out: &mut Vec<Piece>) {
        match event {
            Event::Open(block) => self.open(block.clone(), out),
            Event::Delta(text) => self.delta(text, out),
            Event::Opaque(opaque) => self.opaque.push(opaque.clone()),
            Event::Citation(citation) => self.citations.push(citation.clone()),
            Event::Close => self.close(out),
            Event::Start { .. } | Event::Finish(_) | Event::Usage(_) | Event::Error(_) => {}
        }
    }

    fn open(&mut self, block: Block, out: &mut Vec<Piece>) {
        self.has_delta = false;
        self.text.clear();
        match &block {
            Block::Text => self.start = self.chars,
            Block::ToolCall { id, name, namespace, custom } => {
                let name = flat_name(namespace.as_deref(), name).into_owned();
                out.push(Piece::Call { id: id.clone(), name, custom: *custom });
                self.calls += 1;
                self.interrupted = self.texts > 0;
            }
            Block::Refusal | Block::Reasoning | Block::Media { .. } => self.interrupted = self.texts > 0,
        }
        self.open = Some(block);
    }

    fn delta(&mut self, text: &str, out: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        match &self.open {
            Some(Block::Text) => self.text_delta(text, out),
            Some(Block::Refusal) => out.push(Piece::Refusal(text.to_owned())),
            Some(Block::Reasoning) => {
                self.text.push_str(text);
                out.push(Piece::Reasoning(text.to_owned()));
            }
            Some(Block::ToolCall { custom, .. }) => {
                out.push(Piece::Arguments { text: text.to_owned(), custom: *custom });
            }
            Some(Block::Media { .. }) => self.text.push_str(text),
            None => {}
        }
        self.has_delta = true;
    }

    fn text_delta(&mut self, text: &str, out: &mut Vec<Piece>) {
        const BETWEEN: &str = "\n\n";
        if !self.has_delta {
            // All text of an answer is one string here. What a call or reasoning parted must not run together.
            let blank = self.ends_blank || text.starts_with(char::is_whitespace);
            if self.interrupted && !blank {
                out.push(Piece::Text(BETWEEN.to_owned()));
                self.chars += BETWEEN.len() as u64;
            }
            self.interrupted = false;
            self.start = self.chars;
            self.texts += 1;
        }
        self.chars += text.chars().count() as u64;
        self.ends_blank = text.ends_with(char::is_whitespace);
        out.push(Piece::Text(text.to_owned()));
    }

    fn close(&mut self, out: &mut Vec<Piece>) {
        let (opaque, citations) = (std::mem::take(&mut self.opaque), std::mem::take(&mut self.citations));
        match self.open.take() {
            Some(Block::Text) => out.extend(citations.iter().map(|citation| self.annotation(citation))),
            Some(Block::Reasoning) => self.close_reasoning(&opaque, out),
            // The SDKs parse the arguments; an empty text would break them.
            Some(Block::ToolCall { custom: false, .. }) if !self.has_delta => {
                out.push(Piece::Arguments { text: "{}".to_owned(), custom: false });
            }
            Some(Block::Media { media_type }) if media_type.starts_with("image/") => {
                let url = format!("data:{media_type};base64,{}", self.text);
                let image = ObjectWriter::of_type("image_url")
                    .object("image_url", ObjectWriter::new().str("url", &url));
                out.push(Piece::Image(image));
            }
            _ => {}
        }
    }

    /// The index says where it stood among the parts of the message, so that it comes back there.
    fn close_reasoning(&mut self, opaque: &[Opaque], out: &mut Vec<Piece>) {
        for (nth, opaque) in opaque.iter().enumerate() {
            let envelope = envelope::seal(opaque, opaque.owner.as_ref().unwrap_or(&self.owner));
            // A text belongs to the first value alone.
            let text = if nth == 0 { self.text.as_str() } else { "" };
            let index = self.reasonings + usize::from(self.texts > 0) + self.calls;
            out.push(Piece::Detail(reasoning::detail_for_client(text, &envelope, index)));
            self.reasonings += 1;
        }
    }

    fn annotation(&self, citation: &Citation) -> Piece {
        // Where the source does not say it, the whole block is meant.
        let (from, to) = match citation.span {
            Some((from, to)) => (self.start.saturating_add(from), self.start.saturating_add(to)),
            None => (self.start, self.chars),
        };
        let inner = ObjectWriter::new()
            .u64("start_index", from)
            .u64("end_index", to)
            .str("title", citation.title.as_deref().unwrap_or_default())
            .str("url", &citation.url);
        Piece::Annotation(ObjectWriter::of_type("url_citation").object("url_citation", inner))
    }
}
