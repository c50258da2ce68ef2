//! Writes turns as messages.
//!
//! What Bedrock asks for: the user begins, roles alternate, results stand first in the user's message, all of a turn's calls
//! have theirs in the message right behind it, no text is blank, and a document has a text beside it.

use super::FORMAT;
use super::block::{self, Block};
use super::block_writer;
use super::models::ConverseModel;
use crate::form::{Message, Part, PartKind, Request, Role};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::{Losses, Target};
use crate::tool_rules::check_results;

#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Block>,
    pub(super) messages: Vec<WireMessage>,
}

#[derive(Debug, Default)]
pub(super) struct WireMessage {
    is_answer: bool,
    /// Stand before everything else.
    results: Vec<Block>,
    /// The calls that they answer.
    answered: Vec<String>,
    blocks: Vec<Block>,
    calls: Vec<String>,
    begins_with_thinking: bool,
}

impl WireMessage {
    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = &mut Block> {
        self.results.iter_mut().chain(&mut self.blocks)
    }
}

impl Conversation {
    /// The request begins the answer.
    pub(super) fn is_prefilled(&self) -> bool {
        self.messages.last().is_some_and(|last| last.is_answer)
    }

    /// The last answer called tools without thinking first: another model's.
    pub(super) fn continues_calls_without_thinking(&self) -> bool {
        let mut last = self.messages.iter().rev();
        let results = last.next().is_some_and(|message| !message.results.is_empty());
        results && last.next().is_some_and(|message| !message.begins_with_thinking)
    }
}

pub(super) fn array(messages: Vec<WireMessage>) -> ArrayWriter {
    let write = |message: WireMessage| {
        let role = if message.is_answer { "assistant" } else { "user" };
        let blocks = message.results.into_iter().chain(message.blocks);
        ObjectWriter::new().str("role", role).array("content", block::array(blocks))
    };
    messages.into_iter().map(write).collect()
}

pub(super) fn write(
    request: &Request,
    target: &Target<'_>,
    model: ConverseModel,
    losses: &mut Losses,
) -> Conversation {
    let mut writer = Writer { target, model, losses, messages: Vec::new(), documents: 0 };
    let system = request.system.iter().filter_map(|part| writer.system_part(part)).collect();
    request.turns.iter().for_each(|turn| writer.push_turn(turn));
    let mut conversation = Conversation { system, messages: writer.messages };
    if request.turns.is_empty() && !conversation.system.is_empty() {
        // Somebody must speak: who gives instructions alone wants them answered.
        let blocks = std::mem::take(&mut conversation.system);
        conversation.messages.push(WireMessage { blocks, ..WireMessage::default() });
    }
    if !conversation.system.is_empty() && !model.system {
        losses.refuse("system", "is not taken by this model");
    }
    check_results(conversation.messages.iter().map(|message| (&*message.answered, &*message.calls)), losses);
    check_ends(request, target, &conversation.messages, losses);
    conversation
}

struct Writer<'a> {
    target: &'a Target<'a>,
    model: ConverseModel,
    losses: &'a mut Losses,
    messages: Vec<WireMessage>,
    documents: usize,
}

impl Writer<'_> {
    fn push_turn(&mut self, turn: &Message) {
        for part in &turn.parts {
            match turn.role {
                Role::User => self.user_part(part),
                Role::Assistant => self.assistant_part(part),
                Role::System => self.system_turn_part(part),
            }
        }
    }

    fn user_part(&mut self, part: &Part) {
        if let PartKind::ToolResult(result) = &part.kind {
            let mut block = block_writer::result(result, self.model, &mut self.documents, self.losses);
            block.cache = part.cache.or(block.cache);
            let message = self.message(false);
            message.results.push(block);
            message.answered.push(result.id.clone());
        } else if let Some(block) =
            block_writer::user_block(part, self.model, &mut self.documents, self.losses)
        {
            self.message(false).blocks.push(block);
        }
    }

    fn assistant_part(&mut self, part: &Part) {
        let mut is_thinking = false;
        let json = match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) if text.trim().is_empty() => return,
            PartKind::Text(text) | PartKind::Refusal(text) => block::text(text).json,
            PartKind::Reasoning { text, opaque } => {
                let own = opaque.as_ref().filter(|opaque| self.target.owns(opaque));
                let Some(json) = own.and_then(|opaque| block_writer::reasoning(text, opaque)) else { return };
                is_thinking = true;
                json
            }
            PartKind::ToolCall(call) => block_writer::call(call),
            // What a hosted tool did is over; the answer that came of it stays.
            PartKind::Foreign(name) => return self.losses.drop(name),
            PartKind::Media(_) => {
                let reason =
                    format!("holds an image or file in an answer, which has no counterpart in {FORMAT}");
                return self.losses.refuse("messages", reason);
            }
            PartKind::ToolResult(_) => return self.user_part(part),
        };
        let message = self.message(true);
        message.begins_with_thinking |= is_thinking && message.blocks.is_empty();
        if let PartKind::ToolCall(call) = &part.kind {
            message.calls.push(call.id.clone());
        }
        message.blocks.push(Block { cache: part.cache.filter(|_| !is_thinking), ..Block::new(json) });
    }

    /// System text in the middle is written in the user's name at the same place: moved to the front, it would change what
    /// caches depend on.
    fn system_turn_part(&mut self, part: &Part) {
        let Some(block) = self.system_part(part) else { return };
        if let PartKind::Text(text) = &part.kind {
            let reminder = block::text(&format!("<system-reminder>\n{text}\n</system-reminder>"));
            self.message(false).blocks.push(Block { cache: block.cache, ..reminder });
        }
    }

    /// System text; anything else in its place is left out and named, or refused.
    fn system_part(&mut self, part: &Part) -> Option<Block> {
        match &part.kind {
            PartKind::Text(text) if text.trim().is_empty() => None,
            PartKind::Text(text) => Some(Block { cache: part.cache, ..block::text(text) }),
            PartKind::Foreign(name) => {
                self.losses.drop(name);
                None
            }
            _ => {
                self.losses.refuse("system", format!("holds more than text, which {FORMAT} does not take"));
                None
            }
        }
    }

    /// The message in work, if it is of that side, or else a new one.
    fn message(&mut self, is_answer: bool) -> &mut WireMessage {
        if self.messages.last().is_none_or(|last| last.is_answer != is_answer) {
            self.messages.push(WireMessage { is_answer, ..WireMessage::default() });
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }
}

fn check_ends(request: &Request, target: &Target<'_>, messages: &[WireMessage], losses: &mut Losses) {
    let alone = |message: &WireMessage| {
        message.blocks.iter().any(|block| block.is_document)
            && !message.blocks.iter().any(|block| block.is_text)
    };
    if messages.iter().any(alone) {
        losses.refuse(
            "messages",
            format!("holds a document without a text beside it, which {FORMAT} does not take"),
        );
    }
    if messages.first().is_some_and(|first| first.is_answer) {
        losses.refuse("messages", format!("begins with an answer, which {FORMAT} does not take"));
    }
    let last_asked = request.turns.iter().rev().find(|turn| turn.role != Role::System).map(|turn| turn.role);
    match messages.last().map(|last| last.is_answer) {
        None => losses.refuse("messages", "has nothing in it"),
        Some(true) if last_asked == Some(Role::User) => {
            losses.refuse("messages", format!("ends in an empty turn, which {FORMAT} does not take"));
        }
        Some(true) if !target.abilities().prefill => {
            losses.refuse("messages", "ends in an answer, which the model does not go on with");
        }
        _ => {}
    }
}
