//! Traces as a collector gets them from the real binary.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::json;
use simulator::{Behaviour, Simulator};

use crate::{
    collector::{Collector, attribute_text},
    support::{ConfigFile, Instance, TRIPS_AT_ONCE},
};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN_ID: &str = "00f067aa0ba902b7";
const PROMPT: &str = "the secret prompt";

fn config() -> ConfigFile {
    ConfigFile::new(&format!(
        "{TRIPS_AT_ONCE}[routes.planner]\nmodels = ['openai:bad', 'openai:good']\n\
         [models.'openai:bad'.breaker]\nfailure_threshold = 1\nburst_threshold = 1\n"
    ))
}

async fn send_chat(instance: &Instance, model: &str, stream: bool) -> reqwest::Response {
    let body = json!({"model": model, "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": PROMPT}]});
    instance
        .client
        .post(format!("{}/v1/chat/completions", instance.url))
        .header("traceparent", format!("00-{TRACE_ID}-{CALLER_SPAN_ID}-01"))
        .json(&body)
        .send()
        .await
        .unwrap()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    attribute_text(&span.attributes, name)
}

fn assert_attributes(span: &Span, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(attribute(span, name).as_deref(), Some(*value), "{name}: {span:#?}");
    }
}

/// The `traceparent` that a model's first call came with.
fn traceparent(simulator: &Simulator, model: &str) -> String {
    let seen = simulator.traffic();
    let received = seen.received_for(model).next().expect("a call");
    received.headers["traceparent"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_call_and_its_attempts_are_spans_of_the_callers_trace() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("bad", Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    let collector = Collector::start().await;
    let config = config();
    let mut instance = Instance::start_with(
        None,
        &simulator,
        &[
            ("SWITCHBOARD_CONFIG", config.path()),
            ("REDIS_URL", "memory:"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ],
    )
    .await;
    assert_eq!(send_chat(&instance, "planner", false).await.status(), 200);

    let call = collector.wait_for_span("the call's span", |span| span.name == "chat planner").await;
    assert_eq!(
        (hex(&call.trace_id), hex(&call.parent_span_id)),
        (TRACE_ID.to_owned(), CALLER_SPAN_ID.to_owned())
    );
    assert_eq!(call.kind, SpanKind::Server as i32);
    assert_attributes(
        &call,
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.request.model", "planner"),
            ("gen_ai.request.stream", "false"),
            ("gen_ai.response.model", "good"),
            ("http.route", "/v1/chat/completions"),
            ("switchboard.answered_by", "openai:good"),
            ("switchboard.attempts", "2"),
            ("switchboard.outcome", "answered"),
        ],
    );
    let tokens = attribute(&call, "gen_ai.usage.output_tokens").expect("what it cost");

    let failed = collector.wait_for_span("the failed attempt", |span| span.name == "chat bad").await;
    let good = collector.wait_for_span("the good attempt", |span| span.name == "chat good").await;
    for attempt in [&failed, &good] {
        assert_eq!(hex(&attempt.trace_id), TRACE_ID);
        assert_eq!(attempt.parent_span_id, call.span_id, "an attempt is a part of its call");
        assert_eq!(attempt.kind, SpanKind::Client as i32);
        assert!(attempt.start_time_unix_nano >= call.start_time_unix_nano);
        assert!(attempt.end_time_unix_nano <= call.end_time_unix_nano);
        let port =
            simulator.openai_base_url().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
        assert_attributes(
            attempt,
            &[("gen_ai.provider.name", "openai"), ("server.address", "127.0.0.1"), ("server.port", &port)],
        );
    }
    assert_attributes(
        &failed,
        &[("gen_ai.request.model", "bad"), ("error.type", "status"), ("http.response.status_code", "503")],
    );
    assert_eq!(failed.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32));
    let id = attribute(&call, "gen_ai.response.id").expect("the answer's id");
    assert_attributes(
        &good,
        &[
            ("gen_ai.request.model", "good"),
            ("gen_ai.response.id", &id),
            ("gen_ai.response.model", "good"),
            ("gen_ai.usage.output_tokens", &tokens),
        ],
    );
    assert_eq!(attribute(&failed, "gen_ai.response.model"), None);
    assert_eq!(attribute(&good, "error.type"), None);

    // Each provider sees the attempt that called it, in the caller's trace.
    for (model, attempt) in [("bad", &failed), ("good", &good)] {
        assert_eq!(traceparent(&simulator, model), format!("00-{TRACE_ID}-{}-01", hex(&attempt.span_id)));
    }

    let opened = collector.wait_for_span("the transition", |span| span.name == "circuit_transition").await;
    assert_attributes(
        &opened,
        &[
            ("switchboard.circuit", "openai:bad"),
            ("switchboard.to", "OPEN"),
            ("switchboard.reason", "status"),
        ],
    );
    let event = &opened.events[0];
    assert_eq!(event.name, "circuit opened");
    assert!(
        attribute_text(&event.attributes, "reason").is_some_and(|reason| reason.contains("503")),
        "{event:?}"
    );

    // What was not sent yet is sent at the end.
    send_chat(&instance, "openai:good", true).await.text().await.unwrap();
    instance.program.signal("INT");
    assert_eq!(instance.program.wait_for_exit().await, Some(0));
    let stream = collector.wait_for_span("the stream's span", |span| span.name == "chat openai:good").await;
    assert_attributes(
        &stream,
        &[
            ("gen_ai.request.stream", "true"),
            ("gen_ai.response.model", "good"),
            ("switchboard.outcome", "answered"),
        ],
    );
    assert!(attribute(&stream, "gen_ai.response.time_to_first_chunk").is_some());
    assert!(collector.services().iter().all(|service| service == "switchboard"));
    for secret in [PROMPT, "openai-key"] {
        assert!(!collector.contains(secret), "{secret:?} is in a span");
    }
}

#[tokio::test]
async fn without_a_collector_the_callers_trace_goes_on_as_it_came() {
    for off in
        [&[][..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_SDK_DISABLED", "true")]]
    {
        let simulator = Simulator::start().await.unwrap();
        let variables = [&[("REDIS_URL", "memory:")][..], off].concat();
        let instance = Instance::start_with(None, &simulator, &variables).await;
        assert_eq!(send_chat(&instance, "openai:good", false).await.status(), 200);
        assert_eq!(traceparent(&simulator, "good"), format!("00-{TRACE_ID}-{CALLER_SPAN_ID}-01"));
    }
}

#[tokio::test]
async fn the_log_for_machines_has_a_line_a_call_and_a_line_a_transition() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("bad", Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    let (config, collector) = (config(), Collector::start().await);
    for traced in [false, true] {
        let mut variables = vec![
            ("SWITCHBOARD_CONFIG", config.path()),
            ("REDIS_URL", "memory:"),
            ("SWITCHBOARD_LOG_FORMAT", "json"),
        ];
        if traced {
            variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url));
        }
        let instance = Instance::start_with_json_log(&simulator, &variables).await;
        assert_eq!(send_chat(&instance, "planner", false).await.status(), 200);
        instance.program.wait_for_line("\"circuit opened\"").await;
        instance.program.wait_for_line("\"call\"").await;
        let lines = instance.program.lines();
        assert!(!lines.concat().contains(PROMPT));
        let lines: Vec<serde_json::Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect();
        let log_line = |message: &str| {
            let found: Vec<_> = lines.iter().filter(|line| line["fields"]["message"] == message).collect();
            assert_eq!(found.len(), 1, "{message}: {lines:?}");
            &found[0]["fields"]
        };
        assert_eq!(
            (&log_line("call")["outcome"], &log_line("call")["attempts"]),
            (&json!("answered"), &json!(2))
        );
        assert_eq!(
            (&log_line("circuit opened")["circuit"], &log_line("circuit opened")["to"]),
            (&json!("openai:bad"), &json!("OPEN"))
        );
    }
}
