//! What a format cannot say of an answer: all that the laws of identity leave out. Opaque reasoning has laws of its own.

use dialects::Dialect::{self, Anthropic, BedrockConverse, Gemini, OpenAiChat, OpenAiResponses};

use super::formats::context;
use crate::form::{Block, Citation, Event, FinishReason, Opaque, TokenUsage};
use crate::json::ObjectWriter;

/// An answer, folded up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AnswerFacts {
    pub(super) start: Option<Event>,
    pub(super) blocks: Vec<SaidBlock>,
    pub(super) usage: Option<TokenUsage>,
    /// `Finish` or `Error`.
    pub(super) ends: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SaidBlock {
    pub(super) block: Block,
    pub(super) text: String,
    pub(super) citations: Vec<Citation>,
    pub(super) opaque: Vec<Opaque>,
}

/// Folds events up, and checks their order on the way.
pub(super) fn coalesced(events: Vec<Event>) -> AnswerFacts {
    let mut said = AnswerFacts::default();
    let mut is_open = false;
    for (at, event) in events.into_iter().enumerate() {
        let is_over = |said: &AnswerFacts| said.ends.is_empty();
        match event {
            Event::Usage(usage) => said.usage = Some(said.usage.unwrap_or_default().updated_by(usage)),
            _ if !is_over(&said) => panic!("{event:?} behind the end"),
            Event::Start { .. } => {
                assert_eq!(at, 0, "a second start, or a late one");
                said.start = Some(event);
            }
            Event::Error(_) => said.ends.push(event),
            event => {
                assert!(said.start.is_some(), "{event:?} before the start");
                fold(event, &mut is_open, &mut said);
            }
        }
    }
    assert!(
        !is_open || matches!(said.ends.as_slice(), [Event::Error(_)] | []),
        "the last block is open at the finish"
    );
    said
}

fn fold(event: Event, is_open: &mut bool, said: &mut AnswerFacts) {
    match event {
        Event::Open(block) => {
            assert!(!std::mem::replace(is_open, true), "{block:?} opens within another");
            said.blocks.push(SaidBlock {
                block,
                text: String::new(),
                citations: Vec::new(),
                opaque: Vec::new(),
            });
        }
        Event::Finish(_) => {
            assert!(!*is_open, "a block is open at the finish");
            said.ends.push(event);
        }
        event => {
            assert!(*is_open, "{event:?} outside of a block");
            let Some(open) = said.blocks.last_mut() else { return };
            match event {
                Event::Delta(piece) => open.text.push_str(&piece),
                Event::Citation(citation) => open.citations.push(citation),
                Event::Opaque(opaque) => {
                    assert_eq!(open.block, Block::Reasoning, "{opaque:?} outside of reasoning");
                    open.opaque.push(opaque);
                }
                _ => *is_open = false,
            }
        }
    }
}

/// Leaves opaque reasoning out, and blocks that are empty then.
pub(super) fn without_opaque(mut said: AnswerFacts) -> AnswerFacts {
    for block in &mut said.blocks {
        block.opaque.clear();
    }
    said.blocks.retain(|block| !block.text.is_empty());
    said
}

/// Gemini names the sources of the last text, counted from the beginning of all.
pub(super) fn without_refused(dialect: Dialect, said: &mut AnswerFacts) {
    if dialect == Gemini && said.blocks.len() != 1 {
        said.blocks.iter_mut().for_each(|block| block.citations.clear());
    }
}

/// The events again.
pub(super) fn events(said: &AnswerFacts) -> Vec<Event> {
    let mut events: Vec<Event> = said.start.iter().cloned().collect();
    for block in &said.blocks {
        events.push(Event::Open(block.block.clone()));
        events.push(Event::Delta(block.text.clone()));
        events.extend(block.citations.iter().cloned().map(Event::Citation));
        events.extend(block.opaque.iter().cloned().map(Event::Opaque));
        events.push(Event::Close);
    }
    events.extend(said.usage.map(Event::Usage));
    events.extend(said.ends.iter().cloned());
    events
}

