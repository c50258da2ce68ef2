//! Names of headers that are Switchboard's own or that only LLM APIs know.

use http::HeaderName;

pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub(crate) const GOOGLE_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's name for it.
pub(crate) const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Which event of a stream a client has got last.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
pub(crate) const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Who answered.
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-switchboard-model");
/// How many calls to providers it took.
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-switchboard-attempts");
/// The prompt's tokens as the provider counts them.
pub(crate) const INPUT_TOKENS: HeaderName = HeaderName::from_static("x-switchboard-input-tokens");
/// The answer's.
pub(crate) const OUTPUT_TOKENS: HeaderName = HeaderName::from_static("x-switchboard-output-tokens");
/// The code of an error of the gateway's own.
pub(crate) const ERROR: HeaderName = HeaderName::from_static("x-switchboard-error");
/// `off`: the first model only.
pub(crate) const FALLBACK: HeaderName = HeaderName::from_static("x-switchboard-fallback");
/// A drill.
pub(crate) const FAULT: HeaderName = HeaderName::from_static("x-switchboard-fault");
