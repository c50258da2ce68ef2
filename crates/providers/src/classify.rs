//! Who is responsible for an error (C1, C2, B9).

use std::time::Duration;

use dialects::error::{ErrorBody, ErrorCategory};
use http::{HeaderMap, StatusCode};

use crate::error::{FailureClass, ProviderError, ProviderErrorKind};
use crate::response::CompleteResponse;
use crate::retry_after;

/// A response to a request for `model` with a status other than 2xx.
pub(crate) fn from_response(response: CompleteResponse, model: &str) -> ProviderError {
    let status = response.status.as_u16();
    let error = ErrorBody::from_body(status, model, &response.body);
    // Gemini has no header that says how long: its body does.
    let in_body = error.retry_after.filter(|delay| !delay.is_zero());
    let class =
        class_of_status(status, error.category, || retry_after::retry_delay(&response.headers).or(in_body));
    let retry_after = retry_after::requested_delay(&response.headers).or(in_body);
    ProviderError { retry_after, ..build_error(ProviderErrorKind::Status, class, error, Some(response)) }
}

/// A status other than 2xx, of a response whose body was not received.
pub(crate) fn from_status(status: u16, headers: &HeaderMap) -> ProviderError {
    let error = ErrorBody::from_codes(status, None, None);
    let class = class_of_status(status, error.category, || retry_after::retry_delay(headers));
    ProviderError {
        retry_after: retry_after::requested_delay(headers),
        ..build_error(ProviderErrorKind::Status, class, error, None)
    }
}

/// An error inside a 200. The caller may get `response`, with the status that the error names or implies.
pub(crate) fn from_error_in_body(error: ErrorBody, mut response: CompleteResponse) -> ProviderError {
    let implied_status = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    response.status = implied_status.unwrap_or(StatusCode::BAD_GATEWAY);
    let class = match (error.category, error.status) {
        (ErrorCategory::ContextTooLong, _) => FailureClass::ContextTooLong,
        (ErrorCategory::QuotaExhausted, _) => FailureClass::QuotaExhausted,
        (ErrorCategory::InvalidKey, _) => FailureClass::Auth,
        (ErrorCategory::ContentPolicy, _) | (_, Some(400 | 413 | 422)) => FailureClass::InvalidRequest,
        // The 200 accepted key and model, so whatever else the error names happened at the provider.
        (ErrorCategory::UnknownModel | ErrorCategory::Other, _) => FailureClass::Provider,
    };
    build_error(ProviderErrorKind::ErrorInBody, class, error, Some(response))
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
    if !(400..500).contains(&status) {
        return FailureClass::Provider;
    }
    match (category, status) {
        (ErrorCategory::ContextTooLong, _) => FailureClass::ContextTooLong,
        (ErrorCategory::UnknownModel, _) => FailureClass::UnknownModel,
        (ErrorCategory::QuotaExhausted, _) => FailureClass::QuotaExhausted,
        (ErrorCategory::InvalidKey, _) | (ErrorCategory::Other, 401 | 403) => FailureClass::Auth,
        (ErrorCategory::Other, 408 | 409 | 424 | 425) => FailureClass::Provider,
        (ErrorCategory::Other, 429) => retry_after()
            .map_or(FailureClass::Provider, |retry_after| FailureClass::RateLimited { retry_after }),
        (ErrorCategory::ContentPolicy | ErrorCategory::Other, _) => FailureClass::InvalidRequest,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dialects::{ResponseMeta, Usage};
    use http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    use super::{
        CompleteResponse, Duration, ErrorBody, FailureClass, ProviderError, from_error_in_body, from_response,
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

    #[test]
    fn statuses() {
        let second = FailureClass::RateLimited { retry_after: Duration::from_secs(1) };
        for (class, statuses) in [
            (FailureClass::Provider, &[302, 408, 409, 424, 425, 429, 500, 502, 503, 504, 529, 599][..]),
            (FailureClass::Auth, &[401, 403]),
            (FailureClass::QuotaExhausted, &[402]),
            (FailureClass::InvalidRequest, &[400, 404, 405, 413, 415, 422]),
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
