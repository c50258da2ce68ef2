//! OpenAI's `chat.completion.chunk`.

use serde_json::Value;

use super::usage::OpenAiUsage;
use crate::error_body::is_error;
use crate::format::{Parsed, is_done_marker};
use crate::has_content::HasContent;
use crate::json::{self, Cursor, Pattern};
use crate::lenient::{Count, Filled, FromAny, IsError, IsFinish, fields};
use crate::progress::{Choices, Progress};
use crate::response_meta::{Name, ResponseMeta};

#[derive(Default)]
struct Chunk<'a> {
    id: Name<'a>,
    model: Name<'a>,
    error: IsError,
    choices: ChoiceList,
    usage: Option<OpenAiUsage>,
}

fields!(
    Chunk<'a>:
    b"id" => id,
    b"model" => model,
    b"error" => error,
    b"choices" => choices,
    b"usage" => usage,
);

/// What the choices bring together; `None`: it is no list.
#[derive(Default)]
struct ChoiceList(Option<Progress>);

impl<'a> FromAny<'a> for ChoiceList {
    #[inline]
    fn from_array(array: &mut Cursor<'a>) -> json::Result<Self> {
        let mut progress = Progress::default();
        array.array(|item| {
            let choice: Option<Choice> = item.any()?;
            if let Some(choice) = choice {
                choice.add_to(&mut progress);
            }
            Ok(())
        })?;
        Ok(Self(Some(progress)))
    }
}

#[derive(Default)]
struct Choice {
    index: Count,
    delta: Option<HasContent>,
    /// What the older completions have instead of a delta.
    text: Filled,
    finish_reason: IsFinish,
}

fields!(Choice: b"index" => index, b"delta" => delta, b"text" => text, b"finish_reason" => finish_reason);

impl Choice {
    fn add_to(self, progress: &mut Progress) {
        let index = self.index.0.and_then(|index| u32::try_from(index).ok()).unwrap_or_default();
        let this_choice = Choices::single(index);
        progress.choices = progress.choices.merge(this_choice);
        progress.content |= self.text.0 || self.delta.is_some_and(|delta| delta.0);
        if self.finish_reason.0 {
            progress.finished = progress.finished.merge(this_choice);
        }
    }
}

pub(super) fn read(data: &[u8], meta: &mut ResponseMeta, pattern: &mut Pattern) -> Parsed<Progress> {
    if is_done_marker(data) {
        return Ok(Some(Progress { done: true, ..Progress::default() }));
    }
    let chunk: Option<Chunk<'_>> = pattern.read(data, Cursor::any)?;
    match chunk {
        Some(chunk) if chunk.error.0 => Ok(None),
        Some(chunk) => {
            // Every chunk repeats the names: those of the first one are enough.
            meta.fill_missing(chunk.id, chunk.model);
            match (chunk.choices.0, chunk.usage) {
                // It has nothing of an answer: a ping, trace data, an error that is not in `error`.
                (None, None) => read_unrelated(data),
                // The usage chunk of some servers has no `choices`, instead of an empty list.
                (choices, usage) => {
                    let usage = usage.map(Into::into).unwrap_or_default();
                    Ok(Some(Progress { usage, ..choices.unwrap_or_default() }))
                }
            }
        }
        None => read_unrelated(data),
    }
}

fn read_unrelated(data: &[u8]) -> Parsed<Progress> {
    let data: Value = serde_json::from_slice(data)?;
    Ok((!is_error(&data)).then(Progress::default))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::json::Pattern;
    use crate::progress::{Choices, Progress};
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn parse(data: &str) -> Progress {
        read(data.as_bytes(), &mut ResponseMeta::default(), &mut Pattern::default()).unwrap().unwrap()
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
            (r#""x""#, "null", ""),
            (r#"{"content":"a","content":"b"}"#, "null", "c"),
            ("{}", "1", "f"),
            ("{}", "true", "f"),
            ("{}", r#"{"type":"stop"}"#, "f"),
            ("{}", "{}", ""),
            ("{}", "false", ""),
            ("{}", r#""null""#, ""),
        ] {
            assert_eq!(parse(&choice(delta, reason)).flags(), expected, "{delta} {reason}");
        }
    }

    #[test]
    fn chunks_of_the_older_completions() {
        for (choice, expected) in [
            (r#""text":"Hi","logprobs":null,"finish_reason":null"#, "c"),
            (r#""text":"","finish_reason":"stop""#, "f"),
            (r#""text":"Hi","finish_reason":"length""#, "cf"),
        ] {
            let chunk = format!(r#"{{"object":"text_completion","choices":[{{"index":0,{choice}}}]}}"#);
            assert_eq!(parse(&chunk).flags(), expected, "{chunk}");
        }
    }

    #[test]
    fn what_is_no_part_of_an_answer_is_no_fault() {
        for data in [
            "null",
            "7",
            "{}",
            "[]",
            r#"{"type":"ping"}"#,
            r#"{"type": "ping", "message": "still here"}"#,
            r#"{"choices":null}"#,
            r#"{"choices":"x"}"#,
            r#"{"choices":[null,7]}"#,
            r#"{"id":"x","object":"trace","trace":{"spans":[]}}"#,
            r#"{"code":200,"message":"success"}"#,
            r#"{"error":null,"choices":[]}"#,
        ] {
            assert_eq!(parse(data).flags(), "", "{data}");
        }
        for beside in
            [r#""error":false"#, r#""error":{}"#, r#""error":{"message":"","code":null}"#, r#""id":1,"id":2"#]
        {
            let data =
                format!(r#"{{{beside},"choices":[{{"delta":{{"content":"a"}},"finish_reason":"stop"}}]}}"#);
            assert_eq!(parse(&data).flags(), "cf", "{data}");
        }
        for (usage, input) in [(r#""5""#, Some(5)), ("[]", None), ("-1", None), ("{}", None)] {
            let progress = parse(&format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{usage}}}}}"#));
            assert_eq!(progress.usage.input, input, "{usage}");
        }
    }

    #[test]
    fn errors_that_are_not_in_a_field_of_that_name() {
        for data in [
            r#"{"object":"error","message":"x","type":"BadRequestError","code":400}"#,
            r#"{"type":"error","message":"x"}"#,
            r#"[{"error":{"code":429,"message":"x"}}]"#,
            r#"{"code":"DataInspectionFailed","message":"x","request_id":"1"}"#,
            r#"{"detail":"x"}"#,
            r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"},"choices":null}"#,
        ] {
            assert_eq!(
                read(data.as_bytes(), &mut ResponseMeta::default(), &mut Pattern::default()),
                Ok(None),
                "{data}"
            );
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
    fn a_chunk_of_usage_belongs_to_no_choice() {
        let usage = r#""usage":{"prompt_tokens":5,"completion_tokens":2}"#;
        for (data, is_only_usage) in [
            (format!(r#"{{"choices":[],{usage}}}"#), true),
            (format!("{{{usage}}}"), true),
            (format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],{usage}}}"#), false),
            (format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}}}}],{usage}}}"#), false),
            (r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#.to_owned(), false),
            ("[DONE]".to_owned(), false),
        ] {
            assert_eq!(parse(&data).is_only_usage(), is_only_usage, "{data}");
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
