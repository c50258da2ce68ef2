//! Routes: a name that clients use as the model, and the chain of models behind it (DESIGN 1.3).

use std::time::Duration;

use breaker::ModelKey;
use providers::Timeouts;

/// A name that clients use as the model, and the chain behind it, in the order in which models are tried.
#[derive(Debug, Clone)]
pub struct Route {
    /// The chain; never empty.
    pub models: Vec<ModelKey>,
    /// Retries on one model.
    pub retry: Retry,
    /// The limits on a call.
    pub timeouts: Timeouts,
    /// Relay or hold.
    pub stream: StreamMode,
    /// No content by then: the next model is started too.
    pub hedge_after: Option<Duration>,
    /// What a 401 or 403 of a provider leads to.
    pub on_auth_error: OnAuthError,
}

/// `[retry]`: on the same model, before the next one is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Calls to one model per request; at least 1.
    pub max_attempts: u32,
    /// The first wait between two of them; doubles, jittered.
    pub initial_backoff: Duration,
    /// A retry-after up to this is waited for; a longer one means the next model.
    pub max_retry_after: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 2,
            initial_backoff: Duration::from_millis(500),
            max_retry_after: Duration::from_secs(3),
        }
    }
}

/// `stream` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamMode {
    /// Events are passed on as they come.
    #[default]
    PassThrough,
    /// The stream is kept back until it is whole.
    Buffer,
}

/// The most of a stream that is held back, in bytes, so that memory stays bounded. A held answer that is larger is relayed
/// from there on: nothing of it is lost, but a cut behind that point is seen. A stream that has said nothing by then has
/// failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferLimit(pub usize);

impl Default for BufferLimit {
    /// 16 MiB: some 60,000 tokens, each in an event of its own.
    fn default() -> Self {
        Self(16 * 1024 * 1024)
    }
}

/// `on_auth_error` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnAuthError {
    /// The caller is told which provider's key is wrong.
    #[default]
    Report,
    /// The next model is tried.
    Fallback,
}
