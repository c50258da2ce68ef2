//! OpenAI's chunks: `chat.completion.chunk`.

use std::mem;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::said::Said;
use super::{Choices, Parsed, Progress, Unpromised};
use crate::Origin;
use crate::origin::Name;
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
    delta: Option<Said>,
    /// Some servers send an empty one until there is one.
    finish_reason: Option<String>,
}

pub(super) fn read(data: &[u8], origin: &mut Origin) -> Parsed {
    if data.trim_ascii() == b"[DONE]" {
        return Ok(Some(Progress { done: true, ..Progress::default() }));
    }
    // Every chunk has the names again, and the first that has them will do.
    if origin.is_known() {
        return brought(serde_json::from_slice::<Chunk<IgnoredAny>>(data)?);
    }
    let mut chunk: Chunk<Name<'_>> = serde_json::from_slice(data)?;
    origin.learn(mem::take(&mut chunk.id), mem::take(&mut chunk.model));
    brought(chunk)
}

fn brought<N>(chunk: Chunk<N>) -> Parsed {
    if chunk.error.is_some() {
        return Ok(None);
    }
    // The usage chunk of some servers has no choices at all, instead of an empty list.
    if chunk.choices.is_none() && chunk.usage.is_none() {
        return Err(Unpromised);
    }
    let mut progress =
        Progress { usage: chunk.usage.map(Into::into).unwrap_or_default(), ..Progress::default() };
    for choice in chunk.choices.unwrap_or_default() {
        let of_this = Choices::of(choice.index.unwrap_or_default());
        progress.choices = progress.choices.and(of_this);
        progress.content |= choice.delta.is_some_and(|delta| delta.0);
        if choice.finish_reason.is_some_and(|reason| !reason.is_empty()) {
            progress.finished = progress.finished.and(of_this);
        }
    }
    Ok(Some(progress))
}
