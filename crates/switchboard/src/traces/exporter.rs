//! Sends spans to a collector: OTLP over HTTP, as protobuf.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use percent_encoding::percent_decode_str;
use providers::{HttpService, HttpServiceError, HttpServiceResponse};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use url::Url;

use super::otlp;

/// For a batch with all its attempts, unless a variable says otherwise
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A batch is sent this often, at most.
const MAX_ATTEMPTS: u32 = 4;

/// Before the second attempt; each later pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Sends batches of spans to a collector.
#[derive(Debug)]
pub(super) struct OtlpExporter {
    collector: Arc<Collector>,
    /// Batches come from a thread without one.
    runtime: Handle,
    resource: Resource,
}

#[derive(Debug)]
struct Collector {
    service: HttpService,
    url: Url,
    /// All of them are secrets to `Debug`.
    headers: HeaderMap,
    limit: Duration,
}

/// Why a batch was lost.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the collector answered HTTP {}", .0.as_u16())]
    Status(StatusCode),
    #[error("the collector {0}")]
    Service(#[from] HttpServiceError),
    #[error("the collector took none in time")]
    Timeout,
}

impl OtlpExporter {
    /// An exporter to this URL. `variable` reads the process's environment. Must be called in a runtime.
    pub(super) fn new(endpoint: &str, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let mut url = Url::parse(endpoint).context("it is no URL")?;
        let of_traces = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
                .filter(|value| !value.is_empty())
        };
        anyhow::ensure!(
            of_traces("COMPRESSION").is_none_or(|compression| compression == "none"),
            "OTEL_EXPORTER_OTLP_COMPRESSION must be none"
        );
        let limit = of_traces("TIMEOUT").and_then(|milliseconds| milliseconds.parse().ok());
        let limit = limit.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
            (USER_AGENT, HeaderValue::from_static(concat!("switchboard/", env!("CARGO_PKG_VERSION")))),
        ]);
        headers.extend(take_credentials(&mut url).map(|value| (AUTHORIZATION, value)));
        headers.extend(of_traces("HEADERS").iter().flat_map(|list| list.split(',')).filter_map(parse_header));
        for value in headers.values_mut() {
            value.set_sensitive(true);
        }
        let service = HttpService::remote(&url, limit)?;
        Ok(Self {
            collector: Arc::new(Collector { service, url, headers, limit }),
            runtime: Handle::current(),
            resource: Resource::builder_empty().build(),
        })
    }
}

impl SpanExporter for OtlpExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let body = Bytes::from(otlp::export_request(&batch, &self.resource));
        let collector = Arc::clone(&self.collector);
        match self.runtime.spawn(async move { collector.send(body).await }).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(OTelSdkError::InternalFailure(error.to_string())),
            Err(_) => Err(OTelSdkError::AlreadyShutdown),
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.clone();
    }
}

impl Collector {
    async fn send(&self, body: Bytes) -> Result<(), ExportError> {
        timeout(self.limit, self.send_in_attempts(body)).await.map_err(|_| ExportError::Timeout)?
    }

    async fn send_in_attempts(&self, body: Bytes) -> Result<(), ExportError> {
        let mut pause = FIRST_PAUSE;
        let mut attempts = 1;
        loop {
            let result = self.service.send(Method::POST, &self.url, self.headers.clone(), body.clone()).await;
            let (error, asked) = match result {
                Ok(response) if response.status.is_success() => {
                    if otlp::refuses_spans(&response.body) {
                        tracing::warn!("the collector refused some spans");
                    }
                    return Ok(());
                }
                Ok(response) if !is_temporary(response.status) => {
                    return Err(ExportError::Status(response.status));
                }
                Ok(response) => (ExportError::Status(response.status), retry_after(&response)),
                Err(error) => (error.into(), None),
            };
            if attempts == MAX_ATTEMPTS {
                return Err(error);
            }
            sleep(asked.unwrap_or_default().max(pause)).await;
            pause *= 2;
            attempts += 1;
        }
    }
}

/// The statuses after which OTLP asks to try again.
const fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(response: &HttpServiceResponse) -> Option<Duration> {
    let seconds = response.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// One of `OTEL_EXPORTER_OTLP_HEADERS`: `name=value`, with the value percent-encoded. What cannot be a header is left out.
fn parse_header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    Some((name.trim().parse().ok()?, HeaderValue::from_str(value.trim()).ok()?))
}

/// The user and password of a URL, as they are sent.
fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut plain: Vec<u8> = percent_decode_str(url.username()).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(url.password().unwrap_or_default()));
    // Fails for a URL that cannot have any.
    _ = url.set_username("");
    _ = url.set_password(None);
    HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(plain))).ok()
}

#[cfg(test)]
mod tests;
