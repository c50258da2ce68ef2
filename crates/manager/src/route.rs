//! Routes: names that clients use as the model, each for a chain of models.

use std::{iter, str::FromStr, time::Duration};

use breaker::{ModelKey, ModelKeyError};
use providers::Timeouts;

/// A route: the chain of models, in the order in which they are tried, and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The chain, in the order in which it is tried; never empty.
    pub models: Vec<ModelGroup>,
    /// Retries on one model.
    pub retry: Retry,
    /// The timeouts of a call.
    pub timeouts: Timeouts,
    /// Whether streams are passed through or buffered.
    pub stream: StreamMode,
    /// Without a first token after this time, the next model is called as well.
    pub hedge_after: Option<Duration>,
    /// What follows from a provider's 401, and from a 400 or 403 that is about the key.
    pub on_auth_error: OnAuthError,
}

impl Route {
    /// The models of the chain, group by group.
    pub fn keys(&self) -> impl Iterator<Item = &ModelKey> {
        self.models.iter().flat_map(ModelGroup::keys)
    }
}

/// One step of a chain: a model, or several equals, among which calls are spread (C7): accounts, regions or servers of what is
/// one model to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelGroup {
    first: ModelKey,
    others: Vec<ModelKey>,
}

impl ModelGroup {
    /// Its models; one, unless they are equals.
    pub fn keys(&self) -> impl Iterator<Item = &ModelKey> {
        iter::once(&self.first).chain(&self.others)
    }

    /// How many models it has; at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// A group of equals; `None` without any.
    pub fn of_equals(keys: impl IntoIterator<Item = ModelKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self { first: keys.next()?, others: keys.collect() })
    }
}

impl From<ModelKey> for ModelGroup {
    fn from(key: ModelKey) -> Self {
        Self { first: key, others: Vec::new() }
    }
}

impl FromStr for ModelGroup {
    type Err = ModelKeyError;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        key.parse().map(|key: ModelKey| Self::from(key))
    }
}

/// `[retry]`: on the same model, before the next one is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts at one model per call; at least 1.
    pub max_attempts: u32,
    /// The first delay between two of them; it doubles, with jitter.
    pub initial_backoff: Duration,
    /// The longest `retry-after` that a call waits for; after a longer one it calls the next model.
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
    /// Each event is passed on immediately.
    #[default]
    PassThrough,
    /// The stream is kept until it is complete.
    Buffer,
}

/// The most of a stream that is buffered, in bytes, so that memory stays bounded. A larger buffered stream is passed through
/// from there on: nothing of it is lost, but the caller sees it if it ends early after that point. A stream without a first
/// token by then has failed.
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
    /// The caller gets an error that names the provider.
    #[default]
    Report,
    /// The next model is called.
    Fallback,
}
