//! Heads of requests and responses: paths, hosts, keys, waits, traces.

use std::time::Duration;

use gateway::{Key, KeyDigest, Keys, Role};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::features::Features;

/// The `total` of calls.
const TOTAL: Duration = Duration::from_secs(600);

/// What a path begins with once it is the usual one.
const PREFIXES: [&str; 6] =
    ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/models", "/v1beta/", "/dashboard"];

/// The first line is a path, the others are headers.
fn head(input: &[u8]) -> (Option<Uri>, HeaderMap) {
    let mut lines = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let uri = lines.next().and_then(|line| Uri::try_from(line).ok());
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
        let value = HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?;
        Some((HeaderName::from_bytes(name).ok()?, value))
    });
    let mut map = HeaderMap::new();
    // As the server does: a request with more headers is refused before anything is read of it.
    for (name, value) in headers.take(100) {
        map.append(name, value);
    }
    (uri, map)
}

pub(super) fn request(input: &[u8], features: &mut Features) {
    let (Some(uri), headers) = head(input) else { return };
    let Ok(name) = "ci".parse() else { return };
    let Ok(keys) = Keys::new(vec![Key::new(name, KeyDigest::of(b"k"), Role::Admin)]) else { return };
    let read = gateway::fuzzing::read_head(&uri, &headers, &keys);
    features.add((read.violation, read.dialect.label(), read.has_key));
    features.add_variant("host", &read.host_not_allowed);
    if let Some(usual) = &read.usual_uri {
        assert_ne!(usual.path(), uri.path(), "a changed path is another");
        assert_eq!(usual.query(), uri.query(), "the query stays");
        let again = gateway::fuzzing::read_head(usual, &headers, &keys);
        assert_eq!(again.usual_uri, None, "the usual path of {usual} is itself");
        features.add(("usual", PREFIXES.map(|prefix| usual.path().starts_with(prefix))));
    }
    if let Some(violation) = read.violation {
        assert!(!violation.is_empty());
    }
    let limit = manager::fuzzing::call_limit(TOTAL, &headers);
    assert!(limit <= TOTAL, "no call takes longer than the total: {limit:?}");
    features.add(limit < TOTAL);
    let trace = switchboard::fuzzing::forwarded_trace(&headers);
    features.add(trace.get("traceparent").map(HeaderValue::len));
    let again = switchboard::fuzzing::forwarded_trace(&trace);
    assert_eq!(again.get("traceparent"), trace.get("traceparent"), "a trace that is passed on is the same");
    for passed in providers::fuzzing::passed_headers(&headers) {
        assert!(!passed.contains_key("authorization") && !passed.contains_key("x-api-key"), "{passed:?}");
        features.add_magnitude("passed", passed.len() as u64);
    }
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let heads = [
        "//v1//chat/completions/?a=b\nhost: localhost:4100\norigin: http://localhost:3000\nauthorization: Bearer k",
        "/v1/v1beta/models/m:generateContent\nhost: [::1]:80\nx-goog-api-key: k",
        "http://LOCALHOST/v1/messages\nhost: localhost\nx-api-key: k\nanthropic-version: 2023-06-01",
        "*\ntransfer-encoding: chunked\ntransfer-encoding: gzip",
        "/circuits/openai:a%2Fb/history\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate: a=b,c=d",
        "/models/v1/v1\nx-stainless-timeout: 600\nx-stainless-read-timeout: 1e-300",
        "/dashboard//\nx-title: t\nhttp-referer: r\nx-request-id: q",
    ];
    heads.iter().map(|head| head.as_bytes().to_vec()).collect()
}

fn check_delay(delay: Duration, features: &mut Features) {
    assert!(!delay.is_zero(), "a wait of nothing is none");
    features.add_magnitude("delay", delay.as_secs());
}

pub(super) fn response(input: &[u8], features: &mut Features) {
    let (first, headers) = head(input);
    let number = first.and_then(|uri| uri.path().trim_matches('/').parse().ok()).unwrap_or(u64::MAX);
    for delay in providers::fuzzing::requested_delays(&headers, number).into_iter().flatten() {
        check_delay(delay, features);
    }
    for status in [429, 503, 401] {
        let error = providers::fuzzing::classify(status, headers.clone(), b"{}", "m");
        features.add_variant("class", &error.class);
        features.add(error.retry_after.is_some());
    }
    for passed in providers::fuzzing::passed_headers(&headers) {
        features.add_magnitude("passed", passed.len() as u64);
    }
}

pub(super) fn response_seeds() -> Vec<Vec<u8>> {
    let heads = [
        "/1751371230000\ndate: Tue, 01 Jul 2025 12:00:00 GMT\nretry-after: 2",
        "/\nretry-after-ms: 1500.5\nx-ms-retry-after-ms: 7",
        "/\nretry-after: Tue, 01 Jul 2025 12:01:00 GMT\nx-request-id: r\nset-cookie: a",
        "/\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 1h2m3.5s",
        "/\nanthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2999-07-01T13:00:00+02:00",
        "/\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1751371230000\ncontent-encoding: gzip",
        "/\nratelimit-remaining: 0\nratelimit-reset: 6m0s\nconnection: close",
    ];
    heads.iter().map(|head| head.as_bytes().to_vec()).collect()
}
