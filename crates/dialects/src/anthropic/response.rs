//! Anthropic's `message`.

use super::usage::AnthropicUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::json::{self, Cursor};
use crate::lenient::{Items, fields};
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

#[derive(Default)]
struct Message<'a> {
    kind: Name<'a>,
    id: Name<'a>,
    model: Name<'a>,
    content: Items,
    usage: Option<AnthropicUsage>,
}

fields!(
    Message<'a>:
    b"type" => kind,
    b"id" => id,
    b"model" => model,
    b"content" => content,
    b"usage" => usage,
);

pub(super) fn read(body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    let message: Option<Message<'_>> = json::read(body, Cursor::any)?;
    message.map_or(Err(UnexpectedShape), |message| check(message, meta))
}

fn check(message: Message<'_>, meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    match (message.kind.get().as_deref(), message.content.0) {
        (Some("error"), _) => return Ok(None),
        // Empty content is valid: a model may end its turn without output.
        (Some("message"), Some(_)) => {}
        _ => return Err(UnexpectedShape),
    }
    ResponseMeta::fill_wanted(meta, message.id, message.model);
    Ok(Some(message.usage.map(Into::into).unwrap_or_default()))
}
