//! Responses that are not streamed.

use crate::dialect::Dialect;
use crate::error_body::{ErrorBody, is_error};
use crate::format::{Parsed, UnexpectedShape};
use crate::json::{self, Cursor, NotJson};
use crate::lenient::{Count, IsError, fields};
use crate::openai_call::{self, OpenAiCall};
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

/// Checks that a body is a response of this format. Returns the tokens that it reports. Its id and model go into `meta`, if
/// anybody wants them.
///
/// # Errors
/// When it is not: an empty body, a page of HTML, an object without choices or content, an error.
pub fn check(dialect: Dialect, body: &[u8], meta: Option<&mut ResponseMeta>) -> Result<Usage, InvalidBody> {
    to_result(dialect.format().read_response(body, meta), body)
}

/// Checks that a body is the answer of one of OpenAI's calls that are no conversation; `media_type`: what the response says it
/// is, which may be empty. Returns the tokens that it reports, and its id and model.
///
/// # Errors
/// When it is not: it has nothing of what was asked for, it is a page of HTML, an error.
pub fn check_call(
    call: OpenAiCall,
    media_type: &str,
    body: &[u8],
) -> Result<(Usage, ResponseMeta), InvalidBody> {
    to_result(openai_call::response::read(call.response_shape(), media_type, body), body)
}

fn to_result<T>(read: Parsed<T>, body: &[u8]) -> Result<T, InvalidBody> {
    match read {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(InvalidBody::ErrorObject(ErrorBody::from_ok_body(body))),
        // Each vendor has its own way to say an error.
        Err(UnexpectedShape) if serde_json::from_slice(body).is_ok_and(|body| is_error(&body)) => {
            Err(InvalidBody::ErrorObject(ErrorBody::from_ok_body(body)))
        }
        Err(UnexpectedShape) => Err(InvalidBody::UnexpectedShape),
    }
}

/// Checks that a body is the answer of an endpoint that counts ([`crate::Endpoint::is_count`]), of whatever format.
/// Returns the count of tokens.
///
/// # Errors
/// When it is not: it has no count, or it is an error.
pub fn check_count(body: &[u8]) -> Result<u64, InvalidBody> {
    match json::read(body, Cursor::any::<Option<TokenCount>>) {
        Ok(Some(TokenCount { error: IsError(true), .. })) => {
            Err(InvalidBody::ErrorObject(ErrorBody::from_ok_body(body)))
        }
        Ok(Some(TokenCount { input_tokens, total_tokens, bedrock_tokens, .. })) => {
            let counts = [input_tokens, total_tokens, bedrock_tokens];
            counts.into_iter().find_map(|count| count.0).ok_or(InvalidBody::UnexpectedShape)
        }
        Ok(None) | Err(NotJson) => Err(InvalidBody::UnexpectedShape),
    }
}

#[derive(Default)]
struct TokenCount {
    /// OpenAI's and Anthropic's.
    input_tokens: Count,
    /// Google's.
    total_tokens: Count,
    /// Amazon Bedrock's.
    bedrock_tokens: Count,
    error: IsError,
}

fields!(
    TokenCount:
    b"input_tokens" => input_tokens,
    b"totalTokens" => total_tokens,
    b"inputTokens" => bedrock_tokens,
    b"error" => error,
);

#[cfg(test)]
mod tests {
    use super::{InvalidBody, check_count};
    use crate::dialect::Dialect;
    use crate::response_meta::ResponseMeta;
    use crate::usage::Usage;

    fn check(dialect: Dialect, body: &[u8]) -> Result<(Usage, ResponseMeta), InvalidBody> {
        let mut meta = ResponseMeta::default();
        let usage = super::check(dialect, body, Some(&mut meta))?;
        assert_eq!(super::check(dialect, body, None), Ok(usage));
        Ok((usage, meta))
    }

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
        let response = br#"{"id":"resp_1","object":"response","model":"gpt-5","output":[{"type":"message"}],
            "error":null,"status":"completed","usage":{"input_tokens":3,"output_tokens":4}}"#;
        let meta = ResponseMeta { id: Some("resp_1".into()), model: Some("gpt-5".into()) };
        assert_eq!(check(Dialect::OpenAiResponses, response), Ok((usage, meta)));
    }

    #[test]
    fn odd_fields_of_a_good_answer_are_no_fault() {
        for beside in [
            r#""error":false"#,
            r#""error":{}"#,
            r#""error":{"message":"","code":null}"#,
            r#""model":1,"model":2"#,
            r#""usage":{"prompt_tokens":"3","input_tokens":[]}"#,
            r#""usage":[]"#,
        ] {
            for (dialect, answer) in [
                (Dialect::OpenAiChat, r#""choices":[{"index":"0","finish_reason":7}]"#),
                (Dialect::Anthropic, r#""type":"message","content":[]"#),
                (Dialect::OpenAiResponses, r#""output":[]"#),
                (Dialect::Gemini, r#""candidates":[{}]"#),
            ] {
                let body = format!("{{{answer},{beside}}}");
                assert!(check(dialect, body.as_bytes()).is_ok(), "{body}");
            }
        }
    }

    #[test]
    fn counts() {
        for (body, expected) in [
            (r#"{"input_tokens":3}"#, Ok(3)),
            (r#"{"object":"response.input_tokens","input_tokens":0}"#, Ok(0)),
            (r#"{"totalTokens":7,"promptTokensDetails":[]}"#, Ok(7)),
            (r#"{"input_tokens":"3","error":{}}"#, Ok(3)),
            (r#"{"inputTokens":5}"#, Ok(5)),
            (r#"{"input_tokens":"many"}"#, Err(InvalidBody::UnexpectedShape)),
            ("{}", Err(InvalidBody::UnexpectedShape)),
            ("<html>", Err(InvalidBody::UnexpectedShape)),
        ] {
            assert_eq!(check_count(body.as_bytes()), expected, "{body}");
        }
        let error = check_count(br#"{"error":{"code":503}}"#);
        assert!(matches!(error, Err(InvalidBody::ErrorObject(error)) if error.status == Some(503)));
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
            (Dialect::OpenAiResponses, "null"),
            (Dialect::OpenAiResponses, r#"{"object":"response","output":null}"#),
            (Dialect::OpenAiResponses, r#"{"choices":[{}]}"#),
            (Dialect::Gemini, r#"{"candidates":[]}"#),
            (Dialect::Gemini, "<html>"),
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
            (
                Dialect::OpenAiResponses,
                r#"{"object":"response","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}"#,
                500,
            ),
            (Dialect::Gemini, r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}"#, 503),
            (
                Dialect::OpenAiChat,
                r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"login fail: x"}}"#,
                401,
            ),
            (Dialect::OpenAiChat, r#"{"object":"error","message":"x","code":400}"#, 400),
            (Dialect::Anthropic, r#"{"error":{"code":503,"message":"x"}}"#, 503),
            (Dialect::OpenAiResponses, r#"{"object":"error","message":"x","code":400}"#, 400),
            (Dialect::Gemini, r#"{"object":"error","message":"x","code":400}"#, 400),
        ] {
            let Err(InvalidBody::ErrorObject(error)) = check(dialect, body.as_bytes()) else {
                panic!("{body}")
            };
            assert_eq!(error.status, Some(status));
        }
    }
}
