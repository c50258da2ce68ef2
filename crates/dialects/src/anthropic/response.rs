//! Anthropic's `message`.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::usage::AnthropicUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::response_meta::{LenientStr, ResponseMeta};
use crate::usage::Usage;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    id: LenientStr<'a>,
    #[serde(default, borrow)]
    model: LenientStr<'a>,
    content: Option<Vec<IgnoredAny>>,
    usage: Option<AnthropicUsage>,
}

pub(super) fn read(body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    let message: Message<'_> = serde_json::from_slice(body)?;
    match (&*message.kind, &message.content) {
        ("error", _) => return Ok(None),
        // Empty content is valid: a model may end its turn without output.
        ("message", Some(_)) => {}
        _ => return Err(UnexpectedShape),
    }
    let mut meta = ResponseMeta::default();
    meta.fill_missing(message.id, message.model);
    Ok(Some((message.usage.map(Into::into).unwrap_or_default(), meta)))
}
