//! Spans as OTLP: <https://opentelemetry.io/docs/specs/otlp/>, by the numbers of the fields in
//! <https://github.com/open-telemetry/opentelemetry-proto/tree/v1.9.0/opentelemetry/proto>.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::{
    Array, InstrumentationScope, KeyValue, Value,
    trace::{Event, Link, SpanContext, SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{Resource, trace::SpanData};

use super::protobuf::Message;

/// Bits of a span's flags: it is known, and so, that the parent is of another process.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// The body of a request with these spans (`ExportTraceServiceRequest`).
pub(super) fn export_request(spans: &[SpanData], resource: &Resource) -> Vec<u8> {
    let request = Message::of(|request| {
        request.message(1, |resource_spans| {
            resource_spans.message(1, |message| {
                for (key, value) in resource {
                    message.message(1, |attribute| key_value(attribute, key.as_str(), value));
                }
            });
            for (scope, spans) in by_scope(spans) {
                resource_spans.message(2, |message| scope_spans(message, scope, &spans));
            }
            resource_spans.bytes(3, resource.schema_url().unwrap_or_default());
        });
    });
    request.into_bytes()
}

/// Whether a successful response says that some spans were refused (`ExportTraceServiceResponse`: its one field is a message
/// that is absent or empty if none were).
pub(super) fn refuses_spans(response: &[u8]) -> bool {
    matches!(response, [0x0a, length, ..] if *length > 0)
}

/// There is one scope, or few.
fn by_scope(spans: &[SpanData]) -> Vec<(&InstrumentationScope, Vec<&SpanData>)> {
    let mut scopes: Vec<(&InstrumentationScope, Vec<&SpanData>)> = Vec::new();
    for span in spans {
        let scope = &span.instrumentation_scope;
        match scopes.iter_mut().find(|(known, _)| *known == scope) {
            Some((_, spans)) => spans.push(span),
            None => scopes.push((scope, vec![span])),
        }
    }
    scopes
}

fn scope_spans(message: &mut Message, scope: &InstrumentationScope, spans: &[&SpanData]) {
    message.message(1, |message| {
        message.bytes(1, scope.name());
        message.bytes(2, scope.version().unwrap_or_default());
        attributes(message, 3, scope.attributes());
    });
    for span in spans {
        message.message(2, |message| write_span(message, span));
    }
    message.bytes(3, scope.schema_url().unwrap_or_default());
}

fn write_span(message: &mut Message, span: &SpanData) {
    context(message, &span.span_context);
    if span.parent_span_id != SpanId::INVALID {
        message.bytes(4, span.parent_span_id.to_bytes());
    }
    message.bytes(5, span.name.as_bytes());
    message.number(6, kind(&span.span_kind));
    message.fixed_64(7, nanoseconds(span.start_time));
    message.fixed_64(8, nanoseconds(span.end_time));
    attributes(message, 9, &span.attributes);
    message.number(10, span.dropped_attributes_count.into());
    for event in &span.events.events {
        message.message(11, |message| write_event(message, event));
    }
    message.number(12, span.events.dropped_count.into());
    for link in &span.links.links {
        message.message(13, |message| write_link(message, link));
    }
    message.number(14, span.links.dropped_count.into());
    message.message(15, |message| status(message, &span.status));
    message.fixed_32(16, flags(&span.span_context, span.parent_span_is_remote));
}

/// Trace, span and state stand in a span and a link alike.
fn context(message: &mut Message, context: &SpanContext) {
    message.bytes(1, context.trace_id().to_bytes());
    message.bytes(2, context.span_id().to_bytes());
    message.bytes(3, context.trace_state().header());
}

fn write_event(message: &mut Message, event: &Event) {
    message.fixed_64(1, nanoseconds(event.timestamp));
    message.bytes(2, event.name.as_bytes());
    attributes(message, 3, &event.attributes);
    message.number(4, event.dropped_attributes_count.into());
}

fn write_link(message: &mut Message, link: &Link) {
    context(message, &link.span_context);
    attributes(message, 4, &link.attributes);
    message.number(5, link.dropped_attributes_count.into());
    message.fixed_32(6, flags(&link.span_context, link.span_context.is_remote()));
}

fn status(message: &mut Message, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => message.number(3, 1),
        Status::Error { description } => {
            message.bytes(2, description.as_bytes());
            message.number(3, 2);
        }
    }
}

const fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn flags(context: &SpanContext, is_remote: bool) -> u32 {
    let remote = if is_remote { HAS_IS_REMOTE | IS_REMOTE } else { HAS_IS_REMOTE };
    u32::from(context.trace_flags().to_u8()) | remote
}

/// Since 1970; nothing before it and after 2554.
fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| since.as_nanos().try_into().ok())
        .unwrap_or_default()
}

fn attributes<'a>(message: &mut Message, field: u64, attributes: impl IntoIterator<Item = &'a KeyValue>) {
    for KeyValue { key, value, .. } in attributes {
        message.message(field, |message| key_value(message, key.as_str(), value));
    }
}

fn key_value(message: &mut Message, key: &str, value: &Value) {
    message.bytes(1, key);
    message.message(2, |message| any_value(message, value));
}

fn any_value(message: &mut Message, value: &Value) {
    match value {
        Value::String(text) => message.present_bytes(1, text.as_str()),
        Value::Bool(value) => message.present_number(2, (*value).into()),
        Value::I64(number) => message.present_number(3, number.cast_unsigned()),
        Value::F64(number) => message.present_double(4, *number),
        Value::Array(array) => message.message(5, |message| array_value(message, array)),
        // There is no other yet.
        _ => {}
    }
}

fn array_value(message: &mut Message, array: &Array) {
    let values: Vec<Value> = match array {
        Array::Bool(values) => values.iter().map(|value| Value::Bool(*value)).collect(),
        Array::I64(values) => values.iter().map(|value| Value::I64(*value)).collect(),
        Array::F64(values) => values.iter().map(|value| Value::F64(*value)).collect(),
        Array::String(values) => values.iter().cloned().map(Value::String).collect(),
        // There is no other yet.
        _ => Vec::new(),
    };
    for value in &values {
        message.message(1, |message| any_value(message, value));
    }
}

#[cfg(test)]
mod tests;
