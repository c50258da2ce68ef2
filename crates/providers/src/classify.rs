//! Who is responsible for an error (C1, C2, B9).

use std::time::Duration;

use dialects::error::{ErrorBody, ErrorCategory};
use http::{HeaderMap, StatusCode};

use crate::error::{FailureClass, ProviderError, ProviderErrorKind};
use crate::response::CompleteResponse;
use crate::retry_after;

/// A response to a request for `model` with a status other than 2xx.
#[cold]
pub(crate) fn from_response(response: CompleteResponse, model: &str) -> ProviderError {
    let status = response.status.as_u16();
    let error = ErrorBody::from_body(status, model, &response.body);
    // What no header says, the body may: Gemini's, and the words of others.
    let in_body = delay_in_body(&error, &response.headers);
    let class =
        class_of_status(status, error.category, || retry_after::retry_delay(&response.headers).or(in_body));
    let retry_after = retry_after::requested_delay(&response.headers).or(in_body);
    ProviderError { retry_after, ..build_error(ProviderErrorKind::Status, class, error, Some(response)) }
}

/// The same of a call that not every compatible server has: one without it says so by a status, and not a word of the model.
pub(crate) fn from_response_of_call(response: CompleteResponse, model: &str) -> ProviderError {
    let mut error = from_response(response, model);
    if error.class == FailureClass::InvalidRequest && matches!(error.status, Some(404 | 405)) {
        error.class = FailureClass::NoEndpoint;
    }
    error
}

/// The wait that a body names.
fn delay_in_body(error: &ErrorBody, headers: &HeaderMap) -> Option<Duration> {
    let until = || retry_after::delay_until(error.resets_at_ms?, headers);
    error.retry_after.or_else(until).filter(|delay| !delay.is_zero())
}

/// A status other than 2xx, of a response whose body was not received.
#[cold]
pub(crate) fn from_status(status: u16, headers: &HeaderMap) -> ProviderError {
    let error = ErrorBody::from_codes(status, None, None);
    let class = class_of_status(status, error.category, || retry_after::retry_delay(headers));
    ProviderError {
        retry_after: retry_after::requested_delay(headers),
        ..build_error(ProviderErrorKind::Status, class, error, None)
    }
}

/// An error inside a 200. The caller may get `response`, with the status that the error names or implies.
#[cold]
pub(crate) fn from_error_in_body(error: ErrorBody, mut response: CompleteResponse) -> ProviderError {
    let implied_status = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    response.status = implied_status.unwrap_or(StatusCode::BAD_GATEWAY);
    let retry_after = delay_in_body(&error, &response.headers);
    let class = match (error.category, error.status) {
        (ErrorCategory::ContextTooLong | ErrorCategory::RequestTooLarge, _) => FailureClass::ContextTooLong,
        (ErrorCategory::QuotaExhausted, _) => FailureClass::QuotaExhausted,
        (ErrorCategory::InvalidKey, _) => FailureClass::Auth,
        (ErrorCategory::ContentPolicy, _) | (_, Some(400 | 413 | 422)) => FailureClass::InvalidRequest,
        (ErrorCategory::Other, Some(429)) => retry_after
            .map_or(FailureClass::Provider, |retry_after| FailureClass::RateLimited { retry_after }),
        // The 200 accepted key and model, so whatever else the error names happened at the provider.
        (ErrorCategory::UnknownModel | ErrorCategory::Other, _) => FailureClass::Provider,
    };
    ProviderError { retry_after, ..build_error(ProviderErrorKind::ErrorInBody, class, error, Some(response)) }
}

impl CompleteResponse {
    /// Whether the provider rejects the gateway's key: a 401, or another status whose words say so.
    #[must_use]
    pub fn rejects_key(&self) -> bool {
        let status = self.status.as_u16();
        self.status.is_client_error() && {
            let category = ErrorBody::from_body(status, "", &self.body).category;
            class_of_status(status, category, || None) == FailureClass::Auth
        }
    }
}

impl ProviderError {
    /// A request that another process made and that got a status other than 2xx. Classified like a request of this
    /// process (C1, C2, B9).
    #[must_use]
    pub fn from_reported(
        status: u16,
        error_type: Option<&str>,
        error_code: Option<&str>,
        retry_after: Option<Duration>,
    ) -> Self {
        let retry_after = retry_after.filter(|delay| !delay.is_zero());
        let error = ErrorBody::from_codes(status, error_type, error_code);
        let class = class_of_status(status, error.category, || retry_after);
        Self { retry_after, ..build_error(ProviderErrorKind::Status, class, error, None) }
    }
}

fn build_error(
    kind: ProviderErrorKind,
    class: FailureClass,
    error: ErrorBody,
    response: Option<CompleteResponse>,
) -> ProviderError {
    ProviderError {
        kind,
        class,
        status: error.status,
        error_type: error.error_type,
        error_code: error.error_code,
        retry_after: None,
        detail: None,
        response: response.map(Box::new),
    }
}