/// The answer as a format says it.
pub(super) fn as_said_in(dialect: Dialect, mut said: AnswerFacts) -> AnswerFacts {
    let has =
        |said: &AnswerFacts, test: fn(&Block) -> bool| said.blocks.iter().any(|block| test(&block.block));
    let refused = has(&said, |block| *block == Block::Refusal);
    let called = has(&said, |block| matches!(block, Block::ToolCall { .. }));
    match dialect {
        OpenAiChat => {
            said.blocks = in_order_of_chat(&said.blocks);
            set_created(&mut said);
        }
        OpenAiResponses => {
            set_created(&mut said);
            usage(&mut said, |usage| usage.cache_write = usage.cache_write.or(Some(0)));
            // A refusal in words is a complete answer here, and calls are the end of one.
            if refused && called {
                reason(&mut said, |reason| match reason {
                    FinishReason::Filtered => FinishReason::ToolCalls,
                    reason => reason,
                });
            }
        }
        Anthropic => {
            said.blocks.retain(|block| !matches!(block.block, Block::Media { .. }));
            said.blocks.iter_mut().for_each(|block| {
                block.citations.clear();
                refusal_as_text(block);
                wrapped(block);
            });
            usage(&mut said, |usage| usage.cache_write = usage.cache_write.or(Some(0)));
            if refused {
                reason(&mut said, |reason| match reason {
                    FinishReason::Length => FinishReason::Length,
                    _ => FinishReason::Filtered,
                });
            }
            undated(&mut said);
        }
        BedrockConverse => {
            said.blocks.retain(|block| !matches!(block.block, Block::Media { .. }));
            said.blocks.iter_mut().for_each(|block| {
                block.citations.clear();
                refusal_as_text(block);
                wrapped(block);
            });
            usage(&mut said, |usage| usage.reasoning = None);
            if let Some(Event::Start { id, model, created }) = &mut said.start {
                (*id, *model, *created) = (None, None, None);
            }
        }
        Gemini => {
            said.blocks.iter_mut().for_each(|block| {
                refusal_as_text(block);
                wrapped(block);
            });
            said.blocks = joined(said.blocks);
            usage(&mut said, |usage| usage.cache_write = None);
            if refused {
                reason(&mut said, |_| FinishReason::Filtered);
            }
            undated(&mut said);
        }
    }
    said
}

fn usage(said: &mut AnswerFacts, change: impl Fn(&mut TokenUsage)) {
    said.usage.iter_mut().for_each(change);
}

fn reason(said: &mut AnswerFacts, change: impl Fn(FinishReason) -> FinishReason) {
    for end in &mut said.ends {
        if let Event::Finish(finish) = end {
            finish.reason = change(finish.reason);
        }
    }
}

/// What nobody dated is dated by the gateway.
fn set_created(said: &mut AnswerFacts) {
    if let Some(Event::Start { created, .. }) = &mut said.start {
        created.get_or_insert(context(OpenAiChat).created);
    }
}

/// The format does not date answers.
fn undated(said: &mut AnswerFacts) {
    if let Some(Event::Start { created, .. }) = &mut said.start {
        *created = None;
    }
}

fn refusal_as_text(block: &mut SaidBlock) {
    if block.block == Block::Refusal {
        block.block = Block::Text;
    }
}

/// A freeform tool's input is that of a function with one text.
fn wrapped(block: &mut SaidBlock) {
    if let Block::ToolCall { custom: custom @ true, .. } = &mut block.block {
        *custom = false;
        block.text = ObjectWriter::new().str("input", &block.text).finish();
    }
}

/// Neighbours of a kind are one block: the format has parts, but no blocks.
fn joined(blocks: Vec<SaidBlock>) -> Vec<SaidBlock> {
    let mut joined: Vec<SaidBlock> = Vec::new();
    for block in blocks {
        match joined.last_mut() {
            Some(last)
                if last.block == block.block && matches!(block.block, Block::Text | Block::Reasoning) =>
            {
                last.text.push_str(&block.text);
                last.citations.extend(block.citations);
            }
            _ => joined.push(block),
        }
    }
    joined
}

/// A message has one reasoning, one text, one refusal, its calls and its images, in this order. A text that went on after
/// something else is a paragraph of its own, unless there is a blank. Sources count from the text's beginning.
pub(super) fn in_order_of_chat(blocks: &[SaidBlock]) -> Vec<SaidBlock> {
    let mut whole: Vec<SaidBlock> = Vec::new();
    for kind in [Block::Reasoning, Block::Text, Block::Refusal] {
        let mut one =
            SaidBlock { block: kind, text: String::new(), citations: Vec::new(), opaque: Vec::new() };
        let mut before_it: Option<&Block> = None;
        for block in blocks {
            let follows = before_it.replace(&block.block);
            if block.block != one.block {
                continue;
            }
            let blank =
                one.text.ends_with(char::is_whitespace) || block.text.starts_with(char::is_whitespace);
            let goes_on = one.text.is_empty() || follows == Some(&Block::Text);
            if one.block == Block::Text && !goes_on && !blank {
                one.text.push_str("\n\n");
            }
            let before = one.text.chars().count() as u64;
            let moved = block.citations.iter().cloned().map(|citation| Citation {
                span: citation.span.map(|(start, end)| (start + before, end + before)),
                ..citation
            });
            one.citations.extend(moved);
            one.opaque.extend(block.opaque.iter().cloned());
            one.text.push_str(&block.text);
        }
        whole.push(one);
    }
    whole.retain(|block| !block.text.is_empty());
    let is = |calls: bool| {
        move |block: &&SaidBlock| match block.block {
            Block::ToolCall { .. } => calls,
            Block::Media { .. } => !calls,
            _ => false,
        }
    };
    whole.extend(blocks.iter().filter(is(true)).cloned());
    whole.extend(blocks.iter().filter(is(false)).cloned());
    whole
}
