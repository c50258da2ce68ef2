//! One account with a provider, ready for requests.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dialects::response::{self, InvalidBody};
use dialects::sse::begins_events;
use dialects::{Dialect, Endpoint, OpenAiCall, Usage};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Method, StatusCode};
use tokio::time::Instant;
use translate::Target;

use crate::auth::{Auth, InvalidKey, RequestAuth};
use crate::bedrock;
use crate::body::{read_complete, read_first, read_rest};
use crate::client::{Client, ClientResponse, ConnectorError};
use crate::config::{ProviderConfig, Timeouts};
use crate::credentials::CredentialsSource;
use crate::deadline::{Deadline, KeptTimers, Timer, Wait};
use crate::error::{ErrorDetail, FailureClass, ProviderError, ProviderErrorKind, TimeoutKind};
use crate::headers::is_forwarded_response_header;
use crate::kind::ProviderKind;
use crate::request::ProviderRequest;
use crate::response::CompleteResponse;
use crate::sender::{Sender, unsupported_endpoint};
use crate::stream::{EventStream, Framing};
use crate::urls::{UriForm, Urls};
use crate::vendors::{KeyCheck, Vendor};
use crate::{azure, classify, redact, translated, vertex};

/// One account with a provider, with its connections. Create one and share it.
#[derive(Debug)]
pub struct Provider {
    name: String,
    vendor: Option<&'static Vendor>,
    sender: Sender,
    /// The API formats that it has, the preferred first.
    dialects: Vec<Dialect>,
    asks_for_stream_usage: bool,
    auth: Auth,
    timers: Arc<KeptTimers>,
}

/// More than is waited for what follows the last event of a stream.
const TO_READ_END: Duration = Duration::from_secs(1);

/// The type of AWS' streams.
const MESSAGE_STREAM: &str = "application/vnd.amazon.eventstream";

/// The model whose tokens Bedrock is asked to count, to see whether it accepts the credentials. It need not exist.
const CHECKED_MODEL: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

/// The same of Vertex AI.
const CHECKED_VERTEX_MODEL: &str = "gemini-2.5-flash";

