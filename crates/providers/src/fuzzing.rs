//! What providers send, and how they are reached, as this crate reads it, for the crate `fuzz`: not a part of the interface.

use std::time::Duration;

use bytes::Bytes;
use dialects::{Dialect, ResponseMeta, Usage};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_ENCODING};
use url::Url;

use crate::{
    CompleteResponse, ProviderError, ProviderErrorKind, ProviderKind, ProxyError, bedrock::StreamDecoder,
    classify, client::proxy::Proxy, decode::BodyDecoder, headers, retry_after,
};

pub use crate::client::whole::{NoResponse, WholeResponse, read_response};

/// Decodes a body by its `content-encoding` until `limit` bytes have come of it.
///
/// # Errors
/// What is wrong with the body.
pub fn decode<'a>(
    coding: &'static str,
    pieces: impl Iterator<Item = &'a [u8]>,
    limit: usize,
) -> Result<Vec<u8>, ProviderErrorKind> {
    let mut headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
    let Some(mut decoder) = BodyDecoder::take_from(&mut headers) else { return Ok(Vec::new()) };
    let mut decoded = Vec::new();
    for piece in pieces {
        decoded.extend_from_slice(&decoder.push(piece).map_err(|error| error.kind)?);
        if decoded.len() > limit {
            return Ok(decoded);
        }
    }
    let last: Bytes = decoder.finish().map_err(|error| error.kind)?;
    decoded.extend_from_slice(&last);
    Ok(decoded)
}

/// The events that messages of AWS' event stream become, and what is wrong with them.
#[must_use]
pub fn message_stream<'a>(
    dialect: Dialect,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<u8>, Option<String>) {
    let mut decoder = StreamDecoder::new(dialect);
    let mut events = Vec::new();
    for piece in pieces {
        events.extend_from_slice(&decoder.push(piece));
    }
    let error = decoder.error().or_else(|| decoder.error_at_end());
    (events, error.map(|error| format!("{error:?}")))
}

/// The waits that headers ask for: of a 429, and of any status.
#[must_use]
pub fn requested_delays(headers: &HeaderMap, unix_ms: u64) -> [Option<Duration>; 3] {
    [
        retry_after::retry_delay(headers),
        retry_after::requested_delay(headers),
        retry_after::delay_until(unix_ms, headers),
    ]
}

/// A rejection. A status that is none counts as 500.
#[must_use]
pub fn classify(status: u16, headers: HeaderMap, body: &[u8], model: &str) -> ProviderError {
    let response = CompleteResponse {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: Bytes::copy_from_slice(body),
        usage: Usage::default(),
        meta: ResponseMeta::default(),
    };
    classify::from_response(response, model)
}

/// The headers that pass to a provider, to one of another format, and back.
#[must_use]
pub fn passed_headers(headers: &HeaderMap) -> [HeaderMap; 3] {
    let named: Vec<_> = ["x-title", "http-referer"].iter().filter_map(|name| name.parse().ok()).collect();
    let (mut forwarded, mut translated) = (HeaderMap::new(), HeaderMap::new());
    headers::each_forwarded(ProviderKind::OpenAi, true, &named, headers, |name, value| {
        forwarded.append(name, value.clone());
    });
    headers::each_translated(&[], headers, |name, value| {
        translated.append(name, value.clone());
    });
    [forwarded, translated, headers::forwarded_response_headers(headers.clone())]
}

/// The proxy that leads to a URL, without its user.
///
/// # Errors
/// The variables name none that can be used.
pub fn proxy(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Result<Option<String>, ProxyError> {
    let proxy = Proxy::find(url, variable)?;
    Ok(proxy.map(|proxy| {
        let login = (proxy.authorization().is_some(), proxy.user_and_password().is_some());
        format!("{proxy:?} {login:?}")
    }))
}
