//! Plain answers.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::ErrorBody;
use crate::response_meta::LenientStr;
use crate::usage::{AnthropicUsage, OpenAiUsage};
use crate::{Dialect, ResponseMeta, Usage};

/// Why a 200 is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidBody {
    /// It holds an error, as OpenRouter does it when the model failed after the head was sent.
    ErrorObject(ErrorBody),
    /// It is not the object that the dialect promises.
    UnexpectedShape,
}

/// Whether a body is the answer that the dialect promises, the tokens that it reports, and where it comes from.
///
/// # Errors
/// When it is not: an empty body, a page of HTML, an object without choices or content, an error.
pub fn check(dialect: Dialect, body: &[u8]) -> Result<(Usage, ResponseMeta), InvalidBody> {
    let (shape, usage, meta) = match dialect {
        Dialect::OpenAiChat => openai(body),
        Dialect::Anthropic => anthropic(body),
    }
    .map_err(|_| InvalidBody::UnexpectedShape)?;
    match shape {
        BodyShape::Expected => Ok((usage, meta)),
        BodyShape::Error => Err(InvalidBody::ErrorObject(ErrorBody::from_ok_body(body))),
        BodyShape::Unexpected => Err(InvalidBody::UnexpectedShape),
    }
}

enum BodyShape {
    Expected,
    Error,
    Unexpected,
}

fn openai(body: &[u8]) -> serde_json::Result<(BodyShape, Usage, ResponseMeta)> {
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

    let completion: Completion<'_> = serde_json::from_slice(body)?;
    let mut meta = ResponseMeta::default();
    meta.fill_missing(completion.id, completion.model);
    let shape = match completion {
        Completion { error: Some(_), .. } => BodyShape::Error,
        Completion { choices: Some(choices), .. } if !choices.is_empty() => BodyShape::Expected,
        _ => BodyShape::Unexpected,
    };
    Ok((shape, completion.usage.map(Into::into).unwrap_or_default(), meta))
}

fn anthropic(body: &[u8]) -> serde_json::Result<(BodyShape, Usage, ResponseMeta)> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(default, borrow)]
        id: LenientStr<'a>,
        #[serde(default, borrow)]
        model: LenientStr<'a>,
        content: Option<Vec<IgnoredAny>>,
        usage: Option<AnthropicUsage>,
    }

    let message: Message<'_> = serde_json::from_slice(body)?;
    let mut meta = ResponseMeta::default();
    meta.fill_missing(message.id, message.model);
    // An empty content is an answer: the model may end its turn without a word.
    let shape = match (&*message.kind, message.content) {
        ("message", Some(_)) => BodyShape::Expected,
        ("error", _) => BodyShape::Error,
        _ => BodyShape::Unexpected,
    };
    Ok((shape, message.usage.map(Into::into).unwrap_or_default(), meta))
}

#[cfg(test)]
mod tests {
    use super::{InvalidBody, check};
    use crate::{Dialect, ResponseMeta, Usage};

    #[test]
    fn responses_with_usage_and_meta() {
        let completion = br#"{"id":"c","model":"gpt-5-2025-08-07","choices":[{"index":0}],
            "usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        let usage = Usage { input: Some(3), output: Some(4) };
        let meta = ResponseMeta { id: Some("c".into()), model: Some("gpt-5-2025-08-07".into()) };
        assert_eq!(check(Dialect::OpenAiChat, completion), Ok((usage, meta)));
        let message = br#"{"type":"message","id":"msg_1","model":"claude-\u0039","content":[],
            "usage":{"input_tokens":3,"output_tokens":4}}"#;
        let meta = ResponseMeta { id: Some("msg_1".into()), model: Some("claude-9".into()) };
        assert_eq!(check(Dialect::Anthropic, message), Ok((usage, meta)));
    }

    #[test]
    fn response_meta_is_optional() {
        let long = format!("\"{}\"", "x".repeat(257));
        for name in ["null", "7", "-7", "0.5", "true", "[1]", "{\"a\":1}", "\"\"", &long] {
            let body = format!(r#"{{"id":{name},"model":{name},"choices":[{{}}],"error":null}}"#);
            assert_eq!(check(Dialect::OpenAiChat, body.as_bytes()), Ok(Default::default()), "{name}");
        }
        assert_eq!(check(Dialect::Anthropic, br#"{"type":"message","content":[]}"#), Ok(Default::default()));
    }

    #[test]
    fn a_200_with_an_invalid_body() {
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
            assert_eq!(check(dialect, body.as_bytes()), Err(InvalidBody::UnexpectedShape), "{body}");
        }
    }

    #[test]
    fn an_error_in_place_of_a_response() {
        for (dialect, body, status) in [
            (Dialect::OpenAiChat, r#"{"error":{"code":502,"message":"down"},"choices":[{}]}"#, 502),
            (
                Dialect::Anthropic,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
                529,
            ),
        ] {
            let Err(InvalidBody::ErrorObject(error)) = check(dialect, body.as_bytes()) else {
                panic!("{body}")
            };
            assert_eq!(error.status, Some(status));
        }
    }
}
