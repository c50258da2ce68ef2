//! Anthropic's thinking blocks.

use serde_json::value::RawValue;

use super::edits::Edits;
use super::rule::{EditRule, Fate};
use crate::form::OpaqueKind;
use crate::json::{Object, ObjectWriter, items};

pub(super) fn edit<'a>(root: &Object<'a>, rule: EditRule<'_>, edits: &mut Edits<'a>) {
    let messages = root.array("messages");
    let edited: Vec<Edited> = messages.iter().map(|message| edit_message(message, rule, edits)).collect();
    let is_gone: Vec<bool> = edited.iter().map(|message| message.is_gone).collect();
    edits.take_items(&messages, &is_gone);
    let kept = edited.iter().filter(|message| !message.is_gone);
    if rule.needs_thinking_before_calls() && continues_calls_without_thinking(kept) {
        switch_thinking_off(root, edits);
    }
}

/// What is left of a message.
struct Edited {
    is_gone: bool,
    is_system: bool,
    has_results: bool,
    begins_with_thinking: bool,
}

/// With a budget for thinking, the turn whose calls are answered last must begin with thinking. That of another maker's
/// turn was taken out.
fn continues_calls_without_thinking<'m>(kept: impl DoubleEndedIterator<Item = &'m Edited>) -> bool {
    let mut last = kept.rev().skip_while(|message| message.is_system);
    let results = last.next().is_some_and(|message| message.has_results);
    results && last.next().is_some_and(|message| !message.begins_with_thinking)
}

/// Takes out a budget for thinking, and what may not stand without it: the edit of the context that clears thinking.
fn switch_thinking_off<'a>(root: &Object<'a>, edits: &mut Edits<'a>) {
    let is_enabled = root.object("thinking").is_some_and(|thinking| is_type(&thinking, "enabled"));
    if !is_enabled {
        return;
    }
    let context = root.object("context_management");
    let context_edits = context.map(|context| context.array("edits")).unwrap_or_default();
    let clears = |edit: &&&RawValue| {
        Object::of(edit)
            .and_then(|edit| edit.str("type"))
            .is_some_and(|kind| kind.starts_with("clear_thinking"))
    };
    let cleared = context_edits.iter().filter(clears).count();
    if cleared < context_edits.len() {
        let is_gone: Vec<bool> = context_edits.iter().map(|edit| clears(&edit)).collect();
        edits.take_items(&context_edits, &is_gone);
    }
    let members = edits.root_members();
    let is_gone = members.iter().map(|member| match &*member.name {
        "thinking" => true,
        "context_management" => cleared > 0 && cleared == context_edits.len(),
        _ => false,
    });
    let is_gone: Vec<bool> = is_gone.collect();
    edits.take_members(&members, &is_gone);
}

fn is_type(object: &Object<'_>, kind: &str) -> bool {
    object.str("type").as_deref() == Some(kind)
}

/// The API refuses a message without content, and joins its neighbours.
fn edit_message<'a>(message: &'a RawValue, rule: EditRule<'_>, edits: &mut Edits<'a>) -> Edited {
    let fields = Object::of(message);
    let content = fields.as_ref().and_then(|message| message.raw("content")).and_then(items);
    let content = content.unwrap_or_default();
    let is_gone: Vec<bool> = content.iter().map(|block| edit_block(block, rule, edits)).collect();
    edits.take_items(&content, &is_gone);
    let mut kept = content.iter().zip(&is_gone).filter(|(_, gone)| !**gone);
    let kinds: Vec<_> = kept.by_ref().map(|(block, _)| kind_of(block)).collect();
    Edited {
        is_gone: !is_gone.is_empty() && kinds.is_empty(),
        is_system: fields.and_then(|message| message.str("role")).is_some_and(|role| role == "system"),
        has_results: kinds.iter().any(|kind| kind == "tool_result"),
        begins_with_thinking: kinds.first().is_some_and(|kind| THINKING.contains(&&**kind)),
    }
}

const THINKING: [&str; 2] = ["thinking", "redacted_thinking"];

fn kind_of(block: &RawValue) -> String {
    Object::of(block).and_then(|block| block.string("type")).unwrap_or_default()
}

fn edit_block<'a>(block: &'a RawValue, rule: EditRule<'_>, edits: &mut Edits<'a>) -> bool {
    let Some(fields) = Object::of(block) else { return false };
    let slot = match fields.str("type").as_deref() {
        Some("thinking") => "signature",
        Some("redacted_thinking") => "data",
        _ => return false,
    };
    let opaque = match rule.decide(fields.str(slot).as_deref()) {
        Fate::Stays => return false,
        Fate::Goes => return true,
        Fate::Returns(opaque) => opaque,
    };
    match (opaque.kind, slot, fields.raw(slot)) {
        (OpaqueKind::Signature, "signature", Some(value)) | (OpaqueKind::Redacted, "data", Some(value)) => {
            edits.set_str(value, &opaque.data);
        }
        // Thinking without a text travels as redacted.
        (OpaqueKind::Signature, ..) => {
            let thinking =
                ObjectWriter::of_type("thinking").str("thinking", "").str("signature", &opaque.data);
            edits.set_json(block, thinking.finish());
        }
        (OpaqueKind::Redacted, ..) => {
            edits.set_json(
                block,
                ObjectWriter::of_type("redacted_thinking").str("data", &opaque.data).finish(),
            );
        }
        _ => return true,
    }
    false
}
