//! The configuration of a provider, and the limits on a request to it.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::kind::ProviderKind;

/// One account with a provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The part of a model key before the colon.
    pub name: String,
    /// Whose API it has.
    pub kind: ProviderKind,
    /// The base URL of its API, for instance `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The API key; `None`: none is sent (a local server).
    pub api_key: Option<SecretString>,
}

/// The limits of `[timeouts]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To make a connection.
    pub connect: Duration,
    /// A stream: until its first event of any kind.
    pub first_byte: Duration,
    /// A stream: until its first token.
    pub first_token: Duration,
    /// A stream: between two events.
    pub idle: Duration,
    /// A response that is not streamed: from request to end.
    pub response: Duration,
    /// A caller's call with waits, retries and fallbacks; a stream's until its first token, a buffered one's until it
    /// is complete.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            first_token: Duration::from_secs(300),
            idle: Duration::from_secs(60),
            response: Duration::from_secs(300),
            total: Duration::from_secs(600),
        }
    }
}
