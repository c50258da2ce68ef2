//! The response of a model on its way to the client.

use dialects::{Dialect, Usage};
use http::{HeaderMap, HeaderValue, Response, header};
use manager::{Events, Reply, Translated};

use crate::{
    headers,
    response_body::ResponseBody,
    shutdown::{DrainedStream, InFlightGuard, StreamStage},
};

/// Those of the largest `u64`.
const MAX_DIGITS: usize = 20;

/// The headers that a response gets here, at most: they find room at once.
const OWN_HEADERS: usize = 7;

/// The provider's response, with the headers that name the model.
pub(crate) fn respond(
    dialect: Dialect,
    json_array: bool,
    reply: Reply,
    request_id: &HeaderValue,
    in_flight: InFlightGuard,
) -> Response<ResponseBody> {
    let mut response = match reply.body {
        manager::Body::Complete(complete) => {
            let mut response = Response::new(ResponseBody::Complete(complete.body));
            *response.status_mut() = complete.status;
            *response.headers_mut() = complete.headers;
            response.headers_mut().reserve(OWN_HEADERS);
            insert_usage_headers(response.headers_mut(), complete.usage);
            response
        }
        manager::Body::Stream { headers, events } => {
            let events = DrainedStream::new(dialect, StreamStage::Started, json_array, events, in_flight);
            event_stream_response(headers, events)
        }
        manager::Body::Bytes { headers, bytes } => {
            let bytes = DrainedStream::new(dialect, StreamStage::Started, false, bytes, in_flight).of_bytes();
            let mut response = Response::new(ResponseBody::Events(Box::new(bytes)));
            *response.headers_mut() = headers;
            response
        }
    };
    let headers = response.headers_mut();
    if let Some(model) = reply.answered_by.header_value() {
        headers.insert(headers::MODEL, model);
    }
    headers.insert(headers::ATTEMPTS, number(reply.attempts.into()));
    if let Some(translated) = reply.translated {
        insert_translation_headers(headers, &translated);
    }
    insert_anthropic_request_id(dialect, headers, request_id);
    response
}

/// The response to a call whose stream is buffered: its head is sent before any model has responded.
pub(crate) fn respond_buffered(
    dialect: Dialect,
    json_array: bool,
    events: Events,
    request_id: &HeaderValue,
    in_flight: InFlightGuard,
) -> Response<ResponseBody> {
    let mut response = event_stream_response(
        HeaderMap::new(),
        DrainedStream::new(dialect, StreamStage::Buffered, json_array, events, in_flight),
    );
    insert_anthropic_request_id(dialect, response.headers_mut(), request_id);
    response
}

/// `HeaderValue::from` makes a buffer that grows.
fn number(number: u64) -> HeaderValue {
    if number == 1 {
        return HeaderValue::from_static("1");
    }
    let (mut digits, mut first, mut rest) = ([b'0'; MAX_DIGITS], MAX_DIGITS - 1, number);
    while rest >= 10 {
        digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        first -= 1;
    }
    digits[first] = b'0' + u8::try_from(rest).unwrap_or_default();
    HeaderValue::from_bytes(&digits[first..]).unwrap_or_else(|_| HeaderValue::from(number))
}

/// What became of the request, where the model has another API format (T3, T9).
fn insert_translation_headers(headers: &mut HeaderMap, translated: &Translated) {
    let texts =
        [(headers::TRANSLATED, Some(translated.to_string())), (headers::DROPPED, translated.dropped_list())];
    for (name, text) in texts {
        // The caller's names of fields: what cannot stand in a header is no field of an API format.
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
}

/// The usage that the provider reports. A stream reports it at its end, when the head is sent.
fn insert_usage_headers(headers: &mut HeaderMap, usage: Usage) {
    for (name, tokens) in [(headers::INPUT_TOKENS, usage.input), (headers::OUTPUT_TOKENS, usage.output)] {
        if let Some(tokens) = tokens {
            headers.insert(name, number(tokens));
        }
    }
}

fn event_stream_response(headers: HeaderMap, events: DrainedStream) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Events(Box::new(events)));
    *response.headers_mut() = headers;
    set_event_stream_headers(response.headers_mut());
    response
}

fn insert_anthropic_request_id(dialect: Dialect, headers: &mut HeaderMap, request_id: &HeaderValue) {
    if dialect == Dialect::Anthropic {
        // The provider's own id wins, because the provider's support asks for it.
        headers.entry(headers::ANTHROPIC_REQUEST_ID).or_insert_with(|| request_id.clone());
    }
}

/// The headers that keep proxies from buffering events.
pub(crate) fn set_event_stream_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(headers::ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 1, 9, 10, 1_234_567_890, u64::MAX] {
            assert_eq!(number(value).to_str().unwrap(), value.to_string());
        }
    }
}
