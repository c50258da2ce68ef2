use std::time::Duration;

use opentelemetry::{
    StringValue,
    trace::{TraceFlags, TraceState},
};
use opentelemetry_proto::{
    tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    transform::{
        common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
use prost::Message as _;

use super::*;

fn span_context(is_remote: bool) -> SpanContext {
    let state = TraceState::from_key_value([("vendor", "1")]).unwrap();
    SpanContext::new(0x0102_u128.into(), u64::MAX.into(), TraceFlags::SAMPLED, is_remote, state)
}

/// A span that has something in every field.
fn full_span(scope: InstrumentationScope) -> SpanData {
    let strings: Vec<StringValue> = vec!["a".into(), "".into()];
    let attributes = vec![
        KeyValue::new("text", "é".repeat(100)),
        KeyValue::new("empty", ""),
        KeyValue::new("false", false),
        KeyValue::new("true", true),
        KeyValue::new("zero", 0),
        KeyValue::new("negative", -1),
        KeyValue::new("large", i64::MAX),
        KeyValue::new("double", 0.0),
        KeyValue::new("booleans", Value::Array(vec![true, false].into())),
        KeyValue::new("numbers", Value::Array(vec![1_i64, 0, -300].into())),
        KeyValue::new("doubles", Value::Array(vec![1.5, 0.0].into())),
        KeyValue::new("texts", Value::Array(strings.into())),
    ];
    let at = |seconds| UNIX_EPOCH + Duration::new(seconds, 7);
    let event = Event::new("circuit opened", at(3), vec![KeyValue::new("reason", "status")], 4);
    let mut events = SpanEvents::default();
    (events.events, events.dropped_count) = (vec![event], 5);
    let mut links = SpanLinks::default();
    (links.links, links.dropped_count) =
        (vec![Link::new(span_context(true), vec![KeyValue::new("why", "retry")], 6)], 7);
    SpanData {
        span_context: span_context(false),
        parent_span_id: 8_u64.into(),
        parent_span_is_remote: true,
        span_kind: SpanKind::Server,
        name: "chat planner".into(),
        start_time: at(1_700_000_000),
        end_time: at(1_700_000_001),
        attributes,
        dropped_attributes_count: 300,
        events,
        links,
        status: Status::error("HTTP 503"),
        instrumentation_scope: scope,
    }
}

/// A span that has nothing in most fields.
fn empty_span(kind: SpanKind, status: Status) -> SpanData {
    SpanData {
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: kind,
        name: "".into(),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH - Duration::from_secs(1),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        ..full_span(InstrumentationScope::default())
    }
}

/// What OpenTelemetry's own crates make of the same spans.
fn expected(spans: &[SpanData], resource: &Resource) -> ExportTraceServiceRequest {
    let resource = ResourceAttributesWithSchema::from(resource);
    let resource_spans = group_spans_by_resource_and_scope(spans.to_vec(), &resource);
    ExportTraceServiceRequest { resource_spans }
}

#[test]
fn spans_are_what_opentelemetrys_own_crates_make_of_them() {
    let scope = InstrumentationScope::builder("a")
        .with_version("1")
        .with_schema_url("https://a")
        .with_attributes([KeyValue::new("of", "a")])
        .build();
    let spans = [
        full_span(scope.clone()),
        empty_span(SpanKind::Internal, Status::Unset),
        empty_span(SpanKind::Client, Status::Ok),
        empty_span(SpanKind::Producer, Status::error("")),
        empty_span(SpanKind::Consumer, Status::Unset),
        full_span(scope),
    ];
    let resource = Resource::builder_empty()
        .with_schema_url([KeyValue::new("service.name", "switchboard")], "https://schema")
        .build();
    for spans in [&spans[..], &spans[..1], &[]] {
        let decoded = ExportTraceServiceRequest::decode(&*export_request(spans, &resource)).unwrap();
        assert_eq!(decoded, expected(spans, &resource));
    }
}

#[test]
fn a_partial_success_is_seen() {
    let response = |rejected_spans, error_message: &str| {
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: error_message.to_owned() };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    };
    assert!(refuses_spans(&response(1, "")));
    assert!(refuses_spans(&response(0, "deprecated")));
    assert!(!refuses_spans(&response(0, "")));
    assert!(!refuses_spans(b""));
    assert!(!refuses_spans(b"{\"partialSuccess\":{}}"));
}
