//! A model's reply on its way to the client.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use dialects::{Dialect, Usage};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use manager::{Events, Reply};

use crate::{
    headers,
    shutdown::{DrainedStream, InFlightGuard, StreamStage},
};

/// The response to a call that a model answered: the provider's, with who it was.
pub(crate) fn respond(
    dialect: Dialect,
    reply: Reply,
    request_id: &HeaderValue,
    in_flight: InFlightGuard,
) -> Response {
    let mut response = match reply.body {
        manager::Body::Complete(answer) => {
            let mut response = Response::new(Body::from(answer.body));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            insert_usage_headers(response.headers_mut(), answer.usage);
            response
        }
        manager::Body::Stream { headers, events } => event_stream_response(
            headers,
            DrainedStream::new(dialect, StreamStage::Started, events, in_flight),
        ),
    };
    let headers = response.headers_mut();
    if let Ok(model) = HeaderValue::from_str(reply.answered_by.as_str()) {
        headers.insert(headers::MODEL, model);
    }
    headers.insert(headers::ATTEMPTS, HeaderValue::from(reply.attempts));
    insert_anthropic_request_id(dialect, headers, request_id);
    response
}

/// The response to a call whose stream is held: nobody has answered it yet.
pub(crate) fn respond_buffered(
    dialect: Dialect,
    events: Events,
    request_id: &HeaderValue,
    in_flight: InFlightGuard,
) -> Response {
    let mut response = event_stream_response(
        HeaderMap::new(),
        DrainedStream::new(dialect, StreamStage::Buffered, events, in_flight),
    );
    insert_anthropic_request_id(dialect, response.headers_mut(), request_id);
    response
}

/// What the provider says that the answer cost. A stream says so at its end, behind its head.
fn insert_usage_headers(headers: &mut HeaderMap, usage: Usage) {
    for (name, tokens) in [(headers::INPUT_TOKENS, usage.input), (headers::OUTPUT_TOKENS, usage.output)] {
        if let Some(tokens) = tokens {
            headers.insert(name, HeaderValue::from(tokens));
        }
    }
}

fn event_stream_response(headers: HeaderMap, events: DrainedStream) -> Response {
    let mut response = Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)));
    *response.headers_mut() = headers;
    set_event_stream_headers(response.headers_mut());
    response
}

fn insert_anthropic_request_id(dialect: Dialect, headers: &mut HeaderMap, request_id: &HeaderValue) {
    if dialect == Dialect::Anthropic {
        // The provider's own, where there is one: it is what its support asks for.
        headers.entry(headers::ANTHROPIC_REQUEST_ID).or_insert_with(|| request_id.clone());
    }
}

/// What keeps proxies on the way from holding events back.
pub(crate) fn set_event_stream_headers(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(headers::ACCEL_BUFFERING, HeaderValue::from_static("no"));
}
