//! Errors of Vertex AI in the shape of the format that the endpoint has.

use bytes::Bytes;
use dialects::Dialect;
use serde_json::Value;

use crate::response::CompleteResponse;

/// The body of an error as a caller of this format reads it. Google's own come for models of all publishers (a quota, a missing
/// right), and for some endpoints in a list.
pub(crate) fn adapt_error(dialect: Dialect, response: &mut CompleteResponse) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&response.body) else { return };
    if let Some(only) = body.get_mut(0) {
        let only = only.take();
        response.body = Bytes::from(only.to_string());
        body = only;
    }
    let error = &body["error"];
    let is_googles = error["status"].is_string() || error["code"].is_number();
    if is_googles && error["type"].is_null() && dialect != Dialect::Gemini {
        let status = response.status.as_u16();
        response.body = dialects::error::translate(Dialect::Gemini, dialect, status, &response.body, None);
    }
}

#[cfg(test)]
mod tests {
    use dialects::{ResponseMeta, Usage};
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn adapted(dialect: Dialect, body: &str) -> Value {
        let mut response = CompleteResponse {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
            usage: Usage::default(),
            meta: ResponseMeta::default(),
        };
        adapt_error(dialect, &mut response);
        serde_json::from_slice(&response.body).unwrap_or_else(|_| json!(body))
    }

    #[test]
    fn googles_errors_have_the_shape_of_the_format() {
        let google = r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#;
        for body in [google.to_owned(), format!("[{google}\n]")] {
            assert_eq!(adapted(Dialect::Gemini, &body)["error"]["status"], "RESOURCE_EXHAUSTED");
            let anthropics = adapted(Dialect::Anthropic, &body);
            assert_eq!(anthropics["type"], "error");
            assert_eq!(anthropics["error"]["type"], "rate_limit_error");
            assert_eq!(anthropics["error"]["message"], "Quota exceeded");
            let openais = adapted(Dialect::OpenAiChat, &body);
            assert!(openais["error"]["type"].is_string(), "{openais}");
        }
    }

    #[test]
    fn errors_of_the_publisher_stay_as_they_are() {
        let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"m"},"request_id":"req_vrtx_1"}"#;
        assert_eq!(
            adapted(Dialect::Anthropic, body).to_string(),
            serde_json::from_str::<Value>(body).unwrap().to_string()
        );
        assert_eq!(adapted(Dialect::Anthropic, "<html>"), "<html>");
    }
}
