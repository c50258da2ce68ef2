//! Anthropic's thinking blocks.

use serde_json::value::RawValue;

use super::edits::Edits;
use super::rule::{EditRule, Fate};
use crate::form::OpaqueKind;
use crate::json::{Object, ObjectWriter, items};

pub(super) fn edit<'a>(root: &Object<'a>, rule: EditRule<'_>, edits: &mut Edits<'a>) {
    let messages = root.array("messages");
    let is_gone: Vec<bool> = messages.iter().map(|message| edit_message(message, rule, edits)).collect();
    edits.take_items(&messages, &is_gone);
}

/// Whether nothing is left of it: the API refuses a message without content, and joins its neighbours.
fn edit_message<'a>(message: &'a RawValue, rule: EditRule<'_>, edits: &mut Edits<'a>) -> bool {
    let content =
        Object::of(message).and_then(|message| message.raw("content")).and_then(items).unwrap_or_default();
    let is_gone: Vec<bool> = content.iter().map(|block| edit_block(block, rule, edits)).collect();
    edits.take_items(&content, &is_gone);
    !is_gone.is_empty() && is_gone.iter().all(|gone| *gone)
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
