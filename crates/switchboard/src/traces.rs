//! Traces: over OTLP to the collector that the standard variables name, and none where they name none.
//!
//! What OpenTelemetry's own variables say beside those in [`names`] (headers, timeouts, the sampler, the batches) is read
//! by its SDK, from the process's environment and not from `.env`.

use std::sync::Arc;

use anyhow::Context as _;
use http::HeaderMap;
use opentelemetry::{propagation::TextMapPropagator as _, trace::TracerProvider as _};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Span, level_filters::LevelFilter};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::config::{Environment, environment::names};

/// The name of this service in a trace, unless `OTEL_SERVICE_NAME` says otherwise.
const DEFAULT_SERVICE_NAME: &str = "switchboard";

/// Where traces go.
#[derive(Debug, Clone)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to collect, if a collector is named. What is collected is sent from a thread of its own; a collector that
    /// does not answer loses spans and delays no call.
    ///
    /// # Errors
    /// When the collector's address is none.
    pub fn start(environment: &Environment) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = traces_endpoint(environment) else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&endpoint)
            .build()
            .with_context(|| format!("no traces can be sent to {endpoint}"))?;
        let name = environment.get(names::OTEL_SERVICE_NAME).unwrap_or(DEFAULT_SERVICE_NAME).to_owned();
        let resource = Resource::builder().with_service_name(name).build();
        Ok(Some(Self(
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build(),
        )))
    }

    /// What makes spans of [`circuits::TRACES`] spans of a trace, and circuits' changes events in them.
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

    /// What takes a trace over from callers and hands it on to providers.
    pub(crate) fn propagator(&self) -> Arc<dyn manager::TracePropagator> {
        Arc::new(W3cPropagator(TraceContextPropagator::new()))
    }

    /// Sends what is not sent yet.
    pub async fn shutdown(self) {
        let sent = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// The whole address; `None`: nobody collects.
fn traces_endpoint(environment: &Environment) -> Option<String> {
    if environment.get(names::OTEL_DISABLED).is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return None;
    }
    let whole = environment.get(names::OTEL_TRACES_ENDPOINT).map(str::to_owned);
    whole.or_else(|| {
        let base = environment.get(names::OTEL_ENDPOINT)?;
        Some(format!("{}/v1/traces", base.trim_end_matches('/')))
    })
}

/// W3C's `traceparent` and `tracestate`.
#[derive(Debug)]
struct W3cPropagator(TraceContextPropagator);

impl manager::TracePropagator for W3cPropagator {
    fn extract(&self, span: &Span, callers: &HeaderMap) {
        // Fails for a span that is not collected, which needs no parent.
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
    fn a_collector_is_named_by_the_standard_variables() {
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
