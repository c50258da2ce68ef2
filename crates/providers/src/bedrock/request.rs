//! Requests in Anthropic's format, as InvokeModel and CountTokens take them.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use dialects::Endpoint;
use http::HeaderMap;
use http::header::{ACCEPT, HeaderName};
use serde_json::json;

use crate::json::{edit, members};

/// The version of the format, which all of Bedrock's models take; it stands in the body.
const VERSION: &[u8] = br#""anthropic_version":"bedrock-2023-05-31""#;

const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");

/// What Anthropic's body has and Bedrock's has not ("Extra inputs are not permitted"): the path says it instead.
const REMOVED: [&[u8]; 2] = [b"model", b"stream"];

/// The body for InvokeModel: without what the path says, with version and betas. All other bytes are unchanged, and they are
/// copied once.
///
/// Other fields that Bedrock lags behind in go as they are. It refuses some by name, with a 400 that clients such as Claude Code
/// act on; taken out in silence they would change what the caller gets.
pub(crate) fn invoke_body(body: &[u8], caller_headers: &HeaderMap, is_count: bool) -> Bytes {
    let mut has_version = false;
    let mut has_betas = false;
    let mut has_limit = false;
    let mut removed = Vec::new();
    for member in members(body) {
        match member.name {
            b"anthropic_version" => has_version = true,
            b"anthropic_beta" => has_betas = true,
            b"max_tokens" => has_limit = true,
            name if REMOVED.contains(&name) => removed.push(member.range),
            _ => {}
        }
    }
    let mut added = Vec::new();
    if !has_version {
        added.push(VERSION.to_vec());
    }
    if let Some(betas) = betas(caller_headers).filter(|_| !has_betas) {
        added.push(betas.into_bytes());
    }
    // A request to be counted has none, and a body for InvokeModel must.
    if is_count && !has_limit {
        added.push(br#""max_tokens":1"#.to_vec());
    }
    edit(body, &removed, &added.join(&b','))
}

/// The header's list as a member of the body.
fn betas(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(BETA).iter().filter_map(|value| value.to_str().ok());
    let betas: Vec<_> =
        values.flat_map(|value| value.split(',')).map(str::trim).filter(|beta| !beta.is_empty()).collect();
    (!betas.is_empty()).then(|| format!(r#""anthropic_beta":{}"#, json!(betas)))
}

/// The body for CountTokens, which holds that for InvokeModel.
pub(crate) fn count_body(invoke_body: &[u8]) -> Bytes {
    format!(r#"{{"input":{{"invokeModel":{{"body":"{}"}}}}}}"#, BASE64.encode(invoke_body)).into()
}

/// Takes out what means something to another API: versions and betas are in the body, and by `accept` InvokeModel would choose
/// the type of the model's answer.
pub(crate) fn adapt_headers(endpoint: Endpoint, headers: &mut HeaderMap) {
    if endpoint != Endpoint::ChatCompletions {
        headers.remove(ACCEPT);
    }
    for name in [BETA, ANTHROPIC_VERSION, OPENAI_BETA] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn invoke(body: &str, betas: &[&'static str]) -> String {
        let header = |beta: &&'static str| (BETA, HeaderValue::from_static(beta));
        let headers = betas.iter().map(header).collect();
        String::from_utf8(invoke_body(body.as_bytes(), &headers, false).to_vec()).unwrap()
    }

    #[test]
    fn the_path_says_model_and_stream() {
        let version = r#""anthropic_version":"bedrock-2023-05-31""#;
        for (body, expected) in [
            (r#"{"model":"m","max_tokens":1}"#, r#"{VERSION,"max_tokens":1}"#),
            (r#"{"max_tokens":1,"model":"m"}"#, r#"{VERSION,"max_tokens":1}"#),
            (r#"{"model":"m"}"#, "{VERSION}"),
            (r#"{"stream":true,"model":"m"}"#, "{VERSION}"),
            (r#"{"a":1,"model":"m","stream":true,"b":2}"#, r#"{VERSION,"a":1,"b":2}"#),
            (r#"{"a":1,"model":"m","b":2,"stream":false,"c":3}"#, r#"{VERSION,"a":1,"b":2,"c":3}"#),
            (
                r#" { "a" : "model" , "model" : "m" , "b" : {"stream":1, "model":","} } "#,
                r#" {VERSION,"a" : "model","b" : {"stream":1, "model":","} }"#,
            ),
            (r#"{"anthropic_version":"x","model":"m"}"#, r#"{"anthropic_version":"x"}"#),
            (r#"{"model":"m","anthropic_version":"x"}"#, r#"{"anthropic_version":"x"}"#),
        ] {
            let edited = invoke(body, &[]);
            assert_eq!(edited, expected.replace("VERSION", version), "{body}");
            serde_json::from_str::<serde_json::Value>(&edited).unwrap();
        }
    }

    #[test]
    fn betas_move_into_the_body() {
        let body = r#"{"model":"m","max_tokens":1}"#;
        let edited = invoke(body, &["a-1, b-2", "c\"3"]);
        let edited: serde_json::Value = serde_json::from_str(&edited).unwrap();
        assert_eq!(edited["anthropic_beta"], json!(["a-1", "b-2", "c\"3"]));
        assert_eq!(invoke(body, &[" , "]), invoke(body, &[]));
        let own = invoke(r#"{"model":"m","anthropic_beta":["x"]}"#, &["a"]);
        assert!(own.ends_with(r#","anthropic_beta":["x"]}"#), "{own}");
    }

    #[test]
    fn a_count_holds_a_whole_request() {
        let body = invoke_body(br#"{"model":"m","messages":[]}"#, &HeaderMap::new(), true);
        let count: serde_json::Value = serde_json::from_slice(&count_body(&body)).unwrap();
        let inner = BASE64.decode(count["input"]["invokeModel"]["body"].as_str().unwrap()).unwrap();
        let inner: serde_json::Value = serde_json::from_slice(&inner).unwrap();
        let expected = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, "messages": []});
        assert_eq!(inner, expected);
    }
}
