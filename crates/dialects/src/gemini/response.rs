//! OpenAI's `chat.completion`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::usage::OpenAiUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::response_meta::{LenientStr, ResponseMeta};
use crate::usage::Usage;

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(default, borrow)]
    id: LenientStr<'a>,
    #[serde(default, borrow)]
    model: LenientStr<'a>,
    error: Option<IgnoredAny>,
    choices: Option<Vec<IgnoredAny>>,
    usage: Option<OpenAiUsage>,
}

pub(super) fn read(body: &[u8]) -> Parsed<(Usage, ResponseMeta)> {
    let completion: Completion<'_> = serde_json::from_slice(body)?;
    if completion.error.is_some() {
        return Ok(None);
    }
    if completion.choices.is_none_or(|choices| choices.is_empty()) {
        return Err(UnexpectedShape);
    }
    let mut meta = ResponseMeta::default();
    meta.fill_missing(completion.id, completion.model);
    Ok(Some((completion.usage.map(Into::into).unwrap_or_default(), meta)))
}
