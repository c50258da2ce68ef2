//! Requests for the number of a request's tokens, and their answers.

use dialects::Dialect;

use crate::caller::Caller;
use crate::json::{Object, ObjectWriter};

/// The fields of a request that each format's count takes; all others are refused there.
const RESPONSES_FIELDS: [&str; 10] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
    "previous_response_id",
];
const MESSAGES_FIELDS: [&str; 8] =
    ["model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"];
const CONVERSE_FIELDS: [&str; 4] = ["messages", "system", "toolConfig", "additionalModelRequestFields"];

/// The body that asks for the count, made of the one that would ask for the answer.
pub(crate) fn request(dialect: Dialect, model: &str, body: &str) -> String {
    let Some(object) = Object::parse(body.as_bytes()) else { return body.to_owned() };
    match dialect {
        Dialect::OpenAiResponses => only(&object, &RESPONSES_FIELDS).finish(),
        Dialect::Anthropic => only(&object, &MESSAGES_FIELDS).finish(),
        Dialect::BedrockConverse => {
            let converse = only(&object, &CONVERSE_FIELDS);
            ObjectWriter::new().object("input", ObjectWriter::new().object("converse", converse)).finish()
        }
        Dialect::Gemini => {
            let mut inner = ObjectWriter::new().str("model", &format!("models/{model}"));
            for (name, value) in object.iter() {
                inner = inner.raw(name, value);
            }
            ObjectWriter::new().object("generateContentRequest", inner).finish()
        }
        Dialect::OpenAiChat => body.to_owned(),
    }
}

fn only(object: &Object<'_>, fields: &[&str]) -> ObjectWriter {
    let mut kept = ObjectWriter::new();
    for (name, value) in object.iter().filter(|(name, _)| fields.contains(name)) {
        kept = kept.raw(name, value);
    }
    kept
}

/// The answer in the caller's format; `None`: there is no count in it.
pub(crate) fn response(from: Dialect, to: Caller, body: &[u8]) -> Option<String> {
    let counted = match from {
        Dialect::Gemini => "totalTokens",
        Dialect::BedrockConverse => "inputTokens",
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic => "input_tokens",
    };
    let tokens = Object::parse(body)?.u64(counted)?;
    let count = match to {
        Caller::Gemini => ObjectWriter::new().u64("totalTokens", tokens),
        Caller::Responses => {
            ObjectWriter::new().str("object", "response.input_tokens").u64("input_tokens", tokens)
        }
        Caller::Chat | Caller::Messages => ObjectWriter::new().u64("input_tokens", tokens),
    };
    Some(count.finish())
}

#[cfg(test)]
mod tests {
    use dialects::Dialect::{Anthropic, BedrockConverse, Gemini};

    use super::{Caller, request, response};

    #[test]
    fn a_count_is_asked_for_with_what_counts() {
        let body = r#"{"model":"m","max_tokens":5,"messages":[],"stream":true}"#;
        assert_eq!(request(Anthropic, "m", body), r#"{"model":"m","messages":[]}"#);
        let expected = r#"{"generateContentRequest":{"model":"models/g","contents":[]}}"#;
        assert_eq!(request(Gemini, "g", r#"{"contents":[]}"#), expected);
        let body = r#"{"messages":[],"inferenceConfig":{},"toolConfig":{"tools":[]}}"#;
        let expected = r#"{"input":{"converse":{"messages":[],"toolConfig":{"tools":[]}}}}"#;
        assert_eq!(request(BedrockConverse, "m", body), expected);
    }

    #[test]
    fn a_count_is_the_same_number_everywhere() {
        assert_eq!(
            response(Gemini, Caller::Messages, br#"{"totalTokens":7}"#).unwrap(),
            r#"{"input_tokens":7}"#
        );
        let bedrock = response(BedrockConverse, Caller::Messages, br#"{"inputTokens":7}"#);
        assert_eq!(bedrock.unwrap(), r#"{"input_tokens":7}"#);
        let responses = response(Anthropic, Caller::Responses, br#"{"input_tokens":7}"#).unwrap();
        assert_eq!(responses, r#"{"object":"response.input_tokens","input_tokens":7}"#);
        assert_eq!(response(Anthropic, Caller::Gemini, b"{}"), None);
    }
}
