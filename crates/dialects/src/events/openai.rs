//! OpenAI's chunks: `chat.completion.chunk`.

use std::mem;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::has_content::HasContent;
use super::{Choices, Parsed, Progress, UnexpectedShape};
use crate::ResponseMeta;
use crate::response_meta::LenientStr;
use crate::usage::OpenAiUsage;

#[derive(Deserialize)]
struct Chunk<N> {
    #[serde(default)]
    id: N,
    #[serde(default)]
    model: N,
    error: Option<IgnoredAny>,
    choices: Option<Vec<Choice>>,
    usage: Option<OpenAiUsage>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u32>,
    delta: Option<HasContent>,
    /// Some servers send an empty one until there is one.
    finish_reason: Option<String>,
}

pub(super) fn parse(data: &[u8], meta: &mut ResponseMeta) -> Parsed {
    if data.trim_ascii() == b"[DONE]" {
        return Ok(Some(Progress { done: true, ..Progress::default() }));
    }
    // Every chunk has the names again, and the first that has them will do.
    if meta.is_complete() {
        return progress_of(serde_json::from_slice::<Chunk<IgnoredAny>>(data)?);
    }
    let mut chunk: Chunk<LenientStr<'_>> = serde_json::from_slice(data)?;
    meta.fill_missing(mem::take(&mut chunk.id), mem::take(&mut chunk.model));
    progress_of(chunk)
}

fn progress_of<N>(chunk: Chunk<N>) -> Parsed {
    if chunk.error.is_some() {
        return Ok(None);
    }
    // The usage chunk of some servers has no choices at all, instead of an empty list.
    if chunk.choices.is_none() && chunk.usage.is_none() {
        return Err(UnexpectedShape);
    }
    let mut progress =
        Progress { usage: chunk.usage.map(Into::into).unwrap_or_default(), ..Progress::default() };
    for choice in chunk.choices.unwrap_or_default() {
        let this_choice = Choices::single(choice.index.unwrap_or_default());
        progress.choices = progress.choices.merge(this_choice);
        progress.content |= choice.delta.is_some_and(|delta| delta.0);
        if choice.finish_reason.is_some_and(|reason| !reason.is_empty()) {
            progress.finished = progress.finished.merge(this_choice);
        }
    }
    Ok(Some(progress))
}
