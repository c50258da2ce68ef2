//! Spans of a trace: one for a call, with a child for each attempt, named by OpenTelemetry's conventions for generative
//! AI.
//!
//! They are spans of `tracing` with a target and a level that no log enables: without a collector of traces they cost one
//! load. The program turns them into spans of OpenTelemetry and provides a [`TracePropagator`].

use std::fmt;

use breaker::{CallerName, ModelKey};
use circuits::TRACE_TARGET;
use dialects::{Endpoint, OpenAiCall, ResponseMeta, Usage};
use http::HeaderMap;
use providers::{Provider, ProviderError, ProviderKind};
use tracing::{Span, field::Empty, trace_span};

use crate::{
    Call,
    outcome::{ANSWERED, CANCELLED, CLIENT_DISCONNECTED},
};

/// The operation of a call, by the conventions.
fn operation(endpoint: Endpoint) -> &'static str {
    endpoint.openai_call().map_or("chat", OpenAiCall::operation)
}

/// Propagates a trace from a caller to a provider.
pub trait TracePropagator: fmt::Debug + Send + Sync + 'static {
    /// Makes the span a child of the caller's span in these headers.
    fn extract(&self, span: &Span, caller_headers: &HeaderMap);

    /// The caller's headers, with this span in place of the caller's.
    fn inject(&self, span: &Span, caller_headers: &HeaderMap) -> HeaderMap;
}

/// A span with the fields that calls and attempts share, and its own. Most are empty until it ends.
macro_rules! span {
    ($name:literal, parent: $parent:expr, kind: $kind:literal, operation: $operation:expr, model: $model:expr, $($own:tt)*) => {{
        let operation = $operation;
        let span = trace_span!(
            target: TRACE_TARGET,
            parent: $parent,
            $name,
            otel.name = Empty,
            otel.kind = $kind,
            otel.status_code = Empty,
            error.type = Empty,
            gen_ai.operation.name = operation,
            gen_ai.request.model = $model,
            gen_ai.response.id = Empty,
            gen_ai.response.model = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            switchboard.outcome = Empty,
            $($own)*
        );
        if !span.is_disabled() {
            span.record("otel.name", format!("{operation} {}", $model));
        }
        span
    }};
}

/// A call starts.
pub(crate) fn call(call: &Call, requested: &str, propagator: Option<&dyn TracePropagator>) -> Span {
    let span = span!(
        "call",
        parent: None,
        kind: "server",
        operation: operation(call.request.endpoint()),
        model: requested,
        gen_ai.request.stream = call.request.stream(),
        gen_ai.response.time_to_first_chunk = Empty,
        http.route = call.request.endpoint().path(),
        switchboard.request = &*call.id,
        switchboard.caller = call.caller.as_ref().map(CallerName::as_str),
        switchboard.answered_by = Empty,
        switchboard.attempts = Empty,
        switchboard.translated = Empty,
        switchboard.dropped = Empty,
    );
    if let Some(propagator) = propagator.filter(|_| !span.is_disabled()) {
        propagator.extract(&span, &call.headers);
    }
    span
}

/// An attempt of a call starts.
pub(crate) fn attempt(
    parent: &Span,
    endpoint: Endpoint,
    key: &ModelKey,
    provider: &Provider,
    probe: bool,
) -> Span {
    let span = span!(
        "attempt",
        parent: parent,
        kind: "client",
        operation: operation(endpoint),
        model: key.model(),
        gen_ai.provider.name = provider_name(provider),
        http.response.status_code = Empty,
        server.address = Empty,
        server.port = Empty,
        switchboard.circuit = key.as_str(),
        switchboard.probe = probe,
    );
    if let Some((host, port)) = provider.address().filter(|_| !span.is_disabled()) {
        span.record("server.address", host);
        span.record("server.port", port);
    }
    span
}

/// Records the outcome of a call or an attempt. Rejections and failures are errors; a client that disconnects is none.
pub(crate) fn record_outcome(span: &Span, outcome: &'static str) {
    if span.is_disabled() {
        return;
    }
    span.record("switchboard.outcome", outcome);
    if !matches!(outcome, ANSWERED | CLIENT_DISCONNECTED | CANCELLED) {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", outcome);
    }
}

/// Records the id and model that a response reports.
pub(crate) fn record_response_meta(span: &Span, meta: &ResponseMeta) {
    if let Some(id) = &meta.id {
        span.record("gen_ai.response.id", &**id);
    }
    if let Some(model) = &meta.model {
        span.record("gen_ai.response.model", &**model);
    }
}

/// Records the tokens of a complete response.
pub(crate) fn record_usage(span: &Span, usage: Usage) {
    if let Some(tokens) = usage.input {
        span.record("gen_ai.usage.input_tokens", tokens);
    }
    if let Some(tokens) = usage.output {
        span.record("gen_ai.usage.output_tokens", tokens);
    }
}

/// Records the status of an attempt's error, never its message.
pub(crate) fn record_error_status(span: &Span, error: &ProviderError) {
    if let Some(status) = error.status {
        span.record("http.response.status_code", status);
    }
}

/// The convention's names, where it has one; else the name by which the vendor is configured.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>
fn provider_name(provider: &Provider) -> &'static str {
    match (provider.kind(), provider.vendor().map(|vendor| vendor.name)) {
        (_, Some("mistral")) => "mistral_ai",
        (_, Some("xai")) => "x_ai",
        (_, Some("moonshot")) => "moonshot_ai",
        (_, Some(vendor)) => vendor,
        (ProviderKind::OpenAi, None) => "openai",
        (ProviderKind::Anthropic, None) => "anthropic",
        (ProviderKind::GoogleGenAi, None) => "gcp.gemini",
        (ProviderKind::Bedrock, None) => "aws.bedrock",
        (ProviderKind::Azure, None) => "azure.ai.openai",
        (ProviderKind::Vertex, None) => "gcp.vertex_ai",
    }
}
