//! Which headers are forwarded, in both directions.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The caller's headers that a provider gets. This is a list of allowed headers: the caller's key, its cookies and the
/// addresses of its proxies are not for the provider. Neither are `openai-organization` and `openai-project`: they belong
/// to an account, and the account here is the gateway's. `x-stainless-*`, by which the official SDKs identify themselves,
/// are forwarded, too.
const FORWARDED_REQUEST_HEADERS: [&str; 9] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "idempotency-key",
    "openai-beta",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-client-request-id",
];

/// The provider's headers that the caller does not get. The first ones are hop-by-hop (RFC 9110, section 7.6.1),
/// `content-length` is set by the gateway's server, and the others concern the provider's host and its client, which is
/// the gateway.
const STRIPPED_RESPONSE_HEADERS: [HeaderName; 14] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::ALT_SVC,
    header::SERVER,
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::WWW_AUTHENTICATE,
];

/// The caller's headers that a provider gets.
pub(crate) fn forwarded_request_headers(caller_headers: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in caller_headers {
        let text = name.as_str();
        if FORWARDED_REQUEST_HEADERS.contains(&text) || text.starts_with("x-stainless-") {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Of these, the ones that a provider of another API format gets: the others mean something in the caller's format only.
const FORWARDED_TRANSLATED: [&str; 4] = ["traceparent", "tracestate", "user-agent", "x-client-request-id"];

/// The caller's headers that a provider of another API format gets.
pub(crate) fn translated_request_headers(caller_headers: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in FORWARDED_TRANSLATED {
        if let Some(value) = caller_headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers
}

/// The headers of a response that was translated: the provider's others describe its own format.
pub(crate) fn translated_response_headers(provider_headers: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["retry-after", "retry-after-ms"] {
        if let Some(value) = provider_headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// The provider's headers that the caller gets. `content-encoding` is one of them: bodies are not decoded.
pub(crate) fn forwarded_response_headers(mut headers: HeaderMap) -> HeaderMap {
    let named_by_connection: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in STRIPPED_RESPONSE_HEADERS.iter().chain(&named_by_connection) {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{forwarded_request_headers, forwarded_response_headers};

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        headers.iter().map(header).collect()
    }

    #[test]
    fn a_provider_gets_only_allowed_headers() {
        let forwarded = [
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "a,b"),
            ("traceparent", "00-1-2-01"),
            ("x-stainless-lang", "python"),
            ("user-agent", "OpenAI/Python"),
        ];
        let stripped = [
            ("authorization", "Bearer callers"),
            ("x-api-key", "callers"),
            ("x-goog-api-key", "callers"),
            ("cookie", "a=b"),
            ("host", "gateway"),
            ("content-length", "7"),
            ("connection", "close"),
            ("accept-encoding", "gzip"),
            ("x-forwarded-for", "10.0.0.1"),
            ("openai-organization", "callers"),
            ("x-switchboard-fallback", "off"),
        ];
        assert_eq!(
            forwarded_request_headers(&map(&[&forwarded[..], &stripped[..]].concat())),
            map(&forwarded)
        );
    }

    #[test]
    fn the_caller_gets_no_header_of_the_connection() {
        let forwarded =
            [("request-id", "req_1"), ("x-ratelimit-remaining-requests", "3"), ("content-encoding", "gzip")];
        let stripped = [
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("set-cookie", "__cf_bm=1"),
            ("alt-svc", "h3=\":443\""),
        ];
        assert_eq!(
            forwarded_response_headers(map(&[&forwarded[..], &stripped[..]].concat())),
            map(&forwarded)
        );
    }
}
