//! What a provider is, and the limits on a call to it (DESIGN 1.3).

use std::time::Duration;

use dialects::Dialect;
use secrecy::SecretString;
use url::Url;

/// Whose API a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// OpenAI's, or anything that speaks it.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's Gemini API. Its dialect is not spoken yet: a chain passes such a model by.
    GoogleGenAi,
    /// AWS Bedrock. Its dialect is not spoken yet: a chain passes such a model by.
    Bedrock,
}

/// One account with a provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The name before the colon of a model key.
    pub name: String,
    /// Whose API it speaks.
    pub kind: ProviderKind,
    /// Where its API is, for instance `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The key that is sent; `None`: none is (a local server).
    pub api_key: Option<SecretString>,
}

/// The limits of `[timeouts]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To make a connection.
    pub connect: Duration,
    /// A stream: until its first event of any kind.
    pub first_byte: Duration,
    /// A stream: until it first says something.
    pub first_token: Duration,
    /// A stream: between two events.
    pub idle: Duration,
    /// A plain answer, from request to end.
    pub response: Duration,
    /// A caller's call with waits, retries and fallbacks; a stream's, until its first
    /// content, a held one's, until it is whole.
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

impl ProviderKind {
    /// The dialect it speaks; `None`: none that is spoken here yet.
    #[must_use]
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::OpenAi => Some(Dialect::OpenAiChat),
            Self::Anthropic => Some(Dialect::Anthropic),
            Self::GoogleGenAi | Self::Bedrock => None,
        }
    }

    /// Where its API is, unless the configuration says otherwise; `None`: it depends on the account (Bedrock's region).
    #[must_use]
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::GoogleGenAi => Some("https://generativelanguage.googleapis.com"),
            Self::Bedrock => None,
        }
    }
}