/// What came of a request that costs nothing.
#[derive(Debug)]
pub struct Access {
    /// The status of the response.
    pub status: StatusCode,
    /// Whether the provider refuses the key, or the signature.
    pub is_refused: bool,
    /// Whether it would have refused a wrong key: some show their models to anyone.
    pub is_key_checked: bool,
    /// Where the credentials are from that the request was signed with, or its token.
    pub credentials: Option<CredentialsSource>,
    /// How wrong this machine's clock is, if a signature was refused and that explains it.
    pub clock_problem: Option<String>,
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

/// A provider's response.
#[derive(Debug)]
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
        let (dialects, vendor) = (config.dialects(), config.vendor());
        let auth = Auth::new(&config)
            .map_err(|InvalidKey| ProviderConfigError::Key { provider: config.name.clone() })?;
        let (is_official, asks_for_stream_usage) = (config.is_official(), config.asks_for_stream_usage());
        if !matches!(config.base_url.scheme(), "http" | "https") || config.base_url.host().is_none() {
            return Err(ProviderConfigError::BaseUrl { provider: config.name });
        }
        let client = Client::new(&config.base_url, config.ca_file.as_deref(), connect)
            .map_err(|source| ProviderConfigError::Client { provider: config.name.clone(), source })?;
        let form = if client.needs_absolute_uri() { UriForm::Absolute } else { UriForm::Path };
        let base_url = match config.kind {
            ProviderKind::Azure => azure::api_url(&config.base_url, config.api_version.is_some()),
            _ => Some(config.base_url),
        };
        let urls = base_url.and_then(|url| Urls::new(&url, &dialects, config.kind.has_openai_calls(), form));
        let urls = urls.ok_or_else(|| ProviderConfigError::BaseUrl { provider: config.name.clone() })?;
        let sender = Sender {
            kind: config.kind,
            is_official,
            client: client.keeping(is_forwarded_response_header),
            urls: urls.with_deployments(config.api_version),
            google: config.google,
            forward: config.forward,
        };
        let timers = Arc::default();
        Ok(Self { name: config.name, vendor, sender, dialects, asks_for_stream_usage, auth, timers })
    }

    /// The part of a model key before the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose API it has.
    #[must_use]
    pub const fn kind(&self) -> ProviderKind {
        self.sender.kind
    }

    /// The vendor whose account it is, if it is known by name.
    #[must_use]
    pub const fn vendor(&self) -> Option<&'static Vendor> {
        self.vendor
    }

    /// Whether it is at the maker's own address, and not at a compatible server's.
    #[must_use]
    pub const fn is_official(&self) -> bool {
        self.sender.is_official
    }

    /// The API formats that it has, the preferred first (T2).
    #[must_use]
    pub fn dialects(&self) -> &[Dialect] {
        &self.dialects
    }

    /// Those that one of its models has. All of its models have the same, except at Bedrock and Vertex AI.
    #[must_use]
    pub fn dialects_of(&self, model: &str) -> &[Dialect] {
        let by_name = match self.kind() {
            ProviderKind::Bedrock => bedrock::dialect(model),
            ProviderKind::Vertex => vertex::dialect(model),
            _ => return &self.dialects,
        };
        // Where the configuration has ruled that out, it knows better: an application inference profile may hide a Claude.
        let index = self.dialects.iter().position(|dialect| *dialect == by_name).unwrap_or_default();
        self.dialects.get(index..=index).unwrap_or_default()
    }

    /// Whether one of its models can be asked there in its own format. Of OpenAI's calls that are no conversation nobody knows
    /// which ones a compatible server has; it says so itself ([`FailureClass::NoEndpoint`]).
    #[must_use]
    pub fn serves(&self, endpoint: Endpoint, model: &str) -> bool {
        match endpoint {
            Endpoint::OpenAi(_) => self.kind().has_openai_calls(),
            _ => self.dialects_of(model).contains(&endpoint.dialect()),
        }
    }

    /// Whether a request in this format has its model in the path, so that the body need not name it.
    #[must_use]
    pub fn names_model_in_path(&self, dialect: Dialect) -> bool {
        matches!(self.kind(), ProviderKind::Bedrock | ProviderKind::Vertex) && dialect != Dialect::OpenAiChat
    }

    /// One of its models as the target of a translation.
    #[must_use]
    pub fn target<'a>(&'a self, dialect: Dialect, model: &'a str) -> Target<'a> {
        let refuses = self.vendor.map_or(&[][..], |vendor| vendor.refuses);
        Target { dialect, provider: &self.name, model, is_official: self.sender.is_official, refuses }
    }

    /// Its host and port.
    #[must_use]
    pub fn address(&self) -> Option<(&str, Option<u16>)> {
        self.sender.urls.address()
    }

    /// After how long a call has its response, its first token or its error at the latest, as its timeouts say; `None`: nothing
    /// says it of all that there is to wait for.
    #[must_use]
    pub fn longest_wait(&self, call: &ProviderRequest<'_>) -> Option<Duration> {
        // Credentials may have to be fetched, and audio comes in pieces for as long as it takes.
        if self.auth.is_renewable() || call.endpoint.openai_call().is_some() {
            return None;
        }
        Some(if call.stream {
            call.timeouts.first_token.saturating_add(TO_READ_END)
        } else {
            call.timeouts.response
        })
    }

    /// Makes one request. Dropping the future cancels it.
    ///
    /// # Errors
    /// When it fails; [`ProviderError::class`] says who is responsible.
    pub async fn call(&self, call: &ProviderRequest<'_>) -> Result<ProviderResponse, ProviderError> {
        if call.has_slow_steps() {
            // Boxed: few calls need it, and all would have room for it.
            return Box::pin(async {
                let timeouts = &call.timeouts_of_slow_steps();
                let call = ProviderRequest { timeouts, ..*call };
                self.call_in_time(&call).await
            })
            .await;
        }
        pin!(self.call_in_time(call)).await
    }

    async fn call_in_time(&self, call: &ProviderRequest<'_>) -> Result<ProviderResponse, ProviderError> {
        // Before the clock starts: the provider is not responsible for this wait.
        let auth = self.auth.for_request().await?;
        let result = pin!(self.call_as(call, &auth)).await;
        match &result {
            Err(error) if error.class == FailureClass::Auth && self.auth.is_renewable() => {
                // Temporary credentials may have been revoked, or replaced where they are from.
                match self.auth.instead_of(&auth).await {
                    Some(renewed) => Box::pin(self.call_as(call, &renewed)).await,
                    None => result,
                }
            }
            _ => result,
        }
    }

    async fn call_as(
        &self,
        call: &ProviderRequest<'_>,
        auth: &RequestAuth<'_>,
    ) -> Result<ProviderResponse, ProviderError> {
        let start = Instant::now();
        if !self.has_format_of(call.endpoint) {
            return Err(unsupported_endpoint());
        }
        let timer = Timer::of(&self.timers);
        let mut wait = Wait { start, deadline: first_deadline(start, call), timer };
        let mut response = {
            let sending = pin!(self.sender.send(call, auth));
            wait.for_result(sending).await?
        };
        // Boxed: few calls need it, and each would be moved with the room for it.
        if !response.status.is_success() {
            let error = Box::pin(self.read_error_response(response, call, wait)).await;
            return Err(translated::error(without_key(error, auth), call.translation));
        }
        let is_events = call.stream && is_event_stream(&response.headers);
        if let Endpoint::OpenAi(openai_call) = call.endpoint
            && !is_events
        {
            return Box::pin(self.openai_answer(openai_call, response, call, wait, auth)).await;
        }
        if !call.stream {
            return pin!(self.complete_answer(None, response, call, wait, auth)).await;
        }
        let is_messages = self.kind() == ProviderKind::Bedrock && has_type(&response.headers, MESSAGE_STREAM);
        let mut first = None;
        if !is_messages && !is_events {
            // Some servers name no type for a stream, or that of a plain answer: its first bytes tell.
            first = Box::pin(wait.for_result(read_first(&mut response.body))).await?;
            if !first.as_deref().is_some_and(begins_events) {
                return Box::pin(self.complete_answer(first, response, call, wait, auth)).await;
            }
        }
        let framing = match *call {
            ProviderRequest { json_array: true, .. } => Framing::JsonArray { is_first: true },
            ProviderRequest { withhold_usage: true, .. } => Framing::SseWithoutUsage,
            _ => Framing::Sse,
        };
        let stream = EventStream::new(response, *call, framing, wait, auth.secret());
        let stream = if is_messages { stream.of_messages() } else { stream };
        Ok(ProviderResponse::Streaming(stream.beginning_with(first)))
    }

    /// An answer in one piece, whose first chunk is maybe read.
    async fn complete_answer(
        &self,
        first: Option<Bytes>,
        response: ClientResponse,
        call: &ProviderRequest<'_>,
        mut wait: Wait,
        auth: &RequestAuth<'_>,
    ) -> Result<ProviderResponse, ProviderError> {
        let mut response = {
            let reading = pin!(read_rest(first, response));
            wait.for_result(reading).await?
        };
        if self.kind() == ProviderKind::Bedrock && call.endpoint.is_count() {
            bedrock::adapt_count(call.endpoint.dialect(), &mut response);
        }
        // A count of tokens is an object of its own, in which nothing is looked for.
        let checked = if call.endpoint.is_generation() {
            let meta = call.wants_meta.then_some(&mut response.meta);
            response::check(call.endpoint.dialect(), &response.body, meta)
        } else {
            Ok(Usage::default())
        };
        match checked {
            Err(InvalidBody::ErrorObject(error)) => {
                let error = without_key(classify::from_error_in_body(error, response), auth);
                Err(translated::error(error, call.translation))
            }
            Ok(usage) if !call.stream => {
                response.usage = usage;
                translated::response(response, call.translation).map(ProviderResponse::Complete)
            }
            // A caller that requested a stream cannot read anything else.
            Ok(_) | Err(InvalidBody::UnexpectedShape) => {
                Err(ProviderError::provider_failure(ProviderErrorKind::Invalid))
            }
        }
    }

    /// Whether the endpoint is one of its API formats.
    fn has_format_of(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::OpenAi(_) => self.kind().has_openai_calls(),
            _ => self.dialects.contains(&endpoint.dialect()),
        }
    }

    /// The answer to a call that is no conversation, if it is no stream of events. One was maybe asked for, but a model that
    /// has none answers in one piece, as it would without a gateway.
    async fn openai_answer(
        &self,
        openai_call: OpenAiCall,
        response: ClientResponse,
        call: &ProviderRequest<'_>,
        mut wait: Wait,
        auth: &RequestAuth<'_>,
    ) -> Result<ProviderResponse, ProviderError> {
        // What says that it is JSON or a page may be an error, and is looked at as a whole.
        let is_text = ["application/json", "text/"].iter().any(|text| has_type(&response.headers, text));
        if openai_call.answers_bytes() && !is_text {
            let call = ProviderRequest { translation: None, ..*call };
            let stream = EventStream::new(response, call, Framing::Sse, wait, auth.secret());
            return Ok(ProviderResponse::Streaming(stream.of_bytes()));
        }
        let mut response = wait.for_result(read_complete(response)).await?;
        let checked = response::check_call(openai_call, media_type(&response.headers), &response.body);
        match checked {
            Ok((usage, meta)) => {
                (response.usage, response.meta) = (usage, meta);
                Ok(ProviderResponse::Complete(response))
            }
            Err(InvalidBody::ErrorObject(error)) => {
                Err(without_key(classify::from_error_in_body(error, response), auth))
            }
            Err(InvalidBody::UnexpectedShape) => {
                Err(ProviderError::provider_failure(ProviderErrorKind::Invalid))
            }
        }
    }

    /// Whether its streams of Chat Completions are asked for their tokens where the caller left that open.
    #[must_use]
    pub const fn asks_for_stream_usage(&self) -> bool {
        self.asks_for_stream_usage
    }

    /// Makes a request that costs no tokens: for the list of the models, or what else its vendor has. Returns its status, with which a provider that has no
    /// such list shows at least that it is there.
    ///
    /// # Errors
    /// When no response comes within `limit`; the error says why.
    pub async fn check_access(&self, limit: Duration) -> Result<Access, ProviderError> {
        let auth = self.auth.for_request().await?;
        let unsupported = || ProviderError::provider_failure(ProviderErrorKind::UnsupportedEndpoint);
        // Bedrock's list is at another host, and Vertex AI has none of a project. Both refuse a count of nothing after they have
        // looked at who asks.
        let (method, uri, body) = match self.kind() {
            ProviderKind::Bedrock => {
                let uri = self.sender.urls.bedrock(Endpoint::CountTokens, CHECKED_MODEL, false);
                (Method::POST, uri, Bytes::from_static(b"{}"))
            }
            ProviderKind::Vertex => {
                let uri =
                    self.sender.vertex_uri(Endpoint::GeminiCountTokens, CHECKED_VERTEX_MODEL, false, &auth);
                (Method::POST, uri, Bytes::from_static(b"{}"))
            }
            _ => {
                let uri = match self.vendor {
                    Some(vendor) => self.sender.urls.at(vendor.key_check.path()),
                    None => self.sender.urls.models(self.kind()),
                };
                (Method::GET, uri, Bytes::new())
            }
        };
        let uri = uri.ok_or_else(unsupported)?;
        let mut wait = Wait::until(Deadline::new(Instant::now(), limit, TimeoutKind::Response));
        let sent = self.sender.send_to(&auth, &method, &uri, HeaderMap::new(), (&body, None));
        let response = wait.for_result(sent).await?;
        let status = response.status;
        // A right that a role lacks is no wrong key: it may well have that of calling models.
        let is_refused = matches!(status.as_u16(), 401 | 403)
            && !(self.auth.is_signing() && bedrock::is_access_denied(&response.headers));
        let clock = bedrock::clock_problem(&response.headers, SystemTime::now());
        let clock_problem = clock.filter(|_| is_refused && self.auth.is_signing());
        let credentials = auth.source().cloned();
        let is_key_checked =
            self.vendor.is_none_or(|vendor| matches!(vendor.key_check, KeyCheck::Checked(_)));
        Ok(Access { status, is_refused, is_key_checked, credentials, clock_problem })
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
        let uri = self.sender.urls.stored_response(path, query).ok_or_else(unsupported)?;
        let auth = self.auth.for_request().await?;
        let headers = self.sender.forwarded(headers);
        let mut wait = Wait::until(Deadline::new(Instant::now(), timeouts.response, TimeoutKind::Response));
        let sent = self.sender.send_to(&auth, &method, &uri, headers, (&body, None));
        let response = wait.for_result(sent).await?;
        let mut response = wait.for_result(read_complete(response)).await?;
        if !response.status.is_success() {
            response.body = redact::without_key(response.body, auth.secret().as_ref());
        }
        Ok(response)
    }

    /// A response with a status other than 2xx, with its body if that arrives in time.
    async fn read_error_response(
        &self,
        response: ClientResponse,
        call: &ProviderRequest<'_>,
        mut wait: Wait,
    ) -> ProviderError {
        let status = response.status.as_u16();
        let headers = response.headers.clone();
        match wait.for_result(read_complete(response)).await {
            Ok(response) if self.kind() == ProviderKind::Bedrock => {
                self.bedrock_error(response, &headers, call)
            }
            Ok(response) if self.kind() == ProviderKind::Vertex => {
                let mut error = classify::from_response(response, vertex::bare_name(call.model));
                if let Some(response) = &mut error.response {
                    vertex::adapt_error(call.endpoint.dialect(), response);
                }
                error
            }
            Ok(response) if call.endpoint.openai_call().is_some() => {
                classify::from_response_of_call(response, call.model)
            }
            Ok(response) => classify::from_response(response, call.model),
            Err(_) => classify::from_status(status, &headers),
        }
    }

    fn bedrock_error(
        &self,
        mut response: CompleteResponse,
        headers: &HeaderMap,
        call: &ProviderRequest<'_>,
    ) -> ProviderError {
        if call.endpoint.is_count() {
            bedrock::adapt_count(call.endpoint.dialect(), &mut response);
        }
        response.body = bedrock::with_error_type(headers, response.body);
        let mut error = classify::from_response(response, call.model);
        let clock_problem = bedrock::clock_problem(headers, SystemTime::now());
        if let Some(problem) = clock_problem.filter(|_| self.auth.is_signing()) {
            error.class = FailureClass::Auth;
            error.detail = Some(Box::new(ErrorDetail::Clock(problem)));
        }
        // For callers of another format it is translated as AWS wrote it: Anthropic's `permission_error` is about a key, and
        // AWS' `AccessDeniedException` need not be.
        if let (Some(response), None) = (&mut error.response, call.translation) {
            bedrock::adapt_error(call.endpoint.dialect(), response);
        }
        error
    }
}

/// When the provider must have begun to answer.
fn first_deadline(start: Instant, call: &ProviderRequest<'_>) -> Deadline {
    let timeouts = call.timeouts;
    if !call.stream {
        return Deadline::new(start, timeouts.response, TimeoutKind::Response);
    }
    let first_byte = Deadline::new(start, timeouts.first_byte, TimeoutKind::FirstByte);
    first_byte.earlier(Deadline::new(start, timeouts.first_token, TimeoutKind::FirstToken))
}

#[cold]
fn without_key(mut error: ProviderError, auth: &RequestAuth<'_>) -> ProviderError {
    if let Some(response) = &mut error.response {
        response.body = redact::without_key(std::mem::take(&mut response.body), auth.secret().as_ref());
    }
    error
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    has_type(headers, "text/event-stream")
}

fn has_type(headers: &HeaderMap, expected: &str) -> bool {
    let media_type = media_type(headers);
    media_type.get(..expected.len()).is_some_and(|start| start.eq_ignore_ascii_case(expected))
}

/// What a response says that it is; empty: nothing.
fn media_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
