//! A caller's call, and the reply to it.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use breaker::CallerName;
use dialects::Request;
use http::HeaderMap;
use providers::CompleteResponse;

use crate::{AllowedModels, ChainModel, Events, SkippedModel, Translated};

/// A caller's call.
pub struct Call {
    /// The request's id, for the log.
    pub id: Arc<str>,
    /// The name of the caller's key; `None`: this gateway has no keys, so all are one caller.
    pub caller: Option<CallerName>,
    /// What the caller may ask for; `None`: everything.
    pub allowed_models: Option<Arc<AllowedModels>>,
    /// The request.
    pub request: Request,
    /// The caller's headers; the provider's client selects those that are forwarded.
    pub headers: HeaderMap,
    /// How long the client waits ([`client_timeout`](crate::client_timeout)).
    pub client_timeout: Option<Duration>,
    /// Whether the caller's URL says `?beta=true`, which goes on to Anthropic's API.
    pub beta: bool,
    /// Whether models after the first of the chain may be called.
    pub fallback: bool,
    /// A failure of the first model to simulate.
    pub injected_fault: Option<FaultInjection>,
}

/// Without the headers: they hold the caller's key.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("request", &self.request).finish_non_exhaustive()
    }
}

/// A simulated failure of the first model with this status. No circuit counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultInjection(u16);

/// A text that is not a [`FaultInjection`]. The caller has to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an injected fault must be an HTTP status that counts as a failure: 408, 409, 424, 425, 429 or 500 to 599"
)]
pub struct FaultInjectionError;

impl FaultInjection {
    /// The simulated status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.0
    }
}

impl FromStr for FaultInjection {
    type Err = FaultInjectionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().parse() {
            Ok(status @ (408 | 409 | 424 | 425 | 429 | 500..=599)) => Ok(Self(status)),
            _ => Err(FaultInjectionError),
        }
    }
}

/// The result of a call.
#[derive(Debug)]
pub enum Response {
    /// The reply of a model.
    Reply(Reply),
    /// A buffered stream: its head may go to the caller before any model has responded. Errors are sent as events.
    Buffered(Events),
}

/// The reply to a call.
#[derive(Debug)]
pub struct Reply {
    /// The model that responded.
    pub answered_by: ChainModel,
    /// The number of requests to providers; at least 1.
    pub attempts: u32,
    /// What became of the request where the model has another API format than the caller.
    pub translated: Option<Box<Translated>>,
    /// The models that were skipped or failed before, and why; also the one that responded, if it failed first.
    pub skipped: Vec<SkippedModel>,
    /// The response.
    pub body: Body,
}

impl Reply {
    /// Whether it is a good response, as far as that is known: a stream has started.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        match &self.body {
            Body::Complete(response) => response.status.is_success(),
            Body::Stream { .. } | Body::Bytes { .. } => true,
        }
    }
}

/// A model's response.
#[derive(Debug)]
pub enum Body {
    /// In one piece: a good response, or the provider's rejection of the request.
    Complete(Box<CompleteResponse>),
    /// Event by event. Dropping it cancels the provider's call.
    Stream {
        /// The provider's headers.
        headers: HeaderMap,
        /// Each item is one unchanged event.
        events: Events,
    },
    /// Bytes as they come: audio. Dropping them cancels the provider's call.
    Bytes {
        /// The provider's headers.
        headers: HeaderMap,
        /// Pieces of no meaning.
        bytes: Events,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injected_fault_is_a_status_that_counts() {
        assert_eq!("503".parse(), Ok(FaultInjection(503)));
        assert_eq!(" 429 ".parse(), Ok(FaultInjection(429)));
        for bad in ["", "200", "400", "404", "600", "on", "5o3"] {
            assert_eq!(bad.parse::<FaultInjection>(), Err(FaultInjectionError), "{bad:?}");
        }
    }
}
