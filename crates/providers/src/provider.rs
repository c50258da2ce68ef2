//! One account with a provider, ready to be called.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use dialects::response::{self, InvalidBody};
use dialects::{Dialect, Endpoint};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use url::Url;

use crate::deadline::Deadline;
use crate::headers::forwarded_request_headers;
use crate::{
    CompleteResponse, EventStream, FailureClass, ProviderConfig, ProviderError, ProviderErrorKind,
    ProviderKind, ProviderResponse, TimeoutKind, Timeouts, classify, client,
};

/// The version of Anthropic's API that is asked for where the caller does not say.
const ANTHROPIC_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// One account with a provider, with its connections. Make one and share it.
#[derive(Debug)]
pub struct Provider {
    name: String,
    kind: ProviderKind,
    client: Client,
    /// What is served, and where; none for a kind whose dialect is not spoken yet.
    target: Option<(Endpoint, Url)>,
    key: Option<(HeaderName, HeaderValue)>,
}

/// Why a provider cannot be called at all. Each is the configuration's fault.
#[derive(Debug, thiserror::Error)]
pub enum ProviderConfigError {
    /// The key cannot be sent.
    #[error(
        "the api_key of provider {provider} has characters that no HTTP header can carry: look for line breaks"
    )]
    Key {
        /// The provider's name.
        provider: String,
    },
    /// The base URL is none.
    #[error("the base_url of provider {provider} must begin with http:// or https:// and a host")]
    BaseUrl {
        /// The provider's name.
        provider: String,
    },
    /// The HTTP client cannot be set up: no TLS, a broken proxy variable.
    #[error("no HTTP client for provider {provider}: look at HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE")]
    Client {
        /// The provider's name.
        provider: String,
        /// What reqwest says.
        source: reqwest::Error,
    },
}

/// A call to a provider.
#[derive(Clone, Copy)]
pub struct ProviderRequest<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// The model, by the name that this provider knows it by.
    pub model: &'a str,
    /// The body to send, with the model's name as this provider knows it.
    pub body: &'a Bytes,
    /// Whether the body asks for a stream.
    pub stream: bool,
    /// The caller's headers; those that are meant for a provider go on.
    pub headers: &'a HeaderMap,
    /// The limits. `connect` was given to [`Provider::new`], and `total` is for a caller's whole request, so neither is
    /// looked at here.
    pub timeouts: &'a Timeouts,
}

/// Without body and headers, since they hold prompts and keys.
impl fmt::Debug for ProviderRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("endpoint", &self.endpoint)
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Makes it ready, with `connect` as the limit for making a connection. Connects to nothing yet.
    ///
    /// # Errors
    /// When it could never be called with this configuration.
    pub fn new(config: ProviderConfig, connect: Duration) -> Result<Self, ProviderConfigError> {
        let target = target(&config)?;
        let key = key_header(&config)?;
        let client = client::build(&config.base_url, connect)
            .map_err(|source| ProviderConfigError::Client { provider: config.name.clone(), source })?;
        Ok(Self { name: config.name, kind: config.kind, client, target, key })
    }

    /// The name before the colon of a model key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose API it speaks.
    #[must_use]
    pub const fn kind(&self) -> ProviderKind {
        self.kind
    }

    /// The dialect it speaks; `None`: one that is not spoken here yet.
    #[must_use]
    pub const fn dialect(&self) -> Option<Dialect> {
        self.kind.dialect()
    }

    /// The host and port it is at; `None` for a kind that cannot be called yet.
    #[must_use]
    pub fn address(&self) -> Option<(&str, Option<u16>)> {
        let (_, url) = self.target.as_ref()?;
        Some((url.host_str()?, url.port_or_known_default()))
    }

    /// Makes one call. Dropping it stops the call.
    ///
    /// # Errors
    /// When no good answer came; [`Fault::blame`] says whose fault that is.
    pub async fn call(&self, call: ProviderRequest<'_>) -> Result<ProviderResponse, ProviderError> {
        let start = Instant::now();
        let limits = call.timeouts;
        let deadline = if call.stream {
            let first_byte = Deadline::new(start, limits.first_byte, TimeoutKind::FirstByte);
            first_byte.earlier(Deadline::new(start, limits.first_token, TimeoutKind::FirstContent))
        } else {
            Deadline::new(start, limits.response, TimeoutKind::Response)
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
                *limits,
            )));
        }
        let mut response = deadline.timeout(CompleteResponse::read(response)).await??;
        match response::check(call.endpoint.dialect(), &response.body) {
            Err(InvalidBody::ErrorObject(error)) => Err(classify::from_error_in_body(error, response)),
            Ok((usage, meta)) if !call.stream => {
                (response.usage, response.meta) = (usage, meta);
                Ok(ProviderResponse::Complete(response))
            }
            // A plain answer is not what a caller that asked for a stream can read.
            Ok(_) | Err(InvalidBody::UnexpectedShape) => {
                Err(ProviderError::provider_failure(ProviderErrorKind::Invalid))
            }
        }
    }

    /// Sends the request and waits for the answer's head.
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

    fn headers(&self, callers: &HeaderMap) -> HeaderMap {
        let mut headers = forwarded_request_headers(callers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.kind == ProviderKind::Anthropic {
            let (name, version) = ANTHROPIC_VERSION;
            headers.entry(name).or_insert(version);
        }
        if let Some((name, value)) = &self.key {
            headers.insert(name, value.clone());
        }
        headers
    }
}

/// An answer that is no success: with its body, if that comes in time.
async fn read_error_response(response: Response, model: &str, deadline: Deadline) -> ProviderError {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    match deadline.timeout(CompleteResponse::read(response)).await {
        Ok(Ok(response)) => classify::from_response(response, model),
        Ok(Err(_)) | Err(_) => classify::from_status(status, &headers),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENT_STREAM: &str = "text/event-stream";
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.get(..EVENT_STREAM.len()).is_some_and(|start| start.eq_ignore_ascii_case(EVENT_STREAM))
}

/// What a provider serves, and where; `None`: its dialect is not spoken yet.
fn target(config: &ProviderConfig) -> Result<Option<(Endpoint, Url)>, ProviderConfigError> {
    let invalid = || ProviderConfigError::BaseUrl { provider: config.name.clone() };
    if !matches!(config.base_url.scheme(), "http" | "https") {
        return Err(invalid());
    }
    let (endpoint, path) = match config.kind.dialect() {
        Some(Dialect::OpenAiChat) => (Endpoint::ChatCompletions, ["chat", "completions"]),
        Some(Dialect::Anthropic) => (Endpoint::Messages, ["v1", "messages"]),
        None => return Ok(None),
    };
    let mut url = config.base_url.clone();
    url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(path);
    Ok(Some((endpoint, url)))
}

/// The header that carries the key, if there is a key.
fn key_header(config: &ProviderConfig) -> Result<Option<(HeaderName, HeaderValue)>, ProviderConfigError> {
    let Some(key) = &config.api_key else { return Ok(None) };
    let key = key.expose_secret();
    let (name, value) = match config.kind {
        ProviderKind::OpenAi | ProviderKind::Bedrock => {
            (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")))
        }
        ProviderKind::Anthropic => (HeaderName::from_static("x-api-key"), HeaderValue::try_from(key)),
        ProviderKind::GoogleGenAi => (HeaderName::from_static("x-goog-api-key"), HeaderValue::try_from(key)),
    };
    let mut value = value.map_err(|_| ProviderConfigError::Key { provider: config.name.clone() })?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}