/// `retry_after`: the cooldown that a 429 requests.
fn class_of_status(
    status: u16,
    category: ErrorCategory,
    retry_after: impl FnOnce() -> Option<Duration>,
) -> FailureClass {
    match (category, status) {
        (ErrorCategory::ContextTooLong | ErrorCategory::RequestTooLarge, _) => FailureClass::ContextTooLong,
        (ErrorCategory::UnknownModel, _) => FailureClass::UnknownModel,
        (ErrorCategory::QuotaExhausted, _) => FailureClass::QuotaExhausted,
        (ErrorCategory::InvalidKey, _) | (ErrorCategory::Other, 401) => FailureClass::Auth,
        (ErrorCategory::Other, 429) => retry_after()
            .map_or(FailureClass::Provider, |retry_after| FailureClass::RateLimited { retry_after }),
        (ErrorCategory::Other, 408 | 409 | 424 | 425) => FailureClass::Provider,
        // A 403 says much: what the caller may not do, where it may not be. Of the key only if its words do.
        (ErrorCategory::ContentPolicy, _) | (ErrorCategory::Other, 400..500) => FailureClass::InvalidRequest,
        (ErrorCategory::Other, _) => FailureClass::Provider,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dialects::{ResponseMeta, Usage};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    use super::{
        CompleteResponse, Duration, ErrorBody, ErrorCategory, FailureClass, ProviderError,
        from_error_in_body, from_response,
    };

    fn class_of(code: u16, error_code: &str, retry_after: Option<&'static str>) -> FailureClass {
        error_of(code, error_code, retry_after).class
    }

    fn error_of(code: u16, error_code: &str, retry_after: Option<&'static str>) -> ProviderError {
        let mut headers = HeaderMap::new();
        headers.extend(retry_after.map(|delay| (http::header::RETRY_AFTER, HeaderValue::from_static(delay))));
        let body = json!({"error": {"message": "m", "type": "t", "code": error_code}}).to_string().into();
        let status_code = StatusCode::from_u16(code).unwrap();
        from_response(
            CompleteResponse {
                status: status_code,
                headers,
                body,
                usage: Usage::default(),
                meta: ResponseMeta::default(),
            },
            "m",
        )
    }

    #[test]
    fn retry_after_is_read_whatever_the_status() {
        let second = Some(Duration::from_secs(1));
        for status in [408, 429, 503, 529] {
            assert_eq!(error_of(status, "x", Some("1")).retry_after, second, "{status}");
            assert_eq!(error_of(status, "x", Some("0")).retry_after, None, "{status}");
        }
    }

    #[test]
    fn a_server_without_one_of_openais_calls_says_so_by_its_status() {
        let class_of_call =
            |status, body: &str| super::from_response_of_call(response_of(status, body), "m").class;
        for (status, body, expected) in [
            (404, r#"{"detail":"Not Found"}"#, FailureClass::NoEndpoint),
            (404, "404 page not found", FailureClass::NoEndpoint),
            (405, "", FailureClass::NoEndpoint),
            (
                404,
                r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#,
                FailureClass::UnknownModel,
            ),
            (400, r#"{"error":{"message":"wrong"}}"#, FailureClass::InvalidRequest),
        ] {
            assert_eq!(class_of_call(status, body), expected, "{status} {body}");
        }
        assert_eq!(
            from_response(response_of(404, "404 page not found"), "m").class,
            FailureClass::InvalidRequest
        );
    }

    #[test]
    fn geminis_body_says_how_long_where_no_header_does() {
        let error = |status: u16, delay: &str, header: Option<&'static str>| {
            let info = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay});
            let body = json!({"error": {"code": status, "status": "RESOURCE_EXHAUSTED", "details": [info]}});
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|delay| (http::header::RETRY_AFTER, HeaderValue::from_static(delay))));
            let response = CompleteResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: body.to_string().into(),
                usage: Usage::default(),
                meta: ResponseMeta::default(),
            };
            from_response(response, "m")
        };
        let seconds = |number| Duration::from_secs(number);
        let limited = |number| FailureClass::RateLimited { retry_after: seconds(number) };
        assert_eq!(error(429, "30s", None).class, limited(30));
        assert_eq!(error(429, "30s", Some("2")).class, limited(2), "a header outranks it");
        assert_eq!(error(429, "0s", None).class, FailureClass::Provider, "no wait is no rest");
        let unavailable = error(503, "3s", None);
        assert_eq!((unavailable.class, unavailable.retry_after), (FailureClass::Provider, Some(seconds(3))));
    }

    #[test]
    fn googles_400_for_a_key() {
        assert_eq!(class_of(400, "API_KEY_INVALID", None), FailureClass::Auth);
    }

    fn response_of(status: u16, body: &str) -> CompleteResponse {
        CompleteResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
            usage: Usage::default(),
            meta: ResponseMeta::default(),
        }
    }

    #[test]
    fn every_vendors_words_lead_to_the_same() {
        for wording in dialects::error::wordings() {
            let (status, body) = wording.sample("org/model-1");
            let response = response_of(status, &body);
            let error = match status {
                200 => from_error_in_body(ErrorBody::from_ok_body(body.as_bytes()), response),
                _ => from_response(response, "org/model-1"),
            };
            let expected = match wording.meaning {
                ErrorCategory::ContextTooLong | ErrorCategory::RequestTooLarge => {
                    FailureClass::ContextTooLong
                }
                ErrorCategory::UnknownModel => FailureClass::UnknownModel,
                ErrorCategory::QuotaExhausted => FailureClass::QuotaExhausted,
                ErrorCategory::ContentPolicy => FailureClass::InvalidRequest,
                ErrorCategory::InvalidKey => FailureClass::Auth,
                ErrorCategory::Other => panic!("{wording:?}"),
            };
            assert_eq!(error.class, expected, "{}: {body}", wording.vendor);
            let returned = error.response.unwrap().status;
            assert!(returned.is_client_error() || status == 500, "{returned}: {body}");
        }
    }

    #[test]
    fn a_wait_in_words_or_in_a_copy_of_headers_is_a_wait() {
        let limited = |ms| FailureClass::RateLimited { retry_after: Duration::from_millis(ms) };
        let words = json!({"error": {"message": "Rate limit reached. Please try again in 6ms.", "code": "rate_limit_exceeded"}});
        assert_eq!(from_response(response_of(429, &words.to_string()), "m").class, limited(6));
        let inside = json!({"error": {"message": "Please try again in 2s.", "code": 429}}).to_string();
        let error = from_error_in_body(ErrorBody::from_ok_body(inside.as_bytes()), response_of(200, &inside));
        assert_eq!(error.class, limited(2_000));
        let mut copied = response_of(
            429,
            &json!({"error": {"message": "Rate limit exceeded", "code": 429, "metadata": {"headers":
                {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1751371230000"}}}})
            .to_string(),
        );
        copied.headers.insert(http::header::DATE, HeaderValue::from_static("Tue, 01 Jul 2025 12:00:00 GMT"));
        assert_eq!(from_response(copied, "m").class, limited(30_000));
    }

    #[test]
    fn statuses() {
        let second = FailureClass::RateLimited { retry_after: Duration::from_secs(1) };
        for (class, statuses) in [
            (FailureClass::Provider, &[302, 408, 409, 424, 425, 429, 500, 502, 503, 504, 529, 599][..]),
            (FailureClass::Auth, &[401]),
            (FailureClass::QuotaExhausted, &[402]),
            (FailureClass::InvalidRequest, &[400, 403, 404, 405, 413, 415, 422]),
        ] {
            for status in statuses {
                assert_eq!(class_of(*status, "x", None), class, "{status}");
            }
        }
        assert_eq!(class_of(429, "rate_limit_exceeded", Some("1")), second);
        assert_eq!(class_of(503, "x", Some("1")), FailureClass::Provider, "only a 429 is a rate limit");
    }

    #[test]
    fn a_reported_outcome_is_classified_alike() {
        let retry_after = Some(Duration::from_secs(1));
        for status in [302, 400, 401, 402, 404, 408, 413, 422, 429, 500, 503, 529] {
            for code in ["x", "insufficient_quota", "model_not_found", "context_length_exceeded"] {
                assert_eq!(
                    ProviderError::from_reported(status, Some("t"), Some(code), retry_after).class,
                    class_of(status, code, Some("1")),
                    "{status} {code}"
                );
            }
        }
    }

    #[test]
    fn codes_that_outrank_the_status() {
        for (status, code, class) in [
            (400, "context_length_exceeded", FailureClass::ContextTooLong),
            (404, "model_not_found", FailureClass::UnknownModel),
            (403, "model_not_found", FailureClass::UnknownModel),
            (429, "insufficient_quota", FailureClass::QuotaExhausted),
            (400, "content_filter", FailureClass::InvalidRequest),
            (403, "content_filter", FailureClass::InvalidRequest),
            (500, "insufficient_quota", FailureClass::Provider),
        ] {
            assert_eq!(class_of(status, code, Some("1")), class, "{status} {code}");
        }
    }

    #[test]
    fn errors_inside_a_200() {
        for (body, class) in [
            (json!({"error": {"code": 502}}), FailureClass::Provider),
            (json!({"error": {"code": 429}}), FailureClass::Provider),
            (json!({"error": {"code": 401}}), FailureClass::Provider),
            (json!({"error": {"message": "?"}}), FailureClass::Provider),
            (json!({"error": {"code": 400}}), FailureClass::InvalidRequest),
            (json!({"error": {"code": "content_filter"}}), FailureClass::InvalidRequest),
            (json!({"error": {"code": "context_length_exceeded"}}), FailureClass::ContextTooLong),
            (json!({"error": {"code": 402}}), FailureClass::QuotaExhausted),
        ] {
            let body: Bytes = body.to_string().into();
            let response = CompleteResponse {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: body.clone(),
                usage: Usage::default(),
                meta: ResponseMeta::default(),
            };
            let error = from_error_in_body(ErrorBody::from_ok_body(&body), response);
            assert_eq!(error.class, class, "{body:?}");
        }
    }
}
