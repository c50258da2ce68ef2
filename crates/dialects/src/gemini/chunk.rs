//! Gemini's answer. Every event of a stream is one, with what is new.

use std::ops::BitOrAssign;

use serde_json::Value;

use super::usage::GeminiUsage;
use crate::error_body::is_error;
use crate::format::{Parsed, UnexpectedShape, is_done_marker};
use crate::has_content::HasContent;
use crate::json::{self, Cursor, Pattern};
use crate::lenient::{Count, FromAny, IsError, IsFinish, fields};
use crate::progress::{Choices, Progress};
use crate::response_meta::{Name, ResponseMeta};
use crate::usage::Usage;

#[derive(Default)]
struct Chunk<'a> {
    error: IsError,
    candidates: Candidates,
    prompt_feedback: Option<PromptFeedback<'a>>,
    usage_metadata: Option<GeminiUsage>,
    response_id: Name<'a>,
    model_version: Name<'a>,
}

fields!(
    Chunk<'a>:
    b"error" => error,
    b"candidates" => candidates,
    b"promptFeedback" => prompt_feedback,
    b"usageMetadata" => usage_metadata,
    b"responseId" => response_id,
    b"modelVersion" => model_version,
);

#[derive(Default)]
struct PromptFeedback<'a> {
    block_reason: Name<'a>,
}

fields!(PromptFeedback<'a>: b"blockReason" => block_reason);

#[derive(Default)]
struct Candidate {
    index: Count,
    content: Option<Content>,
    finish_reason: IsFinish,
}

fields!(Candidate: b"index" => index, b"content" => content, b"finishReason" => finish_reason);

#[derive(Default)]
struct Content {
    parts: Parts,
}

fields!(Content: b"parts" => parts);

/// Whether a part has content: text, a thought, a call, a file.
#[derive(Default)]
struct Parts(bool);

impl<'a> FromAny<'a> for Parts {
    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut has_content = false;
        array.array(|item| {
            let part: Option<HasContent> = item.any()?;
            has_content |= part.is_some_and(|part| part.0);
            Ok(())
        })?;
        Ok(Self(has_content))
    }
}

/// What the candidates bring together.
#[derive(Default)]
struct Candidates {
    content: bool,
    choices: Choices,
    finished: Choices,
}

impl<'a> FromAny<'a> for Candidates {
    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut all = Self::default();
        array.array(|item| {
            if let Some(candidate) = item.any::<Option<Candidate>>()? {
                all |= candidate;
            }
            Ok(())
        })?;
        Ok(all)
    }
}

impl BitOrAssign<Candidate> for Candidates {
    fn bitor_assign(&mut self, candidate: Candidate) {
        let index = candidate.index.0.and_then(|index| u32::try_from(index).ok()).unwrap_or_default();
        let choice = Choices::single(index);
        self.choices = self.choices.merge(choice);
        self.content |= candidate.content.is_some_and(|content| content.parts.0);
        if candidate.finish_reason.0 {
            self.finished = self.finished.merge(choice);
        }
    }
}

pub(super) fn read_event(data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
    // The format has no such marker, but compatible servers have.
    if is_done_marker(data) {
        return Ok(Some(Progress { done: true, ..Progress::default() }));
    }
    let chunk = pattern.read(data, Cursor::any)?;
    progress_or_error(chunk, data, meta)
}

fn progress_or_error(chunk: Option<Chunk<'_>>, data: &[u8], meta: &mut ResponseMeta) -> Parsed<Progress> {
    let read = chunk.map_or_else(|| Some(Progress::default()), |chunk| progress_of(chunk, meta));
    if read == Some(Progress::default()) {
        // Neither an answer nor, perhaps, an error.
        let data: Value = serde_json::from_slice(data)?;
        return Ok((!is_error(&data)).then(Progress::default));
    }
    Ok(read)
}

pub(super) fn read_response(body: &[u8], meta: Option<&mut ResponseMeta>) -> Parsed<Usage> {
    let mut unwanted = ResponseMeta::default();
    let meta = meta.unwrap_or(&mut unwanted);
    let whole = match body.trim_ascii_start() {
        // A stream that is no SSE.
        [b'[', ..] => read_list(body, meta)?,
        _ => progress_or_error(json::read(body, Cursor::any)?, body, meta)?,
    };
    match whole {
        None => Ok(None),
        // An answer without candidates is one if it says that the prompt was blocked.
        Some(progress) if progress.choices.is_empty() => Err(UnexpectedShape),
        Some(progress) => Ok(Some(progress.usage)),
    }
}

fn read_list(body: &[u8], meta: &mut ResponseMeta) -> Parsed<Progress> {
    let mut whole = Some(Progress::default());
    json::read(body, |list| {
        list.array(|item| {
            // An error stands for all.
            if let (Some(so_far), Some(chunk)) = (whole, item.any()?) {
                whole = progress_of(chunk, meta).map(|chunk| Progress {
                    choices: so_far.choices.merge(chunk.choices),
                    usage: so_far.usage.updated_by(chunk.usage),
                    ..so_far
                });
            }
            Ok(())
        })
    })?;
    Ok(whole)
}

