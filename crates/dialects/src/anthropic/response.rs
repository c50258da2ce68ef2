//! Anthropic's `message`.

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess};

use super::usage::AnthropicUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::lenient::{FromAny, Lenient, Object, read_json};
use crate::response_meta::{LenientStr, ResponseMeta};
use crate::usage::Usage;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: LenientStr<'a>,
    #[serde(default, borrow)]
    id: LenientStr<'a>,
    #[serde(default, borrow)]
    model: LenientStr<'a>,
    #[serde(default)]
    content: Lenient<IsList>,
    #[serde(default)]
    usage: Object<AnthropicUsage>,
}

#[derive(Default)]
struct IsList(bool);

impl<'de> FromAny<'de> for IsList {
    fn from_seq<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(true))
    }
}

pub(super) fn read(body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    read_json(body, |body| {
        let message = serde_json::from_slice::<Object<Message<'_>>>(body)?.get();
        Ok(message.map_or(Err(UnexpectedShape), check))
    })?
}

fn check(message: Message<'_>) -> Parsed<(Usage, ResponseMeta)> {
    match (message.kind.as_str(), message.content.0.0) {
        (Some("error"), _) => return Ok(None),
        // Empty content is valid: a model may end its turn without output.
        (Some("message"), true) => {}
        _ => return Err(UnexpectedShape),
    }
    let mut meta = ResponseMeta::default();
    meta.fill_missing(message.id, message.model);
    Ok(Some((message.usage.get().map(Into::into).unwrap_or_default(), meta)))
}
