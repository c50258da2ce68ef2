//! Reasoning items of the responses API.

use serde_json::value::RawValue;

use super::edits::Edits;
use super::rule::{EditRule, Fate};
use crate::form::OpaqueKind;
use crate::json::Object;

pub(super) fn edit<'a>(root: &Object<'a>, rule: EditRule<'_>, edits: &mut Edits<'a>) {
    let input = root.array("input");
    let is_gone: Vec<bool> = input.iter().map(|item| edit_item(item, rule, edits)).collect();
    edits.take_items(&input, &is_gone);
    if matches!(rule, EditRule::Strip) && is_gone.contains(&true) {
        for (item, _) in input.iter().zip(&is_gone).filter(|(_, gone)| !**gone) {
            forget_id(item, edits);
        }
    }
}

/// Whether the item goes.
fn edit_item<'a>(item: &'a RawValue, rule: EditRule<'_>, edits: &mut Edits<'a>) -> bool {
    let Some(fields) = Object::of(item).filter(|fields| fields.str("type").as_deref() == Some("reasoning"))
    else {
        return false;
    };
    let opaque = match rule.decide(fields.str("encrypted_content").as_deref()) {
        Fate::Stays => return false,
        Fate::Returns(opaque) if opaque.kind == OpaqueKind::Encrypted => opaque,
        Fate::Returns(_) | Fate::Goes => return true,
    };
    if let Some(value) = fields.raw("encrypted_content") {
        edits.set_str(value, &opaque.data);
    }
    match (fields.raw("id"), opaque.id) {
        (Some(value), Some(id)) => edits.set_str(value, &id),
        (Some(_), None) => take_id(item, edits),
        (None, _) => {}
    }
    false
}

/// OpenAI answers 400 when an item that it knows by its id comes without the reasoning that led to it.
fn forget_id<'a>(item: &'a RawValue, edits: &mut Edits<'a>) {
    let kind = Object::of(item).and_then(|fields| fields.str("type"));
    if matches!(kind.as_deref(), Some("function_call" | "custom_tool_call" | "message")) {
        take_id(item, edits);
    }
}

fn take_id<'a>(item: &'a RawValue, edits: &mut Edits<'a>) {
    let members = edits.members(item);
    let is_gone: Vec<bool> = members.iter().map(|member| member.name == "id").collect();
    edits.take_members(&members, &is_gone);
}
