//! Plain answers.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::ErrorBody;
use crate::origin::Name;
use crate::usage::{AnthropicUsage, OpenAiUsage};
use crate::{Dialect, Origin, Usage};

/// Why a 200 is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// It holds an error, as OpenRouter does it when the model failed after the head was sent.
    Error(ErrorBody),
    /// It is not the object that the dialect promises.
    Invalid,
}

/// Whether a body is the answer that the dialect promises, the tokens that it reports, and where it comes from.
///
/// # Errors
/// When it is not: an empty body, a page of HTML, an object without choices or content, an error.
pub fn check(dialect: Dialect, body: &[u8]) -> Result<(Usage, Origin), NoAnswer> {
    let (promised, usage, origin) = match dialect {
        Dialect::OpenAiChat => openai(body),
        Dialect::Anthropic => anthropic(body),
    }
    .map_err(|_| NoAnswer::Invalid)?;
    match promised {
        Promised::Yes => Ok((usage, origin)),
        Promised::Error => Err(NoAnswer::Error(ErrorBody::read_inside(body))),
        Promised::No => Err(NoAnswer::Invalid),
    }
}

enum Promised {
    Yes,
    Error,
    No,
}

fn openai(body: &[u8]) -> serde_json::Result<(Promised, Usage, Origin)> {
    #[derive(Deserialize)]
    struct Completion<'a> {
        #[serde(default, borrow)]
        id: Name<'a>,
        #[serde(default, borrow)]
        model: Name<'a>,
        error: Option<IgnoredAny>,
        choices: Option<Vec<IgnoredAny>>,
        usage: Option<OpenAiUsage>,
    }

    let completion: Completion<'_> = serde_json::from_slice(body)?;
    let mut origin = Origin::default();
    origin.learn(completion.id, completion.model);
    let promised = match completion {
        Completion { error: Some(_), .. } => Promised::Error,
        Completion { choices: Some(choices), .. } if !choices.is_empty() => Promised::Yes,
        _ => Promised::No,
    };
    Ok((promised, completion.usage.map(Into::into).unwrap_or_default(), origin))
}

fn anthropic(body: &[u8]) -> serde_json::Result<(Promised, Usage, Origin)> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(default, borrow)]
        id: Name<'a>,
        #[serde(default, borrow)]
        model: Name<'a>,
        content: Option<Vec<IgnoredAny>>,
        usage: Option<AnthropicUsage>,
    }

    let message: Message<'_> = serde_json::from_slice(body)?;
    let mut origin = Origin::default();
    origin.learn(message.id, message.model);
    // An empty content is an answer: the model may end its turn without a word.
    let promised = match (&*message.kind, message.content) {
        ("message", Some(_)) => Promised::Yes,
        ("error", _) => Promised::Error,
        _ => Promised::No,
    };
    Ok((promised, message.usage.map(Into::into).unwrap_or_default(), origin))
}

#[cfg(test)]
mod tests {
    use super::{NoAnswer, check};
    use crate::{Dialect, Origin, Usage};

    #[test]
    fn answers_their_usage_and_origin() {
        let completion = br#"{"id":"c","model":"gpt-5-2025-08-07","choices":[{"index":0}],
            "usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        let usage = Usage { input: Some(3), output: Some(4) };
        let origin = Origin { id: Some("c".into()), model: Some("gpt-5-2025-08-07".into()) };
        assert_eq!(check(Dialect::OpenAiChat, completion), Ok((usage, origin)));
        let message = br#"{"type":"message","id":"msg_1","model":"claude-\u0039","content":[],
            "usage":{"input_tokens":3,"output_tokens":4}}"#;
        let origin = Origin { id: Some("msg_1".into()), model: Some("claude-9".into()) };
        assert_eq!(check(Dialect::Anthropic, message), Ok((usage, origin)));
    }

    #[test]
    fn an_answer_need_not_say_where_it_comes_from() {
        let long = format!("\"{}\"", "x".repeat(257));
        for name in ["null", "7", "-7", "0.5", "true", "[1]", "{\"a\":1}", "\"\"", &long] {
            let body = format!(r#"{{"id":{name},"model":{name},"choices":[{{}}],"error":null}}"#);
            assert_eq!(check(Dialect::OpenAiChat, body.as_bytes()), Ok(Default::default()), "{name}");
        }
        assert_eq!(check(Dialect::Anthropic, br#"{"type":"message","content":[]}"#), Ok(Default::default()));
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
