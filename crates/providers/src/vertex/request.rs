//! Requests as Vertex AI takes them.

use bytes::Bytes;
use dialects::Endpoint;
use http::HeaderMap;
use http::header::HeaderName;
use serde_json::json;

use crate::json::{edit, elements, insert_at, members};

/// The version of Anthropic's format, which stands in the body, and what it is called in the header of Anthropic's own API.
///
/// <https://docs.anthropic.com/en/api/claude-on-vertex-ai>
const VERSION: &str = "vertex-2023-10-16";
const OWN_VERSION: &str = "2023-06-01";

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Of a whole request those that a count takes; others are refused.
///
/// <https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/countTokens>
const COUNTED: [&[u8]; 4] = [b"contents", b"systemInstruction", b"tools", b"generationConfig"];

/// The same in the other spelling that Google reads.
const COUNTED_SNAKE: [&[u8]; 2] = [b"system_instruction", b"generation_config"];

const WHOLE_REQUEST: [&[u8]; 2] = [b"generateContentRequest", b"generate_content_request"];

/// The body as Vertex AI takes it, `model` being the model's own name; `None`: as it is.
pub(crate) fn adapt_body(
    endpoint: Endpoint,
    body: &[u8],
    model: &str,
    caller_headers: &HeaderMap,
) -> Option<Bytes> {
    match endpoint {
        Endpoint::Messages => Some(anthropic_body(body, caller_headers, None)),
        Endpoint::CountTokens => Some(anthropic_body(body, caller_headers, Some(model))),
        Endpoint::GenerateContent => with_roles(body),
        Endpoint::GeminiCountTokens => {
            let counted = counted(body);
            with_roles(counted.as_deref().unwrap_or(body)).or(counted)
        }
        _ => None,
    }
}

