//! Responses of Bedrock in the shape of the format that the endpoint has.

use std::time::SystemTime;

use bytes::Bytes;
use dialects::Dialect;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::errors::is_name;
use crate::clock;
use crate::response::CompleteResponse;

/// An error's type, which is not in the body: `ThrottlingException:http://internal.amazon.com/…`.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The types of a refused signature that a wrong clock causes, too.
const SIGNATURE_ERRORS: [&str; 4] =
    ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed"];

/// The error's type by the header.
fn error_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(ERROR_TYPE)?.to_str().ok()?;
    // Some services put a namespace in front.
    let name = value.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default().trim();
    is_name(name).then_some(name)
}

/// Whether whoever asked is known, and may not do that.
pub(crate) fn is_access_denied(headers: &HeaderMap) -> bool {
    error_type(headers) == Some("AccessDeniedException")
}

/// The body of an error with the header's type in it, where errors are read. A body that says its type itself stays as it is.
pub(crate) fn with_error_type(headers: &HeaderMap, body: Bytes) -> Bytes {
    let Some(name) = error_type(headers) else { return body };
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(error)) if error.contains_key("type") || error.contains_key("error") => body,
        Ok(Value::Object(mut error)) => {
            error.insert("type".to_owned(), json!(name));
            Value::Object(error).to_string().into()
        }
        _ => json!({ "type": name }).to_string().into(),
    }
}

/// The body of an error as a caller of this format reads it. Converse's is Bedrock's own.
pub(crate) fn adapt_error(dialect: Dialect, response: &mut CompleteResponse) {
    if dialect == Dialect::BedrockConverse {
        return;
    }
    let is_of_format = serde_json::from_slice::<Value>(&response.body)
        .is_ok_and(|body| body.get("error").is_some_and(Value::is_object));
    if !is_of_format {
        let status = response.status.as_u16();
        let from = Dialect::BedrockConverse;
        response.body = dialects::error::translate(from, dialect, status, &response.body, None);
    }
}

/// A count of tokens as callers of this format read it. That a model cannot count is a 404, after which clients estimate.
pub(crate) fn adapt_count(dialect: Dialect, response: &mut CompleteResponse) {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if response.status.is_success() {
        let count = body["inputTokens"].as_u64().filter(|_| dialect != Dialect::BedrockConverse);
        if let Some(count) = count {
            response.body = json!({ "input_tokens": count }).to_string().into();
        }
    } else if response.status == StatusCode::BAD_REQUEST
        && body["message"].as_str().is_some_and(|words| words.contains("doesn't support counting tokens"))
    {
        response.status = StatusCode::NOT_FOUND;
    }
}

/// How far this machine's clock is off by that of the response, if a signature was refused and that explains it.
pub(crate) fn clock_problem(headers: &HeaderMap, now: SystemTime) -> Option<String> {
    error_type(headers).filter(|name| SIGNATURE_ERRORS.contains(name))?;
    let skew = clock::skew(headers, now)?;
    Some(format!("this machine's clock is {skew} that of AWS, and signatures are valid for 5: set it by NTP"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dialects::{ResponseMeta, Usage};
    use http::HeaderValue;
    use http::header::DATE;

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn response(status: u16, body: &'static str) -> CompleteResponse {
        CompleteResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            usage: Usage::default(),
            meta: ResponseMeta::default(),
        }
    }

    #[test]
    fn the_headers_type_joins_the_body() {
        let body = |header: &'static str, body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            String::from_utf8(with_error_type(&headers(ERROR_TYPE, header), body).to_vec()).unwrap()
        };
        let full = "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/";
        assert_eq!(body(full, r#"{"message":"m"}"#), r#"{"message":"m","type":"ThrottlingException"}"#);
        assert_eq!(body("a.b#RequestExpired", ""), r#"{"type":"RequestExpired"}"#);
        assert_eq!(body(full, r#"{"error":{"type":"t"}}"#), r#"{"error":{"type":"t"}}"#);
        assert_eq!(body("no name", r#"{"message":"m"}"#), r#"{"message":"m"}"#);
    }

    #[test]
    fn an_error_has_the_callers_shape() {
        let mut error = response(429, r#"{"message":"Too many requests","type":"ThrottlingException"}"#);
        adapt_error(Dialect::Anthropic, &mut error);
        let body: Value = serde_json::from_slice(&error.body).unwrap();
        assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("rate_limit_error")));
        assert_eq!(body["error"]["message"], "Too many requests");
        let mut own = response(400, r#"{"error":{"message":"m"}}"#);
        adapt_error(Dialect::OpenAiChat, &mut own);
        assert_eq!(own.body, r#"{"error":{"message":"m"}}"#);
    }

    #[test]
    fn counts() {
        let mut count = response(200, r#"{"inputTokens":7}"#);
        adapt_count(Dialect::Anthropic, &mut count);
        assert_eq!(count.body, r#"{"input_tokens":7}"#);
        let mut refused =
            response(400, r#"{"message":"The provided model doesn't support counting tokens"}"#);
        adapt_count(Dialect::Anthropic, &mut refused);
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_clock_that_is_off_is_named() {
        let there = SystemTime::UNIX_EPOCH + Duration::from_secs(1_751_371_200);
        let problem = |name, now| {
            let mut headers = headers(DATE, "Tue, 01 Jul 2025 12:00:00 GMT");
            headers.insert(ERROR_TYPE, HeaderValue::from_static(name));
            clock_problem(&headers, now)
        };
        let minutes = |number: u64| Duration::from_secs(number * 60);
        let signature = "InvalidSignatureException";
        assert_eq!(problem(signature, there + minutes(4)), None);
        assert!(problem(signature, there + minutes(6)).unwrap().contains("6 minutes ahead of"));
        assert!(problem("RequestExpired", there - minutes(61)).unwrap().contains("61 minutes behind"));
        assert_eq!(problem("ThrottlingException", there + minutes(60)), None);
    }
}
