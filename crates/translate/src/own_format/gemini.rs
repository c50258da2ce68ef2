//! Gemini's thoughts and thought signatures.

use serde_json::value::RawValue;

use super::edits::Edits;
use super::rule::{EditRule, Fate};
use crate::form::OpaqueKind;
use crate::gemini::signature::{self, SKIP_VALIDATOR};
use crate::json::{Object, as_str, items};

const SLOTS: [&str; 2] = ["thoughtSignature", "thought_signature"];

pub(super) fn edit<'a>(root: &Object<'a>, rule: EditRule<'_>, edits: &mut Edits<'a>) {
    let items = root.array("contents");
    let contents: Vec<Content<'a>> = items.iter().map(|content| Content::read(content, rule)).collect();
    let mut is_gone = Vec::with_capacity(items.len());
    // Google's SDKs keep a content of each chunk of a stream: neighbours are one turn.
    for turn in contents.chunk_by(|one, next| one.is_model && next.is_model) {
        // The thoughts of another model's stand ahead of the part with their envelope.
        let no_thoughts =
            turn.iter().any(|content| content.fates.iter().any(|fate| matches!(fate, Fate::Goes)));
        is_gone.extend(turn.iter().map(|content| content.edit(no_thoughts, rule, edits)));
    }
    edits.take_items(&items, &is_gone);
}

struct Content<'a> {
    is_model: bool,
    parts: Vec<&'a RawValue>,
    /// What becomes of each part's signature.
    fates: Vec<Fate>,
}

impl<'a> Content<'a> {
    fn read(content: &'a RawValue, rule: EditRule<'_>) -> Self {
        let fields = Object::of(content).unwrap_or_default();
        let parts = fields.raw("parts").and_then(items).unwrap_or_default();
        let fate = |part: &&RawValue| rule.decide(signature_of(part).and_then(as_str).as_deref());
        let fates = parts.iter().map(fate).collect();
        Self { is_model: fields.str("role").as_deref() == Some("model"), parts, fates }
    }

    /// Whether nothing is left of it: Gemini refuses a content without parts.
    fn edit(&self, no_thoughts: bool, rule: EditRule<'_>, edits: &mut Edits<'a>) -> bool {
        let parts = self.parts.iter().zip(&self.fates);
        let is_gone: Vec<bool> =
            parts.map(|(part, fate)| edit_part(part, fate, no_thoughts, rule, edits)).collect();
        edits.take_items(&self.parts, &is_gone);
        !is_gone.is_empty() && is_gone.iter().all(|gone| *gone)
    }
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
    rule: EditRule<'_>,
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
