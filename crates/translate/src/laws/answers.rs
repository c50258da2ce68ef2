//! Answers that keep the order rules of the common form.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};

use super::requests::{json_object, name, text};
use crate::form::{Block, Citation, Event, Finish, FinishReason, Opaque, OpaqueKind, TokenUsage};

/// A block with its events. Its text comes in one to four pieces.
fn block() -> impl Strategy<Value = Vec<Event>> {
    let source = option::weighted(0.3, (name(), text(), any::<Index>(), any::<Index>()));
    let text_block = (text(), vec(any::<Index>(), 0..3), source).prop_map(|(text, cuts, source)| {
        let mut events = vec![Event::Open(Block::Text)];
        events.extend(pieces(&text, &cuts));
        events.extend(
            source.map(|(host, title, from, to)| Event::Citation(citation(&text, &host, title, from, to))),
        );
        events
    });
    let opaque = select(&[OpaqueKind::Signature, OpaqueKind::Encrypted, OpaqueKind::ThoughtSignature][..]);
    let reasoning = (text(), vec(any::<Index>(), 0..3), option::of(opaque)).prop_map(|(text, cuts, kind)| {
        let mut events = vec![Event::Open(Block::Reasoning)];
        events.extend(pieces(&text, &cuts));
        let value = |kind| Opaque { kind, data: "EqQBCgYI".to_owned(), id: None, owner: None };
        events.extend(kind.map(value).map(Event::Opaque));
        events
    });
    let refusal = (text(), vec(any::<Index>(), 0..3)).prop_map(|(text, cuts)| {
        let mut events = vec![Event::Open(Block::Refusal)];
        events.extend(pieces(&text, &cuts));
        events
    });
    let function = (name(), json_object(), vec(any::<Index>(), 0..4)).prop_map(|(name, arguments, cuts)| {
        // The number comes later.
        let mut events =
            vec![Event::Open(Block::ToolCall { id: String::new(), name, namespace: None, custom: false })];
        events.extend(pieces(&arguments, &cuts));
        events
    });
    let custom = (name(), text(), vec(any::<Index>(), 0..4)).prop_map(|(name, input, cuts)| {
        let mut events =
            vec![Event::Open(Block::ToolCall { id: String::new(), name, namespace: None, custom: true })];
        events.extend(pieces(&input, &cuts));
        events
    });
    let image = Just(vec![
        Event::Open(Block::Media { media_type: "image/png".to_owned() }),
        Event::Delta("iVBORw0K".to_owned()),
    ]);
    prop_oneof![4 => text_block, 3 => reasoning, 1 => refusal, 4 => function, 1 => custom, 1 => image]
        .prop_map(|mut events| {
            events.push(Event::Close);
            events
        })
}

/// A text cut anywhere between characters.
pub(super) fn pieces(text: &str, cuts: &[Index]) -> Vec<Event> {
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let mut cuts: Vec<usize> =
        cuts.iter().filter(|_| !borders.is_empty()).map(|cut| *cut.get(&borders)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| Event::Delta(text[pair[0]..pair[1]].to_owned())).collect()
}

fn citation(text: &str, host: &str, title: String, from: Index, to: Index) -> Citation {
    let length = text.chars().count();
    let start = from.index(length);
    let end = start + 1 + to.index(length - start);
    Citation {
        url: format!("https://{host}.example.com/"),
        title: Some(title),
        cited_text: None,
        span: Some((start as u64, end as u64)),
    }
}

fn usage() -> impl Strategy<Value = TokenUsage> {
    (0_u64..1000, 0_u64..1000, 0_u64..1000, 0_u64..1000, 0_u64..1000).prop_map(
        |(fresh, cache_read, cache_write, said, reasoning)| TokenUsage {
            input: Some(fresh + cache_read + cache_write),
            cache_read: Some(cache_read),
            cache_write: Some(cache_write),
            output: Some(said + reasoning),
            reasoning: Some(reasoning),
        },
    )
}

/// The reason fits what was said.
fn finish(events: &[Event], reason: FinishReason) -> Finish {
    let has = |test: fn(&Block) -> bool| {
        events.iter().any(|event| matches!(event, Event::Open(block) if test(block)))
    };
    let called = has(|block| matches!(block, Block::ToolCall { .. }));
    let refused = has(|block| *block == Block::Refusal);
    Finish::new(match reason {
        FinishReason::Stop if refused => FinishReason::Filtered,
        FinishReason::Stop if called => FinishReason::ToolCalls,
        reason => reason,
    })
}

pub(super) fn any_answer() -> impl Strategy<Value = Vec<Event>> {
    let reason =
        select(&[FinishReason::Stop, FinishReason::Stop, FinishReason::Length, FinishReason::Filtered][..]);
    (vec(block(), 0..6), usage(), reason, any::<bool>()).prop_map(|(blocks, usage, reason, early)| {
        let mut events = vec![Event::Start {
            id: Some("resp_0a1b".to_owned()),
            model: Some("any-model-0601".to_owned()),
            created: Some(1_700_000_000),
        }];
        if early {
            events.push(Event::Usage(TokenUsage { output: Some(0), reasoning: None, ..usage }));
        }
        for (count, mut block) in blocks.into_iter().enumerate() {
            if let Some(Event::Open(Block::ToolCall { id, .. })) = block.first_mut() {
                *id = format!("call_{count}");
            }
            events.extend(block);
        }
        events.push(Event::Usage(usage));
        let finish = finish(&events, reason);
        events.push(Event::Finish(finish));
        events
    })
}
