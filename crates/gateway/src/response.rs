//! The response of a model on its way to the client.

use axum::body::Body;
use dialects::Dialect;
use http::{HeaderMap, HeaderValue, Response, header};
use manager::{ChainModel, Events, Reply, Translated};
use providers::CompleteResponse;

use crate::{
    headers,
    model_reply::ModelReply,
    response_body::ResponseBody,
    shutdown::{DrainedStream, InFlightGuard, StreamStage},
};

/// The provider's response, with the headers that name the model.
pub(crate) fn respond(
    dialect: Dialect,
    json_array: bool,
    reply: Reply,
    request_id: &HeaderValue,
    in_flight: InFlightGuard,
) -> Response<ResponseBody> {
    let Reply { answered_by, attempts, .. } = reply;
    let mut response = match reply.body {
        manager::Body::Complete(complete) => {
            let CompleteResponse { status, headers, body, usage, .. } = *complete;
            let reply = ModelReply { body, answered_by, attempts, usage, request_id: None };
            let mut response = Response::new(ResponseBody::Complete(Box::new(reply)));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        manager::Body::Stream { headers, events } => {
            let events = DrainedStream::new(dialect, StreamStage::Started, json_array, events, in_flight);
            let mut response = event_stream_response(headers, events);
            insert_origin(response.headers_mut(), &answered_by, attempts);
            response
        }
        manager::Body::Bytes { headers, bytes } => {
            let bytes = DrainedStream::new(dialect, StreamStage::Started, false, bytes, in_flight).of_bytes();
            let mut response = Response::new(ResponseBody::Events(Box::new(bytes)));
            *response.headers_mut() = headers;
            insert_origin(response.headers_mut(), &answered_by, attempts);
            response
        }
    };
    let headers = response.headers_mut();
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

/// The response with all its headers in their map, for what looks for them there.
pub(crate) fn with_all_headers(response: Response<ResponseBody>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if let ResponseBody::Complete(reply) = &body {
        reply.insert_headers(&mut head.headers);
    }
    Response::from_parts(head, body.into())
}

/// What a stream's head says of where it is from.
fn insert_origin(headers: &mut HeaderMap, answered_by: &ChainModel, attempts: u32) {
    if let Some(model) = answered_by.header_value() {
        headers.insert(headers::MODEL, model.clone());
    }
    headers.insert(headers::ATTEMPTS, attempts.into());
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
