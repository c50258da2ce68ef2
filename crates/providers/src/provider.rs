//! One account with a provider, ready for requests.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use dialects::response::{self, InvalidBody};
use dialects::sse::begins_events;
use dialects::{Dialect, Endpoint};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use tokio::time::Instant;
use translate::{Target, Translation};
use url::Url;

use crate::body::{read_complete, read_first, read_rest};
use crate::client::{Client, ClientResponse, ConnectorError};
use crate::config::{ProviderConfig, Timeouts};
use crate::deadline::Deadline;
use crate::error::{FailureClass, ProviderError, ProviderErrorKind, TimeoutKind};
use crate::forward::ForwardedHeader;
use crate::headers::{forwarded_request_headers, translated_request_headers};
use crate::kind::ProviderKind;
use crate::response::CompleteResponse;
use crate::stream::{EventStream, Framing};
use crate::urls::{UriForm, Urls};
use crate::{classify, forward, redact, translated};

/// One account with a provider, with its connections. Create one and share it.
#[derive(Debug)]
pub struct Provider {
    name: String,
    kind: ProviderKind,
    client: Client,
    /// The API formats that it has, the preferred first.
    dialects: Vec<Dialect>,
    is_official: bool,
    asks_for_stream_usage: bool,
    urls: Urls,
    key: Option<(HeaderName, HeaderValue)>,
    /// Callers' headers that it gets besides the usual ones.
    forward: Vec<ForwardedHeader>,
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
    /// No connection can be made: a proxy variable that cannot be obeyed, authorities that cannot be read.
    #[error("provider {provider} cannot be called: {source}")]
    Client {
        /// The provider's name.
        provider: String,
        /// What is wrong.
        source: ConnectorError,
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
    /// The way back to the caller's API format, where that is another one.
    pub translation: Option<&'a Translation>,
    /// Whether the body requests a stream.
    pub stream: bool,
    /// Whether the body asks for the stream's tokens for the gateway alone: their chunk is not passed on.
    pub withhold_usage: bool,
    /// Whether the caller wants it as a JSON array (Gemini without `alt=sse`).
    pub json_array: bool,
    /// Whether the caller's URL says `?beta=true`, as Anthropic's SDKs do for what is in beta.
    pub beta: bool,
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
        let dialects = config.dialects();
        let key = key_header(&config)?;
        let (is_official, asks_for_stream_usage) = (config.is_official(), config.asks_for_stream_usage());
        if !matches!(config.base_url.scheme(), "http" | "https") || config.base_url.host().is_none() {
            return Err(ProviderConfigError::BaseUrl { provider: config.name });
        }
        let client = Client::new(&config.base_url, config.ca_file.as_deref(), connect)
            .map_err(|source| ProviderConfigError::Client { provider: config.name.clone(), source })?;
        let form = if client.needs_absolute_uri() { UriForm::Absolute } else { UriForm::Path };
        let urls = Urls::new(&config.base_url, &dialects, form)
            .ok_or_else(|| ProviderConfigError::BaseUrl { provider: config.name.clone() })?;
        let forward = config.forward;
        Ok(Self {
            name: config.name,
            kind: config.kind,
            client,
            dialects,
            is_official,
            asks_for_stream_usage,
            urls,
            key,
            forward,
        })
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

    /// The API formats that it has, the preferred first (T2).
    #[must_use]
    pub fn dialects(&self) -> &[Dialect] {
        &self.dialects
    }

    /// One of its models as the target of a translation.
    #[must_use]
    pub fn target<'a>(&'a self, dialect: Dialect, model: &'a str) -> Target<'a> {
        Target { dialect, provider: &self.name, model, is_official: self.is_official }
    }

    /// Its host and port.
    #[must_use]
    pub fn address(&self) -> Option<(&str, Option<u16>)> {
        self.urls.address()
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
        let mut response = deadline.timeout(self.send(call)).await??;
        if !response.status.is_success() {
            let error = self.without_key(read_error_response(response, call.model, deadline).await);
            return Err(translated::error(error, call.translation));
        }
        let dialect = call.endpoint.dialect();
        let mut first = None;
        // Some servers name no type for a stream, or that of a plain answer: its first bytes tell.
        if call.stream && !is_event_stream(&response.headers) {
            first = deadline.timeout(read_first(&mut response.body)).await??;
        }
        if call.stream && (is_event_stream(&response.headers) || first.as_deref().is_some_and(begins_events))
        {
            let framing = match call {
                ProviderRequest { json_array: true, .. } => Framing::JsonArray { is_first: true },
                ProviderRequest { withhold_usage: true, .. } => Framing::SseWithoutUsage,
                _ => Framing::Sse,
            };
            let key = self.key_value().cloned();
            let stream =
                EventStream::new(response, dialect, start, *timeouts, call.translation, framing, key);
            return Ok(ProviderResponse::Streaming(stream.beginning_with(first)));
        }
        let mut response = deadline.timeout(read_rest(first, response)).await??;
        // A count of tokens is an object of its own, in which nothing is looked for.
        let checked = if call.endpoint.is_generation() {
            response::check(dialect, &response.body)
        } else {
            Ok(Default::default())
        };
        match checked {
            Err(InvalidBody::ErrorObject(error)) => {
                let error = self.without_key(classify::from_error_in_body(error, response));
                Err(translated::error(error, call.translation))
            }
            Ok((usage, meta)) if !call.stream => {
                (response.usage, response.meta) = (usage, meta);
                translated::response(response, call.translation).map(ProviderResponse::Complete)
            }
            // A caller that requested a stream cannot read anything else.
            Ok(_) | Err(InvalidBody::UnexpectedShape) => {
                Err(ProviderError::provider_failure(ProviderErrorKind::Invalid))
            }
        }
    }

    /// Whether its streams of Chat Completions are asked for their tokens where the caller left that open.
    #[must_use]
    pub const fn asks_for_stream_usage(&self) -> bool {
        self.asks_for_stream_usage
    }

    /// Makes a request that costs no tokens: for the list of the models. Returns its status, with which a provider that has no
    /// such list shows at least that it is there.
    ///
    /// # Errors
    /// When no response comes within `limit`; the error says why.
    pub async fn check_access(&self, limit: Duration) -> Result<StatusCode, ProviderError> {
        let unsupported = || ProviderError::provider_failure(ProviderErrorKind::UnsupportedEndpoint);
        let uri = self.urls.models(self.kind).ok_or_else(unsupported)?;
        let deadline = Deadline::new(Instant::now(), limit, TimeoutKind::Response);
        let headers = || self.headers(HeaderMap::new());
        let response =
            deadline.timeout(self.client.send(&Method::GET, &uri, headers, &Bytes::new())).await??;
        Ok(response.status)
    }

    /// Asks for what OpenAI's responses API has stored: `path` begins with the response's id. Whatever status comes is
    /// the answer.
    ///
    /// # Errors
    /// When none comes.
    pub async fn stored_response(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
        headers: &HeaderMap,
        body: Bytes,
        timeouts: &Timeouts,
    ) -> Result<CompleteResponse, ProviderError> {
        let unsupported = || ProviderError::provider_failure(ProviderErrorKind::UnsupportedEndpoint);
        if !self.dialects.contains(&Dialect::OpenAiResponses) {
            return Err(unsupported());
        }
        let uri = self.urls.stored_response(path, query).ok_or_else(unsupported)?;
        let headers = || self.headers(self.forwarded(headers));
        let deadline = Deadline::new(Instant::now(), timeouts.response, TimeoutKind::Response);
        let sent = self.client.send(&method, &uri, headers, &body);
        let response = deadline.timeout(sent).await?.map_err(ProviderError::from)?;
        let mut response = deadline.timeout(read_complete(response)).await??;
        if !response.status.is_success() {
            response.body = redact::without_key(response.body, self.key_value());
        }
        Ok(response)
    }

    /// Sends the request and waits for the head of the response.
    async fn send(&self, call: ProviderRequest<'_>) -> Result<ClientResponse, ProviderError> {
        let Some(uri) = self.urls.endpoint(call.endpoint, call.model, call.stream, call.beta) else {
            return Err(ProviderError {
                class: FailureClass::InvalidRequest,
                ..ProviderError::provider_failure(ProviderErrorKind::UnsupportedEndpoint)
            });
        };
        let headers = || {
            self.headers(match call.translation {
                Some(_) => self.with_forwarded(translated_request_headers(call.headers), call.headers),
                None => self.forwarded(call.headers),
            })
        };
        Ok(self.client.send(&Method::POST, &uri, headers, call.body).await?)
    }

    fn without_key(&self, mut error: ProviderError) -> ProviderError {
        if let Some(response) = &mut error.response {
            response.body = redact::without_key(std::mem::take(&mut response.body), self.key_value());
        }
        error
    }

    fn key_value(&self) -> Option<&HeaderValue> {
        self.key.as_ref().map(|(_, value)| value)
    }

    /// The headers of a caller of the same API format that this provider gets.
    fn forwarded(&self, caller_headers: &HeaderMap) -> HeaderMap {
        let usual = forwarded_request_headers(self.kind, self.is_official, caller_headers);
        self.with_forwarded(usual, caller_headers)
    }

    /// The usual headers of the caller, and those that the configuration names.
    fn with_forwarded(&self, mut headers: HeaderMap, caller_headers: &HeaderMap) -> HeaderMap {
        forward::add(&self.forward, caller_headers, &mut headers);
        headers
    }

    fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.kind.add_required_headers(&mut headers);
        if let Some((name, value)) = &self.key {
            headers.insert(name, value.clone());
        }
        headers
    }
}

/// A response with a status other than 2xx, with its body if that arrives in time.
async fn read_error_response(response: ClientResponse, model: &str, deadline: Deadline) -> ProviderError {
    let status = response.status.as_u16();
    let headers = response.headers.clone();
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

/// The header with the API key, if there is one; else the user and password of the base URL.
fn key_header(config: &ProviderConfig) -> Result<Option<(HeaderName, HeaderValue)>, ProviderConfigError> {
    let Some(key) = &config.api_key else { return Ok(basic_authorization(&config.base_url)) };
    let header = config.kind.key_header(key.expose_secret());
    Ok(Some(header.map_err(|_| ProviderConfigError::Key { provider: config.name.clone() })?))
}

fn basic_authorization(url: &Url) -> Option<(HeaderName, HeaderValue)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decode(url.username()), decode(url.password().unwrap_or_default()));
    if user.is_empty() && password.is_empty() {
        return None;
    }
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64.encode(format!("{user}:{password}")))).ok()?;
    value.set_sensitive(true);
    Some((AUTHORIZATION, value))
}