fn progress_of(chunk: Chunk<'_>, meta: &mut ResponseMeta) -> Option<Progress> {
    if chunk.error.0 {
        return None;
    }
    meta.fill_missing(chunk.response_id, chunk.model_version);
    let Candidates { content, mut choices, mut finished } = chunk.candidates;
    if chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.get().is_some()) {
        choices = choices.merge(Choices::single(0));
        finished = finished.merge(choices);
    }
    let usage = chunk.usage_metadata.map(Usage::from).unwrap_or_default();
    Some(Progress { content, choices, finished, done: false, usage })
}

#[cfg(test)]
mod tests {
    use super::{read_event, read_response};
    use crate::format::UnexpectedShape;
    use crate::json::Pattern;
    use crate::progress::{Choices, Progress};
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn parse(data: &str) -> Option<Progress> {
        read_event(data.as_bytes(), &mut ResponseMeta::default(), &mut Pattern::default()).unwrap()
    }

    #[test]
    fn parts() {
        for (part, expected) in [
            (r#"{"text":"Hi"}"#, "c"),
            (r#"{"text":"hm","thought":true}"#, "c"),
            (r#"{"text":""}"#, ""),
            (r#"{"text":"","thoughtSignature":"CiQB"}"#, "c"),
            (r#"{"functionCall":{"name":"f","args":{}}}"#, "c"),
            (r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#, "c"),
            (r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#, "c"),
            ("{}", ""),
            ("null", ""),
            ("7", ""),
        ] {
            let chunk =
                format!(r#"{{"candidates":[{{"content":{{"role":"model","parts":[{part}]}},"index":0}}]}}"#);
            assert_eq!(parse(&chunk).unwrap().flags(), expected, "{part}");
        }
    }

    #[test]
    fn chunks() {
        for (data, expected) in [
            (r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MAX_TOKENS"}]}"#, "cf"),
            (r#"{"candidates":[{"finishReason":"SAFETY","safetyRatings":[{"blocked":true}]}]}"#, "f"),
            (r#"{"candidates":[{"content":{},"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#, ""),
            (r#"{"candidates":[{"content":{"parts":null},"finishReason":null}]}"#, ""),
            (r#"{"candidates":[],"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#, "f"),
            (
                r#"{"promptFeedback":{"safetyRatings":[]},"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
                "c",
            ),
            (r#"{"usageMetadata":{"promptTokenCount":3},"error":null}"#, ""),
            (r#"{"candidates":"odd","usageMetadata":7}"#, ""),
            (r#"{"candidates":[7,{"finishReason":"STOP","finishReason":"STOP","index":"odd"}]}"#, "f"),
            ("{}", ""),
            ("null", ""),
        ] {
            assert_eq!(parse(data).unwrap().flags(), expected, "{data}");
        }
        assert_eq!(parse(r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}"#), None);
        assert_eq!(parse("[DONE]").unwrap().flags(), "d");
        assert_eq!(parse(r#"[{"error":{"code":503,"message":"x"}}]"#), None);
        for data in ["", "oops", "{"] {
            assert_eq!(
                read_event(data.as_bytes(), &mut ResponseMeta::default(), &mut Pattern::default()),
                Err(UnexpectedShape),
                "{data}"
            );
        }
    }

    #[test]
    fn candidates_are_choices() {
        let progress = parse(r#"{"candidates":[{"index":1,"finishReason":"STOP"},{"index":0}]}"#).unwrap();
        assert_eq!(progress.choices, Choices::single(0).merge(Choices::single(1)));
        assert_eq!(progress.finished, Choices::single(1));
    }

    #[test]
    fn usage_of_chunks() {
        for (metadata, input, output) in [
            (
                r#"{"promptTokenCount":152,"candidatesTokenCount":18,"thoughtsTokenCount":609}"#,
                Some(152),
                Some(627),
            ),
            (r#"{"promptTokenCount":5,"toolUsePromptTokenCount":70,"totalTokenCount":75}"#, Some(75), None),
            (r#"{"promptTokenCount":"5","candidatesTokenCount":-1}"#, Some(5), None),
        ] {
            let progress = parse(&format!(r#"{{"usageMetadata":{metadata}}}"#)).unwrap();
            assert_eq!(progress.usage, Usage { input, output }, "{metadata}");
        }
    }

    #[test]
    fn whole_answers() {
        let answer = br#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],
            "modelVersion":"gemini-3-flash","responseId":"r1","usageMetadata":{"promptTokenCount":1}}"#;
        let (mut meta, expected) = (
            ResponseMeta::default(),
            ResponseMeta { id: Some("r1".into()), model: Some("gemini-3-flash".into()) },
        );
        let usage = Usage { input: Some(1), output: None };
        assert_eq!(read_response(answer, Some(&mut meta)), Ok(Some(usage)));
        assert_eq!(meta, expected);
        let blocked = br#"{"promptFeedback":{"blockReason":"OTHER"}}"#;
        assert_eq!(read_response(blocked, None), Ok(Some(Default::default())));
        let list = br#" [{"candidates":[{}],"usageMetadata":{"promptTokenCount":1}},
            {"usageMetadata":{"candidatesTokenCount":2}}]"#;
        let usage = Usage { input: Some(1), output: Some(2) };
        assert_eq!(read_response(list, None), Ok(Some(usage)));
        assert_eq!(read_response(br#"[{"error":{"code":503}}]"#, None), Ok(None));
        for body in ["", "null", "{}", "[]", "[7]", r#"{"candidates":[]}"#, r#"{"choices":[{}]}"#] {
            assert_eq!(read_response(body.as_bytes(), None), Err(UnexpectedShape), "{body}");
        }
    }
}
