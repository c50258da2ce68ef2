//! Rules about tools that Anthropic's format and Bedrock's Converse have in common.

use serde_json::value::RawValue;

use crate::form::{Tool, ToolChoice, ToolKind};
use crate::json::{Object, ObjectWriter};
use crate::target::Losses;

/// Whether the choice of tools leaves this one. A subset has no counterpart: only its tools are sent.
pub(crate) fn is_allowed(tool: &Tool, choice: Option<&ToolChoice>) -> bool {
    match (&tool.kind, choice) {
        (
            ToolKind::Function { name, .. } | ToolKind::Custom { name, .. },
            Some(ToolChoice::Allowed { names, .. }),
        ) => names.contains(name),
        _ => true,
    }
}

/// Other makers' hosted tools: without harm beside functions that the model is free to choose (T3).
pub(crate) fn leave_out_hosted(
    format: &str,
    hosted: &[&str],
    has_others: bool,
    choice: Option<&ToolChoice>,
    losses: &mut Losses,
) {
    for name in hosted {
        let is_forced = matches!(choice, Some(ToolChoice::Hosted(forced)) if forced == name);
        if is_forced || !has_others && choice != Some(&ToolChoice::None) {
            losses.refuse("tools", format!("holds `{name}`, which has no counterpart in {format}"));
        } else {
            losses.drop(*name);
        }
    }
    if let Some(ToolChoice::Hosted(name)) = choice
        && !hosted.contains(&name.as_str())
    {
        losses.refuse("tool_choice", format!("names `{name}`, which has no counterpart in {format}"));
    }
}

/// Every call has its result in the message right behind it, and every result its call. A message is given by the calls whose
/// results it holds, and by its own calls.
pub(crate) fn check_results<'a>(
    messages: impl Iterator<Item = (&'a [String], &'a [String])>,
    losses: &mut Losses,
) {
    let mut open: Vec<&str> = Vec::new();
    for (answered, calls) in messages {
        for id in answered {
            match open.iter().position(|call| call == id) {
                Some(position) => drop(open.remove(position)),
                None => losses
                    .refuse("messages", format!("holds a result for `{id}`, but no call right before it")),
            }
        }
        refuse_unanswered(open.drain(..), losses);
        open.extend(calls.iter().map(String::as_str));
    }
    refuse_unanswered(open.into_iter(), losses);
}

fn refuse_unanswered<'a>(calls: impl Iterator<Item = &'a str>, losses: &mut Losses) {
    for id in calls {
        losses.refuse("messages", format!("holds the call `{id}`, but no result right behind it"));
    }
}

/// Whether a freeform tool takes any text, without a grammar.
pub(crate) fn is_any_text(format: &RawValue) -> bool {
    Object::of(format).and_then(|format| format.string("type")).is_none_or(|kind| kind == "text")
}

/// The one text that a freeform tool takes. A grammar can only be asked for in words.
pub(crate) fn freeform(grammar: Option<&RawValue>) -> ObjectWriter {
    let input = ObjectWriter::of_type("string").maybe(grammar, |input, grammar| {
        input.str("description", &format!("Text of this form: {}", grammar.get()))
    });
    ObjectWriter::of_type("object")
        .object("properties", ObjectWriter::new().object("input", input))
        .json("required", r#"["input"]"#)
}

/// The schema of a tool without parameters.
pub(crate) fn no_parameters() -> String {
    r#"{"type":"object","properties":{}}"#.to_owned()
}
