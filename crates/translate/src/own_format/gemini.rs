//! Gemini's thoughts and thought signatures.

use serde_json::value::RawValue;

use super::edits::Edits;
use super::{Fate, Rule};
use crate::form::OpaqueKind;
use crate::gemini::signature::{self, SKIP_VALIDATOR};
use crate::json::{Object, as_str, items};

const SLOTS: [&str; 2] = ["thoughtSignature", "thought_signature"];

pub(super) fn edit<'a>(root: &Object<'a>, rule: Rule<'_>, edits: &mut Edits<'a>) {
    let contents = root.array("contents");
    let is_gone: Vec<bool> = contents.iter().map(|content| edit_content(content, rule, edits)).collect();
    edits.take_items(&contents, &is_gone);
}

/// Whether nothing is left of it: Gemini refuses a content without parts.
fn edit_content<'a>(content: &'a RawValue, rule: Rule<'_>, edits: &mut Edits<'a>) -> bool {
    let parts =
        Object::of(content).and_then(|content| content.raw("parts")).and_then(items).unwrap_or_default();
    let fates: Vec<Fate> =
        parts.iter().map(|part| rule.fate(signature_of(part).and_then(as_str).as_deref())).collect();
    // The thoughts of another model's stand ahead of the part with their envelope.
    let no_thoughts = fates.iter().any(|fate| matches!(fate, Fate::Goes));
    let is_gone: Vec<bool> = parts
        .iter()
        .zip(&fates)
        .map(|(part, fate)| edit_part(part, fate, no_thoughts, rule, edits))
        .collect();
    edits.take_items(&parts, &is_gone);
    !is_gone.is_empty() && is_gone.iter().all(|gone| *gone)
}

fn signature_of(part: &RawValue) -> Option<&RawValue> {
    let fields = Object::of(part)?;
    SLOTS.into_iter().find_map(|slot| fields.raw(slot))
}

/// Whether the part goes.
fn edit_part<'a>(
    part: &'a RawValue,
    fate: &Fate,
    no_thoughts: bool,
    rule: Rule<'_>,
    edits: &mut Edits<'a>,
) -> bool {
    let Some(fields) = Object::of(part) else { return false };
    let value = signature_of(part);
    let is_thought = fields.bool("thought") == Some(true);
    match (fate, value) {
        (Fate::Returns(opaque), Some(value)) if opaque.kind == OpaqueKind::ThoughtSignature => {
            edits.set_str(value, signature::split(&opaque.data).1);
            false
        }
        (Fate::Stays, Some(_)) => false,
        (_, None) => is_thought && no_thoughts,
        _ if is_thought => true,
        (_, Some(value)) => {
            let is_call = fields.raw("functionCall").or_else(|| fields.raw("function_call")).is_some();
            if is_call && rule.needs_call_signature() {
                edits.set_str(value, SKIP_VALIDATOR);
                return false;
            }
            let members = edits.members(part);
            let is_gone: Vec<bool> = members.iter().map(|member| SLOTS.contains(&&*member.name)).collect();
            edits.take_members(&members, &is_gone);
            // An empty text only carried it.
            members.iter().all(|member| SLOTS.contains(&&*member.name) || member.value.get() == "\"\"")
        }
    }
}
