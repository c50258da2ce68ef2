//! Names of headers that are Switchboard's own or specific to LLM APIs.

use http::HeaderName;

pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub(crate) const GOOGLE_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's name for the request id.
pub(crate) const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// The last event that a client received from a stream.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// How often an official SDK has repeated the request.
pub(crate) const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
pub(crate) const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The model that responded.
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-switchboard-model");
/// The number of attempts.
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-switchboard-attempts");
/// The API formats of caller and provider, where they differ.
pub(crate) const TRANSLATED: HeaderName = HeaderName::from_static("x-switchboard-translated");
/// Fields of the request that the model was not given, where that does no harm.
pub(crate) const DROPPED: HeaderName = HeaderName::from_static("x-switchboard-dropped");
/// The tokens of the prompt, as the provider counts them.
pub(crate) const INPUT_TOKENS: HeaderName = HeaderName::from_static("x-switchboard-input-tokens");
/// The tokens of the response.
pub(crate) const OUTPUT_TOKENS: HeaderName = HeaderName::from_static("x-switchboard-output-tokens");
/// The code of one of the gateway's own errors.
pub(crate) const ERROR: HeaderName = HeaderName::from_static("x-switchboard-error");
/// `off`: only the first model of the chain is called.
pub(crate) const FALLBACK: HeaderName = HeaderName::from_static("x-switchboard-fallback");
/// The status with which the first model is assumed to have failed.
pub(crate) const FAULT: HeaderName = HeaderName::from_static("x-switchboard-fault");
