//! Traces over OTLP, if the standard variables name a collector.
//!
//! OpenTelemetry's other variables (headers, timeout, sampler, batches) are read from the process's environment and not from
//! `.env`; those of sampler and batches by its SDK.
//!
//! ```text
//! traces ──▶ exporter ──▶ otlp ──▶ protobuf
//!    └─────▶ headers
//! ```

mod exporter;
mod headers;
mod otlp;
mod protobuf;

use std::sync::Arc;

use anyhow::Context as _;
use http::HeaderMap;
use opentelemetry::{propagation::TextMapPropagator as _, trace::TracerProvider as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Span, level_filters::LevelFilter};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::config::{Environment, environment::names};
use exporter::OtlpExporter;
use headers::{HeaderExtractor, HeaderInjector};

/// The service name, unless `OTEL_SERVICE_NAME` is set.
const DEFAULT_SERVICE_NAME: &str = "switchboard";

/// The trace exporter.
#[derive(Debug, Clone)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the exporter, if a collector is configured. Batches are made by a thread of their own: an unreachable collector
    /// loses spans and delays no request. Must be called in a runtime, which sends them.
    ///
    /// # Errors
    /// When the address of the collector is invalid, or compression is asked for, which there is none of.
    pub fn start(environment: &Environment) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = traces_endpoint(environment) else { return Ok(None) };
        let exporter = OtlpExporter::new(&endpoint, |name| std::env::var(name).ok())
            .with_context(|| format!("cannot send traces to {endpoint}"))?;
        let name = environment.get(names::OTEL_SERVICE_NAME).unwrap_or(DEFAULT_SERVICE_NAME).to_owned();
        let resource = Resource::builder().with_service_name(name).build();
        Ok(Some(Self(
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build(),
        )))
    }

    /// The layer that exports the spans of [`circuits::TRACE_TARGET`], and transitions of circuits as events in them.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let spans = OpenTelemetryLayer::new(self.0.tracer(DEFAULT_SERVICE_NAME))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false);
        let wanted = Targets::new()
            .with_target(circuits::TRACE_TARGET, LevelFilter::TRACE)
            .with_target("circuits::writer", LevelFilter::INFO);
        spans.with_filter(wanted)
    }

    /// The propagator from callers to providers.
    pub(crate) fn propagator(&self) -> Arc<dyn manager::TracePropagator> {
        Arc::new(W3cPropagator(TraceContextPropagator::new()))
    }

    /// Sends the remaining spans.
    pub async fn shutdown(self) {
        let sent = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("could not send the last traces");
        }
    }
}

/// The URL of the collector, if there is one.
fn traces_endpoint(environment: &Environment) -> Option<String> {
    if environment.get(names::OTEL_DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let whole = environment.get(names::OTEL_TRACES_ENDPOINT).map(str::to_owned);
    whole.or_else(|| {
        let base = environment.get(names::OTEL_ENDPOINT)?;
        Some(format!("{}/v1/traces", base.trim_end_matches('/')))
    })
}

/// The trace that the headers of a caller belong to, as it is written for a provider.
pub(crate) fn forwarded_trace(callers: &HeaderMap) -> HeaderMap {
    let propagator = TraceContextPropagator::new();
    let mut headers = HeaderMap::new();
    propagator
        .inject_context(&propagator.extract(&HeaderExtractor(callers)), &mut HeaderInjector(&mut headers));
    headers
}

/// W3C trace context: `traceparent` and `tracestate`.
#[derive(Debug)]
struct W3cPropagator(TraceContextPropagator);

impl manager::TracePropagator for W3cPropagator {
    fn extract(&self, span: &Span, callers: &HeaderMap) {
        // Fails for a span that is not exported, which needs no parent.
        drop(span.set_parent(self.0.extract(&HeaderExtractor(callers))));
    }

    fn inject(&self, span: &Span, callers: &HeaderMap) -> HeaderMap {
        let mut headers = callers.clone();
        self.0.inject_context(&span.context(), &mut HeaderInjector(&mut headers));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_variables_configure_the_collector() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://d/x");
        let off = ("OTEL_SDK_DISABLED", "true");
        for (variables, expected) in [
            (&[][..], None),
            (&[base], Some("http://c:4318/v1/traces")),
            (&[base, whole], Some("http://d/x")),
            (&[base, whole, off], None),
        ] {
            let environment = Environment::from_pairs(variables.iter().copied());
            assert_eq!(traces_endpoint(&environment).as_deref(), expected, "{variables:?}");
        }
    }
}
