//! A small request in each API format.

use bytes::Bytes;
use dialects::{Dialect, Endpoint, Request, RequestError};
use serde_json::json;

/// Anthropic's API requires a limit; a reasoning model needs room to think.
const MAX_TOKENS: u32 = 1024;

/// A question to a model, in this API format.
pub(super) fn build(
    dialect: Dialect,
    model: &str,
    prompt: &str,
    stream: bool,
) -> Result<Request, RequestError> {
    let message = json!({"role": "user", "content": prompt});
    let mut body = match dialect {
        Dialect::OpenAiChat => json!({"model": model, "messages": [message]}),
        // Nothing is to stay with the provider after a try.
        Dialect::OpenAiResponses => json!({"model": model, "input": [message], "store": false}),
        Dialect::Anthropic => json!({"model": model, "max_tokens": MAX_TOKENS, "messages": [message]}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
        Dialect::BedrockConverse => json!({"messages": [{"role": "user", "content": [{"text": prompt}]}]}),
    };
    let endpoint = Endpoint::generation(dialect);
    if matches!(dialect, Dialect::Gemini | Dialect::BedrockConverse) {
        return Request::with_path_model(endpoint, to_bytes(&body), model.to_owned(), stream, false);
    }
    if stream {
        body["stream"] = true.into();
    }
    if stream && dialect == Dialect::OpenAiChat {
        body["stream_options"] = json!({"include_usage": true});
    }
    Request::parse(endpoint, to_bytes(&body))
}

fn to_bytes(body: &serde_json::Value) -> Bytes {
    body.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_request() {
        for dialect in Dialect::ALL {
            for stream in [false, true] {
                let request = build(dialect, "planner", "Say \"hi\"", stream).unwrap();
                assert_eq!((request.model(), request.stream()), ("planner", stream), "{dialect}");
                assert_eq!(request.endpoint(), Endpoint::generation(dialect));
            }
        }
    }
}
