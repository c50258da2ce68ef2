//! One account with a provider, ready for requests.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use dialects::response::{self, InvalidBody};
use dialects::{Dialect, Endpoint};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use url::Url;

use crate::body::read_complete;
use crate::config::{ProviderConfig, Timeouts};
use crate::deadline::Deadline;
use crate::error::{FailureClass, ProviderError, ProviderErrorKind, TimeoutKind};
use crate::headers::forwarded_request_headers;
use crate::kind::ProviderKind;
use crate::response::CompleteResponse;
use crate::stream::EventStream;
use crate::{classify, client};

/// One account with a provider, with its connections. Create one and share it.
#[derive(Debug)]
pub struct Provider {
    name: String,
    kind: ProviderKind,
    client: Client,
    /// What it serves, and where; `None`: its API format is not supported yet.
    target: Option<(Endpoint, Url)>,
    key: Option<(HeaderName, HeaderValue)>,
}

/// Why a provider can never be called. The configuration has to change.
#[derive(Debug, thiserror::Error)]
pub enum ProviderConfigError {
    /// The API key cannot be sent.
    #[error(
        "the api_key of provider {provider} has characters that are invalid in an HTTP header: check it for line breaks"
    )]
    Key {
        /// The provider's name.
        provider: String,
    },
    /// The base URL is invalid.
    #[error("the base_url of provider {provider} must begin with http:// or https:// and a host")]
    BaseUrl {
        /// The provider's name.
        provider: String,
    },
    /// The HTTP client cannot be created: no TLS, an invalid proxy variable.
    #[error("no HTTP client for provider {provider}: check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE")]
    Client {
        /// The provider's name.
        provider: String,
        /// The error of reqwest.
        source: reqwest::Error,
    },
}

/// A request to a provider.
#[derive(Clone, Copy)]
pub struct ProviderRequest<'a> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The model, by this provider's name.
    pub model: &'a str,
    /// The body to send, with this provider's name of the model.
    pub body: &'a Bytes,
    /// Whether the body requests a stream.
    pub stream: bool,
    /// The caller's headers; only those for a provider are forwarded.
    pub headers: &'a HeaderMap,
    /// The timeouts. Two of them do not apply here: `connect` was given to [`Provider::new`], and `total` limits all of a
    /// caller's call.
    pub timeouts: &'a Timeouts,
}

/// Without body and headers: they hold prompts and keys.
impl fmt::Debug for ProviderRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderRequest")
            .field("endpoint", &self.endpoint)
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A provider's response.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once a call; a box would be one more allocation")]
pub enum ProviderResponse {
    /// In one piece.
    Complete(CompleteResponse),
    /// Event by event.
    Streaming(EventStream),
}

impl Provider {
    /// Prepares it, with `connect` as the timeout for making a connection. It does not connect yet.
    ///
    /// # Errors
    /// When no request is possible with this configuration.
    pub fn new(config: ProviderConfig, connect: Duration) -> Result<Self, ProviderConfigError> {
        let target = target(&config)?;
        let key = key_header(&config)?;
        let client = client::build(&config.base_url, connect)
            .map_err(|source| ProviderConfigError::Client { provider: config.name.clone(), source })?;
        Ok(Self { name: config.name, kind: config.kind, client, target, key })
    }

    /// The part of a model key before the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose API it has.
    #[must_use]
    pub const fn kind(&self) -> ProviderKind {
        self.kind
    }

    /// Its API format; `None`: not supported yet.
    #[must_use]
    pub const fn dialect(&self) -> Option<Dialect> {
        self.kind.dialect()
    }

