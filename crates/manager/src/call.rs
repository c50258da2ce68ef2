//! What goes in and what comes out: a caller's call, and the reply to it.

use std::{fmt, str::FromStr};

use breaker::ModelKey;
use bytes::Bytes;
use dialects::Request;
use http::HeaderMap;
use providers::{CompleteResponse, Timeouts};

use crate::Events;

/// A caller's call.
pub struct Call {
    /// The request's id, for the log.
    pub id: String,
    /// What is asked for.
    pub request: Request,
    /// The caller's headers; the provider's client picks those that go on.
    pub headers: HeaderMap,
    /// Whether other models than the first of the chain may answer.
    pub fallback: bool,
    /// A failure to be assumed.
    pub injected_fault: Option<FaultInjection>,
}

impl Call {
    /// The same for a provider, with `model` and `body` as it wants them, and the headers that may go on.
    pub(crate) fn to_provider<'a>(
        &'a self,
        model: &'a str,
        body: &'a Bytes,
        headers: &'a HeaderMap,
        timeouts: &'a Timeouts,
    ) -> providers::ProviderRequest<'a> {
        providers::ProviderRequest {
            endpoint: self.request.endpoint(),
            model,
            body,
            stream: self.request.stream(),
            headers,
            timeouts,
        }
    }
}

/// Without the headers: the caller's key is among them.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("request", &self.request).finish_non_exhaustive()
    }
}

/// A drill: the first model is taken to have failed with this status. It counts as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultInjection(u16);

/// A text that is no drill. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a drill takes an HTTP status that counts as a failure: 408, 409, 424, 425, 429 or 500 to 599")]
pub struct FaultInjectionError;

impl FaultInjection {
    /// The status to be assumed.
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

/// What a call comes to.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once a call; a box would be one more allocation")]
pub enum Response {
    /// A model has answered.
    Reply(Reply),
    /// A held stream: its head may go to the caller, before anyone has answered. What goes wrong is told in it.
    Buffered(Events),
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// The model that answered.
    pub answered_by: ModelKey,
    /// How many calls to providers it took; at least 1.
    pub attempts: u32,
    /// What it said.
    pub body: Body,
}

/// What a model said.
#[derive(Debug)]
pub enum Body {
    /// All at once: a good answer, or the provider's word that the request is wrong.
    Complete(CompleteResponse),
    /// Event by event. Dropping it stops the provider's call.
    Stream {
        /// The provider's headers.
        headers: HeaderMap,
        /// Each item is one event, as it came.
        events: Events,
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