/// Anthropic's body with the version, and without what the path says; where the path names no model (a count), with `model`.
/// All other bytes are unchanged. Betas are in the header, as Anthropic's SDK for Vertex AI sends them.
fn anthropic_body(body: &[u8], caller_headers: &HeaderMap, model: Option<&str>) -> Bytes {
    let mut has_version = false;
    let mut removed = Vec::new();
    for member in members(body) {
        match member.name {
            b"anthropic_version" => has_version = true,
            b"model" => removed.push(member.range),
            _ => {}
        }
    }
    let mut added = Vec::new();
    if !has_version {
        added.push(format!(r#""anthropic_version":{}"#, json!(version(caller_headers))).into_bytes());
    }
    added.extend(model.map(|model| format!(r#""model":{}"#, json!(model)).into_bytes()));
    edit(body, &removed, &added.join(&b','))
}

/// A newer version has the same name everywhere: anthropic 2.14.0 sends it to Anthropic in the header, and to Vertex AI in the body.
fn version(caller_headers: &HeaderMap) -> &str {
    let named = caller_headers.get(ANTHROPIC_VERSION).and_then(|value| value.to_str().ok());
    named.filter(|version| *version != OWN_VERSION).unwrap_or(VERSION)
}

/// Vertex AI needs the role of each content ("Please use a valid role: user, model."), which Gemini's own API does not.
fn with_roles(body: &[u8]) -> Option<Bytes> {
    let mut missing = Vec::new();
    for member in members(body).filter(|member| member.name == b"contents") {
        let contents = member.value;
        for element in elements(&body[contents.clone()]) {
            let start = contents.start + element.start;
            let content = &body[start..contents.start + element.end];
            // An empty content would be wrong with a role, too.
            let is_empty = members(content).next().is_none();
            if !is_empty && members(content).all(|member| member.name != b"role") {
                missing.push(start + 1);
            }
        }
    }
    (!missing.is_empty()).then(|| insert_at(body, &missing, br#""role":"user","#))
}

/// A count's body, of one that holds a whole request, which only Gemini's own API takes; `None`: it is none.
fn counted(body: &[u8]) -> Option<Bytes> {
    let whole = members(body).find(|member| WHOLE_REQUEST.contains(&member.name))?.value;
    let whole = &body[whole];
    let is_counted = |name: &[u8]| COUNTED.contains(&name) || COUNTED_SNAKE.contains(&name);
    let removed: Vec<_> =
        members(whole).filter(|member| !is_counted(member.name)).map(|member| member.range).collect();
    Some(edit(whole, &removed, b""))
}

/// Takes out what the body says.
pub(crate) fn adapt_headers(headers: &mut HeaderMap) {
    headers.remove(ANTHROPIC_VERSION);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn adapted(endpoint: Endpoint, body: &str) -> String {
        let adapted = adapt_body(endpoint, body.as_bytes(), "claude-4", &HeaderMap::new());
        let adapted =
            adapted.map_or_else(|| body.to_owned(), |body| String::from_utf8(body.to_vec()).unwrap());
        serde_json::from_str::<Value>(&adapted).unwrap();
        adapted
    }

    #[test]
    fn anthropics_body_has_a_version_and_no_model() {
        for (body, expected) in [
            (r#"{"model":"m","stream":true,"a":1}"#, r#"{VERSION,"stream":true,"a":1}"#),
            (r#"{"a":1.50,"model":"m"}"#, r#"{VERSION,"a":1.50}"#),
            (r#"{"anthropic_version":"x","model":"m"}"#, r#"{"anthropic_version":"x"}"#),
        ] {
            let version = r#""anthropic_version":"vertex-2023-10-16""#;
            assert_eq!(adapted(Endpoint::Messages, body), expected.replace("VERSION", version));
        }
        assert_eq!(
            adapted(Endpoint::CountTokens, r#"{"model":"planner","messages":[]}"#),
            r#"{"anthropic_version":"vertex-2023-10-16","model":"claude-4","messages":[]}"#
        );
    }

    #[test]
    fn a_newer_version_is_the_callers() {
        for (named, expected) in
            [("2023-06-01", "vertex-2023-10-16"), ("2026-10-21", "2026-10-21"), ("\"", "\"")]
        {
            let headers = HeaderMap::from_iter([(ANTHROPIC_VERSION, named.parse().unwrap())]);
            let body = adapt_body(Endpoint::Messages, b"{}", "m", &headers).unwrap();
            assert_eq!(
                serde_json::from_slice::<Value>(&body).unwrap(),
                json!({"anthropic_version": expected})
            );
        }
    }

    #[test]
    fn a_content_without_a_role_is_the_users() {
        for (body, expected) in [
            (r#"{"contents":[{"parts":[]}]}"#, r#"{"contents":[{"role":"user","parts":[]}]}"#),
            (
                r#"{"a":[{}], "contents" : [ {"role":"model","parts":[]}, { "parts":[{"text":"{"}]} ], "b":{"parts":1}}"#,
                r#"{"a":[{}], "contents" : [ {"role":"model","parts":[]}, {"role":"user", "parts":[{"text":"{"}]} ], "b":{"parts":1}}"#,
            ),
            (r#"{"contents":[{}]}"#, r#"{"contents":[{}]}"#),
            (r#"{"contents":"x"}"#, r#"{"contents":"x"}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
        ] {
            assert_eq!(adapted(Endpoint::GenerateContent, body), expected);
        }
        let unchanged = br#"{"contents":[{"role":"user","parts":[]}]}"#;
        assert_eq!(
            adapt_body(Endpoint::GenerateContent, unchanged, "m", &HeaderMap::new()),
            None,
            "nothing is copied"
        );
    }

    #[test]
    fn a_count_is_of_the_fields_that_it_takes() {
        let contents = r#""contents":[{"role":"user","parts":[]}]"#;
        let body = format!(
            r#"{{"generateContentRequest":{{"model":"models/m",{contents},"toolConfig":{{}},"tools":[1],"systemInstruction":{{}}}}}}"#
        );
        let expected = format!(r#"{{{contents},"tools":[1],"systemInstruction":{{}}}}"#);
        assert_eq!(adapted(Endpoint::GeminiCountTokens, &body), expected);
        let body = r#"{"contents":[{"parts":[]}]}"#;
        let expected = r#"{"contents":[{"role":"user","parts":[]}]}"#;
        assert_eq!(adapted(Endpoint::GeminiCountTokens, body), expected);
        let body = r#"{"generateContentRequest":{"contents":[{"parts":[]}]}}"#;
        assert_eq!(adapted(Endpoint::GeminiCountTokens, body), expected);
    }
}
