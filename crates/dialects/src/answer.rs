//! Plain answers.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::ErrorBody;
use crate::usage::{AnthropicUsage, OpenAiUsage};
use crate::{Dialect, Usage};

/// Why a 200 is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// It holds an error, as OpenRouter does it when the model failed after the head was sent.
    Error(ErrorBody),
    /// It is not the object that the dialect promises.
    Invalid,
}

/// Whether a body is the answer that the dialect promises, and the tokens that it reports.
///
/// # Errors
/// When it is not: an empty body, a page of HTML, an object without choices or content, an error.
pub fn check(dialect: Dialect, body: &[u8]) -> Result<Usage, NoAnswer> {
    let (promised, usage) = match dialect {
        Dialect::OpenAiChat => openai(body),
        Dialect::Anthropic => anthropic(body),
    }
    .map_err(|_| NoAnswer::Invalid)?;
    match promised {
        Promised::Yes => Ok(usage),
        Promised::Error => Err(NoAnswer::Error(ErrorBody::read_inside(body))),
        Promised::No => Err(NoAnswer::Invalid),
    }
}

enum Promised {
    Yes,
    Error,
    No,
}

fn openai(body: &[u8]) -> serde_json::Result<(Promised, Usage)> {
    #[derive(Deserialize)]
    struct Completion {
        error: Option<IgnoredAny>,
        choices: Option<Vec<IgnoredAny>>,
        usage: Option<OpenAiUsage>,
    }

    let completion: Completion = serde_json::from_slice(body)?;
    let promised = match completion {
        Completion { error: Some(_), .. } => Promised::Error,
        Completion { choices: Some(choices), .. } if !choices.is_empty() => Promised::Yes,
        _ => Promised::No,
    };
    Ok((promised, completion.usage.map(Into::into).unwrap_or_default()))
}

fn anthropic(body: &[u8]) -> serde_json::Result<(Promised, Usage)> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        content: Option<Vec<IgnoredAny>>,
        usage: Option<AnthropicUsage>,
    }

    let message: Message<'_> = serde_json::from_slice(body)?;
    // An empty content is an answer: the model may end its turn without a word.
    let promised = match (&*message.kind, message.content) {
        ("message", Some(_)) => Promised::Yes,
        ("error", _) => Promised::Error,
        _ => Promised::No,
    };
    Ok((promised, message.usage.map(Into::into).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{NoAnswer, check};
    use crate::{Dialect, Usage};

    #[test]
    fn answers_and_their_usage() {
        let completion =
            br#"{"id":"c","choices":[{"index":0}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        let expected = Usage { input: Some(3), output: Some(4) };
        assert_eq!(check(Dialect::OpenAiChat, completion), Ok(expected));
        let message = br#"{"type":"message","content":[],"usage":{"input_tokens":3,"output_tokens":4}}"#;
        assert_eq!(check(Dialect::Anthropic, message), Ok(expected));
        assert_eq!(check(Dialect::OpenAiChat, br#"{"choices":[{}],"error":null}"#), Ok(Usage::default()));
    }

    #[test]
    fn a_200_that_is_no_answer() {
        for (dialect, body) in [
            (Dialect::OpenAiChat, ""),
            (Dialect::OpenAiChat, "<html>"),
            (Dialect::OpenAiChat, "{}"),
            (Dialect::OpenAiChat, r#"{"choices":[]}"#),
            (Dialect::OpenAiChat, r#"{"choices":[{}]"#),
            (Dialect::OpenAiChat, r#"{"type":"message","content":[]}"#),
            (Dialect::Anthropic, "null"),
            (Dialect::Anthropic, r#"{"type":"message"}"#),
            (Dialect::Anthropic, r#"{"choices":[{}]}"#),
        ] {
            assert_eq!(check(dialect, body.as_bytes()), Err(NoAnswer::Invalid), "{body}");
        }
    }

    #[test]
    fn an_error_in_place_of_an_answer() {
        for (dialect, body, status) in [
            (Dialect::OpenAiChat, r#"{"error":{"code":502,"message":"down"},"choices":[{}]}"#, 502),
            (
                Dialect::Anthropic,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
                529,
            ),
        ] {
            let Err(NoAnswer::Error(error)) = check(dialect, body.as_bytes()) else { panic!("{body}") };
            assert_eq!(error.status, Some(status));
        }
    }
}
