//! OpenAI's `chat.completion.chunk`.

use std::mem;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::usage::OpenAiUsage;
use crate::format::{Parsed, UnexpectedShape};
use crate::has_content::HasContent;
use crate::progress::{Choices, Progress};
use crate::response_meta::{LenientStr, ResponseMeta};

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
    /// Some servers send an empty string until there is a reason.
    finish_reason: Option<String>,
}

pub(super) fn read(data: &[u8], meta: &mut ResponseMeta) -> Parsed<Progress> {
    if data.trim_ascii() == b"[DONE]" {
        return Ok(Some(Progress { done: true, ..Progress::default() }));
    }
    // Every chunk repeats the names: those of the first one are enough.
    if meta.is_complete() {
        return progress_of(serde_json::from_slice::<Chunk<IgnoredAny>>(data)?);
    }
    let mut chunk: Chunk<LenientStr<'_>> = serde_json::from_slice(data)?;
    meta.fill_missing(mem::take(&mut chunk.id), mem::take(&mut chunk.model));
    progress_of(chunk)
}

fn progress_of<N>(chunk: Chunk<N>) -> Parsed<Progress> {
    if chunk.error.is_some() {
        return Ok(None);
    }
    // The usage chunk of some servers has no `choices`, instead of an empty list.
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

#[cfg(test)]
mod tests {
    use super::read;
    use crate::progress::{Choices, Progress};
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn parse(data: &str) -> Progress {
        read(data.as_bytes(), &mut ResponseMeta::default()).unwrap().unwrap()
    }

    #[test]
    fn chunks() {
        let choice = |delta: &str, reason: &str| {
            format!(
                r#"{{"object":"chat.completion.chunk","choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}"#
            )
        };
        for (delta, reason, expected) in [
            (r#"{"role":"assistant","content":"","refusal":null}"#, "null", ""),
            (r#"{"role":"assistant","content":null,"tool_calls":[]}"#, "null", ""),
            ("{}", "null", ""),
            ("null", "null", ""),
            (r#"{"role":"assistant","content":"Hi"}"#, "null", "c"),
            (r#"{"content":"é\u0000"}"#, "null", "c"),
            (r#"{"refusal":"I cannot"}"#, "null", "c"),
            (r#"{"reasoning_content":"hm"}"#, "null", "c"),
            (r#"{"reasoning":"hm","content":""}"#, "null", "c"),
            (r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#, "null", "c"),
            (r#"{"function_call":{"name":"f"}}"#, "null", "c"),
            (r#"{"audio":{"data":"x"}}"#, "null", "c"),
            (r#"{"content":"last"}"#, r#""length""#, "cf"),
            ("{}", r#""stop""#, "f"),
            (r#"{"content":"x"}"#, r#""""#, "c"),
            (r#"{"content":"","index":7,"final":false}"#, "null", ""),
        ] {
            assert_eq!(parse(&choice(delta, reason)).flags(), expected, "{delta} {reason}");
        }
    }

    #[test]
    fn other_events() {
        assert_eq!(parse("[DONE]").flags(), "d");
        assert_eq!(parse(r#"{"choices":[],"prompt_filter_results":[]}"#).flags(), "");
        for usage in [
            r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
            r#"{"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
        ] {
            let expected =
                Progress { usage: Usage { input: Some(5), output: Some(2) }, ..Progress::default() };
            assert_eq!(parse(usage), expected);
        }
    }

    #[test]
    fn choices_are_distinguished() {
        let progress = parse(
            r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":2,"delta":{},"finish_reason":"stop"}]}"#,
        );
        assert_eq!(progress.choices, Choices::single(0).merge(Choices::single(2)));
        assert_eq!(progress.finished, Choices::single(2));
        assert!(!progress.finished.contains_all(progress.choices));
        assert_eq!(Choices::single(64), Choices::single(u32::MAX));
    }
}
