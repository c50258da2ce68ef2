//! OpenAI's `chat.completion`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::usage::OpenAiUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::lenient::{IsError, Lenient, Object, Objects, read_json};
use crate::response_meta::{LenientStr, ResponseMeta};
use crate::usage::Usage;

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(default, borrow)]
    id: LenientStr<'a>,
    #[serde(default, borrow)]
    model: LenientStr<'a>,
    #[serde(default)]
    error: Lenient<IsError>,
    #[serde(default)]
    choices: Lenient<Objects<Fields>>,
    #[serde(default)]
    usage: Object<OpenAiUsage>,
}

/// An object with any fields.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "index")]
    _index: Option<IgnoredAny>,
}

pub(super) fn read(body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    read_json(body, |body| {
        let completion = serde_json::from_slice::<Object<Completion<'_>>>(body)?.get();
        Ok(completion.map_or(Err(UnexpectedShape), check))
    })?
}

fn check(completion: Completion<'_>) -> Parsed<(Usage, ResponseMeta)> {
    if completion.error.0.0 {
        return Ok(None);
    }
    if completion.choices.0.0.is_none_or(|choices| choices.is_empty()) {
        return Err(UnexpectedShape);
    }
    let mut meta = ResponseMeta::default();
    meta.fill_missing(completion.id, completion.model);
    Ok(Some((completion.usage.get().map(Into::into).unwrap_or_default(), meta)))
}