    /// The endpoint that it serves; `None`: its API format is not supported yet.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.target.as_ref().map(|(endpoint, _)| *endpoint)
    }

    /// Its host and port; `None`: its kind is not supported yet.
    #[must_use]
    pub fn address(&self) -> Option<(&str, Option<u16>)> {
        let (_, url) = self.target.as_ref()?;
        Some((url.host_str()?, url.port_or_known_default()))
    }

    /// Makes one request. Dropping the future cancels it.
    ///
    /// # Errors
    /// When it fails; [`ProviderError::class`] says who is responsible.
    pub async fn call(&self, call: ProviderRequest<'_>) -> Result<ProviderResponse, ProviderError> {
        let start = Instant::now();
        let timeouts = call.timeouts;
        let deadline = if call.stream {
            let first_byte = Deadline::new(start, timeouts.first_byte, TimeoutKind::FirstByte);
            first_byte.earlier(Deadline::new(start, timeouts.first_token, TimeoutKind::FirstToken))
        } else {
            Deadline::new(start, timeouts.response, TimeoutKind::Response)
        };
        let response = deadline.timeout(self.send(call)).await??;
        if !response.status().is_success() {
            return Err(read_error_response(response, call.model, deadline).await);
        }
        if call.stream && is_event_stream(response.headers()) {
            return Ok(ProviderResponse::Streaming(EventStream::new(
                response,
                call.endpoint.dialect(),
                start,
                *timeouts,
            )));
        }
        let mut response = deadline.timeout(read_complete(response)).await??;
        match response::check(call.endpoint.dialect(), &response.body) {
            Err(InvalidBody::ErrorObject(error)) => Err(classify::from_error_in_body(error, response)),
            Ok((usage, meta)) if !call.stream => {
                (response.usage, response.meta) = (usage, meta);
                Ok(ProviderResponse::Complete(response))
            }
            // A caller that requested a stream cannot read anything else.
            Ok(_) | Err(InvalidBody::UnexpectedShape) => {
                Err(ProviderError::provider_failure(ProviderErrorKind::Invalid))
            }
        }
    }

    /// Sends the request and waits for the head of the response.
    async fn send(&self, call: ProviderRequest<'_>) -> Result<Response, ProviderError> {
        let url = match &self.target {
            Some((endpoint, url)) if *endpoint == call.endpoint => url.clone(),
            _ => {
                return Err(ProviderError {
                    class: FailureClass::InvalidRequest,
                    ..ProviderError::provider_failure(ProviderErrorKind::UnsupportedEndpoint)
                });
            }
        };
        let sent = self.client.post(url).headers(self.headers(call.headers)).body(call.body.clone()).send();
        sent.await.map_err(|error| {
            let kind =
                if error.is_connect() { ProviderErrorKind::Connection } else { ProviderErrorKind::Truncated };
            ProviderError::provider_failure(kind)
        })
    }

    fn headers(&self, caller_headers: &HeaderMap) -> HeaderMap {
        let mut headers = forwarded_request_headers(caller_headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.kind.add_required_headers(&mut headers);
        if let Some((name, value)) = &self.key {
            headers.insert(name, value.clone());
        }
        headers
    }
}

/// A response with a status other than 2xx, with its body if that arrives in time.
async fn read_error_response(response: Response, model: &str, deadline: Deadline) -> ProviderError {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    match deadline.timeout(read_complete(response)).await {
        Ok(Ok(response)) => classify::from_response(response, model),
        Ok(Err(_)) | Err(_) => classify::from_status(status, &headers),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENT_STREAM: &str = "text/event-stream";
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.get(..EVENT_STREAM.len()).is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
}

/// What a provider serves, and where; `None`: its API format is not supported yet.
fn target(config: &ProviderConfig) -> Result<Option<(Endpoint, Url)>, ProviderConfigError> {
    let invalid = || ProviderConfigError::BaseUrl { provider: config.name.clone() };
    if !matches!(config.base_url.scheme(), "http" | "https") {
        return Err(invalid());
    }
    let Some((endpoint, path)) = config.kind.endpoint() else { return Ok(None) };
    let mut url = config.base_url.clone();
    url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(path);
    Ok(Some((endpoint, url)))
}

/// The header with the API key, if there is one.
fn key_header(config: &ProviderConfig) -> Result<Option<(HeaderName, HeaderValue)>, ProviderConfigError> {
    let Some(key) = &config.api_key else { return Ok(None) };
    let header = config.kind.key_header(key.expose_secret());
    Ok(Some(header.map_err(|_| ProviderConfigError::Key { provider: config.name.clone() })?))
}
