//! Reasoning in messages of the chat format: not OpenAI's own fields, but common ones.

use serde_json::value::RawValue;

use super::edits::Edits;
use super::rule::{EditRule, Fate};
use crate::form::OpaqueKind;
use crate::gemini::signature::{self, SKIP_VALIDATOR};
use crate::json::{Object, items};

const DETAILS: &str = "reasoning_details";
/// The readable reasoning.
const TEXTS: [&str; 2] = ["reasoning_content", "reasoning"];

pub(super) fn edit<'a>(root: &Object<'a>, rule: EditRule<'_>, edits: &mut Edits<'a>) {
    let messages = root.array("messages");
    let is_gone: Vec<bool> = messages.iter().map(|message| edit_message(message, rule, edits)).collect();
    edits.take_items(&messages, &is_gone);
}

/// Whether nothing is left of it.
fn edit_message<'a>(message: &'a RawValue, rule: EditRule<'_>, edits: &mut Edits<'a>) -> bool {
    let Some(fields) =
        Object::of(message).filter(|fields| fields.str("role").as_deref() == Some("assistant"))
    else {
        return false;
    };
    for call in fields.objects("tool_calls") {
        edit_call(&call, rule, edits);
    }
    let details = fields.array(DETAILS);
    let fates: Vec<Fate> = details.iter().map(|entry| fate_of(entry, rule)).collect();
    let goes: Vec<bool> = fates.iter().map(|fate| !matches!(fate, Fate::Stays)).collect();
    // The text of reasoning without a secret goes back to its maker.
    let keeps_text = |fate: &Fate| {
        matches!(fate, Fate::Stays)
            || matches!(fate, Fate::Returns(opaque) if opaque.kind == OpaqueKind::PlainText)
    };
    let no_text = matches!(rule, EditRule::Strip) || !fates.iter().all(keeps_text);
    let no_details = matches!(rule, EditRule::Strip) || (!goes.is_empty() && goes.iter().all(|gone| *gone));
    let members = edits.members(message);
    let is_gone: Vec<bool> = members
        .iter()
        .map(|member| (no_text && TEXTS.contains(&&*member.name)) || (no_details && member.name == DETAILS))
        .collect();
    if is_gone.contains(&true) {
        edits.take_members(&members, &is_gone);
    }
    if !no_details {
        edits.take_items(&details, &goes);
    }
    is_gone.contains(&true) && says_nothing(&fields)
}

/// An entry's envelope may be in any of its fields: data of encrypted reasoning, or the signature of a text.
fn fate_of(entry: &RawValue, rule: EditRule<'_>) -> Fate {
    let Some(fields) = Object::of(entry) else { return Fate::Stays };
    let fates = ["data", "signature"].into_iter().map(|key| rule.decide(fields.str(key).as_deref()));
    fates.into_iter().find(|fate| !matches!(fate, Fate::Stays)).unwrap_or(Fate::Stays)
}

/// Google's chat format has Gemini's signatures beside the calls, and Gemini 3 wants one.
fn edit_call<'a>(call: &Object<'a>, rule: EditRule<'_>, edits: &mut Edits<'a>) {
    let google = call.object("extra_content").and_then(|extra| extra.object("google"));
    let Some(value) = google.and_then(|google| google.raw("thought_signature")) else { return };
    match rule.decide(crate::json::as_str(value).as_deref()) {
        Fate::Stays => {}
        Fate::Returns(opaque) if opaque.kind == OpaqueKind::ThoughtSignature => {
            edits.set_str(value, signature::split(&opaque.data).1);
        }
        Fate::Returns(_) | Fate::Goes => edits.set_str(value, SKIP_VALIDATOR),
    }
}

fn says_nothing(message: &Object<'_>) -> bool {
    let is_empty =
        |value: &RawValue| value.get() == "\"\"" || items(value).is_some_and(|items| items.is_empty());
    ["content", "tool_calls", "refusal", "audio", "function_call"]
        .iter()
        .all(|key| message.raw(key).is_none_or(is_empty))
}
