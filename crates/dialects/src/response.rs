//! Responses that are not streamed.

use crate::dialect::Dialect;
use crate::error_body::ErrorBody;
use crate::format::UnexpectedShape;
use crate::response_meta::ResponseMeta;
use crate::usage::Usage;

/// Why the body of a 200 is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidBody {
    /// It is an error object. OpenRouter sends one when the model fails after the head was sent.
    ErrorObject(ErrorBody),
    /// It does not have the shape of the format.
    UnexpectedShape,
}

/// Checks that a body is a response of this format. Returns the tokens that it reports, and its id and model.
///
/// # Errors
/// When it is not: an empty body, a page of HTML, an object without choices or content, an error.
pub fn check(dialect: Dialect, body: &[u8]) -> Result<(Usage, ResponseMeta), InvalidBody> {
    match dialect.format().read_response(body) {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(InvalidBody::ErrorObject(ErrorBody::from_ok_body(body))),
        Err(UnexpectedShape) => Err(InvalidBody::UnexpectedShape),
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidBody, check};
    use crate::dialect::Dialect;
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

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
