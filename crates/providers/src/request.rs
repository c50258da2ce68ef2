//! A request to a provider.

use std::fmt;

use bytes::Bytes;
use dialects::{Endpoint, OpenAiCall};
use http::HeaderMap;
use translate::Translation;

use crate::config::Timeouts;

/// A request to a provider.
#[derive(Clone, Copy)]
pub struct ProviderRequest<'a> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The model, by this provider's name.
    pub model: &'a str,
    /// The body to send, with this provider's name of the model.
    pub body: &'a Bytes,
    /// What follows it: a form is not copied to replace the model's name in it.
    pub tail: Option<&'a [Bytes; 2]>,
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
    /// Whether the id and the model of a response in one piece are wanted, which are copied out of it.
    pub wants_meta: bool,
    /// The caller's headers; only those for a provider are forwarded.
    pub headers: &'a HeaderMap,
    /// The timeouts. Two of them do not apply here: `connect` was given to [`Provider::new`](crate::Provider::new), and `total` limits all of a
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

impl ProviderRequest<'_> {
    /// Whether it is a stream of images, whose steps take as long as a plain response.
    pub(crate) fn has_slow_steps(&self) -> bool {
        self.endpoint.openai_call().is_some_and(OpenAiCall::streams_no_progress)
    }

    /// The timeouts of a stream that has the time of a plain response for each of its steps.
    pub(crate) fn timeouts_of_slow_steps(&self) -> Timeouts {
        let Timeouts { first_byte, first_token, idle, response, .. } = *self.timeouts;
        Timeouts {
            first_byte: first_byte.max(response),
            first_token: first_token.max(response),
            idle: idle.max(response),
            ..*self.timeouts
        }
    }
}
