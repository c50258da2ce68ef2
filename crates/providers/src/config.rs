//! The configuration of a provider, and the limits on a request to it.

use std::path::PathBuf;
use std::time::Duration;

use dialects::Dialect;
use secrecy::SecretString;
use url::Url;

use crate::aws::AwsSettings;
use crate::forward::ForwardedHeader;
use crate::google::GoogleSettings;
use crate::kind::ProviderKind;
use crate::stream_usage::takes_stream_usage;

/// One account with a provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The part of a model key before the colon.
    pub name: String,
    /// Whose API it has.
    pub kind: ProviderKind,
    /// The base URL of its API, for instance `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The API key; `None`: none is sent (a local server), or requests are signed.
    pub api_key: Option<SecretString>,
    /// The AWS account of a provider of Bedrock, whose requests are signed if there is no API key.
    pub aws: Option<AwsSettings>,
    /// The account of Google Cloud of a provider of Vertex AI, whose requests carry a token if there is no API key.
    pub google: Option<GoogleSettings>,
    /// The API formats that it has, the preferred first (T2); `None`: those that its kind usually has.
    pub speaks: Option<Vec<Dialect>>,
    /// Certificates in PEM format of authorities that it is trusted by, besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether its streams of Chat Completions are asked for their tokens where the caller left that open; `None`: what the
    /// host of the base URL is known for.
    pub stream_usage: Option<bool>,
    /// Callers' headers that it gets besides the usual ones.
    pub forward: Vec<ForwardedHeader>,
}

impl ProviderConfig {
    /// Whether the base URL is the maker's own, and not that of a compatible server.
    #[must_use]
    pub fn is_official(&self) -> bool {
        let official = self.kind.default_base_url().and_then(|url| Url::parse(url).ok());
        official.is_some_and(|official| official.host() == self.base_url.host())
    }

    /// Whether its streams of Chat Completions are asked for their tokens where the caller left that open.
    #[must_use]
    pub fn asks_for_stream_usage(&self) -> bool {
        let by_host = || self.base_url.host_str().is_some_and(takes_stream_usage);
        self.stream_usage.unwrap_or_else(by_host)
    }

    /// The API formats that it has, the preferred first (T2).
    #[must_use]
    pub fn dialects(&self) -> Vec<Dialect> {
        match &self.speaks {
            Some(dialects) => dialects.clone(),
            None => self.kind.default_dialects(self.is_official()).to_vec(),
        }
    }
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
