//! Writes parts as content blocks: objects with the kind as their one key.

use super::FORMAT;
use super::block::{Block, text};
use super::media_writer;
use super::models::ConverseModel;
use crate::form::{Opaque, OpaqueKind, Part, PartKind, ToolCall, ToolInput, ToolResult};
use crate::json::{ArrayWriter, Object, ObjectWriter};
use crate::names::{CONVERSE_CALL_ID, CONVERSE_TOOL_NAME, fit, flat_name};
use crate::target::Losses;

/// A result without words: an empty text is refused.
const NO_OUTPUT: &str = "(no output)";

/// A tool's name as it is declared and called.
pub(super) fn tool_name(namespace: Option<&str>, name: &str) -> String {
    fit(&flat_name(namespace, name), CONVERSE_TOOL_NAME).into_owned()
}

pub(super) fn call(call: &ToolCall) -> ObjectWriter {
    let input = match &call.input {
        ToolInput::Json(json) => input_object(json),
        ToolInput::Text(text) => ObjectWriter::new().str("input", text).finish(),
    };
    let call = ObjectWriter::new()
        .str("toolUseId", &fit(&call.id, CONVERSE_CALL_ID))
        .str("name", &tool_name(call.namespace.as_deref(), &call.name))
        .json("input", &input);
    ObjectWriter::new().object("toolUse", call)
}

/// A call's arguments as the object that they must be.
fn input_object(json: &str) -> String {
    if Object::parse(json.as_bytes()).is_some() {
        return json.to_owned();
    }
    match json.trim() {
        "" | "null" => "{}".to_owned(),
        _ => ObjectWriter::new().str("_raw", json).finish(),
    }
}

/// Reasoning of the target's own; `None`: of a kind that it does not want back.
pub(super) fn reasoning(text: &str, opaque: &Opaque) -> Option<ObjectWriter> {
    let content = match opaque.kind {
        OpaqueKind::Signature => {
            let signed = ObjectWriter::new().str("text", text).str("signature", &opaque.data);
            ObjectWriter::new().object("reasoningText", signed)
        }
        OpaqueKind::Redacted => ObjectWriter::new().str("redactedContent", &opaque.data),
        OpaqueKind::Encrypted | OpaqueKind::ThoughtSignature | OpaqueKind::PlainText => return None,
    };
    Some(ObjectWriter::new().object("reasoningContent", content))
}

pub(super) fn result(
    result: &ToolResult,
    model: ConverseModel,
    documents: &mut usize,
    losses: &mut Losses,
) -> Block {
    let mut content = ArrayWriter::new();
    match result.json.as_deref().filter(|json| Object::of(json).is_some()) {
        // It says what the texts say; images stand beside it.
        Some(json) => {
            content.push(ObjectWriter::new().raw("json", json));
            let media = result.content.iter().filter(|part| matches!(part.kind, PartKind::Media(_)));
            let blocks = media.filter_map(|part| user_block(part, model, documents, losses));
            blocks.for_each(|block| content.push(block.json));
        }
        None => {
            let blocks = result.content.iter().filter_map(|part| user_block(part, model, documents, losses));
            blocks.for_each(|block| content.push(block.json));
        }
    }
    if content.is_empty() {
        content.push(text(NO_OUTPUT).json);
    }
    let id = fit(&result.id, CONVERSE_CALL_ID);
    let writer = ObjectWriter::new().str("toolUseId", &id).array("content", content);
    let writer = if result.is_error { writer.str("status", "error") } else { writer };
    // A mark within the result does as well behind it.
    let cache = result.content.iter().rev().find_map(|part| part.cache);
    Block { cache, ..Block::new(ObjectWriter::new().object("toolResult", writer)) }
}

/// A block of a user's turn or of a result. A blank text is left out, since it is refused.
pub(super) fn user_block(
    part: &Part,
    model: ConverseModel,
    documents: &mut usize,
    losses: &mut Losses,
) -> Option<Block> {
    let block = match &part.kind {
        PartKind::Text(words) | PartKind::Refusal(words) => {
            (!words.trim().is_empty()).then(|| text(words))?
        }
        PartKind::Media(media) => match media_writer::write(media, model, documents, losses) {
            Ok(block) => block,
            Err((field, reason)) => {
                losses.refuse(field, reason);
                return None;
            }
        },
        PartKind::Foreign(name) => {
            losses.refuse("messages", format!("holds `{name}`, which has no counterpart in {FORMAT}"));
            return None;
        }
        PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => return None,
    };
    Some(Block { cache: part.cache, ..block })
}
