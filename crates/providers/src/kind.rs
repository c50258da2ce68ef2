//! What differs between the kinds of providers.

use dialects::Dialect;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue};

use crate::azure;

/// The version of Anthropic's API that is requested where the caller names none.
const ANTHROPIC_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

/// Whose API a provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// OpenAI's, or a compatible one.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's Gemini API.
    GoogleGenAi,
    /// AWS Bedrock, where each model has one API format.
    Bedrock,
    /// OpenAI's at Microsoft Azure, whose models are deployments of the account.
    Azure,
    /// Google Cloud's Vertex AI, where each model has one API format.
    Vertex,
}

impl ProviderKind {
    /// The API formats that its providers may have.
    #[must_use]
    pub const fn dialects(self) -> &'static [Dialect] {
        match self {
            Self::OpenAi | Self::Azure => &[Dialect::OpenAiResponses, Dialect::OpenAiChat],
            Self::Anthropic => &[Dialect::Anthropic],
            Self::GoogleGenAi => &[Dialect::Gemini],
            Self::Bedrock => &[Dialect::Anthropic, Dialect::OpenAiChat, Dialect::BedrockConverse],
            Self::Vertex => &[Dialect::Gemini, Dialect::Anthropic, Dialect::OpenAiChat],
        }
    }

    /// The API formats of a provider whose configuration names none, the preferred first (T2). Compatible servers have
    /// OpenAI's chat completions; few have its responses.
    #[must_use]
    pub const fn default_dialects(self, is_official: bool) -> &'static [Dialect] {
        match self {
            Self::OpenAi if !is_official => &[Dialect::OpenAiChat],
            _ => self.dialects(),
        }
    }

    /// Whether its providers have OpenAI's calls that are no conversation, or may have some of them.
    #[must_use]
    pub const fn has_openai_calls(self) -> bool {
        matches!(self, Self::OpenAi | Self::Azure)
    }

    /// The base URL unless the configuration has another; `None`: it depends on the account (its region, location or resource).
    #[must_use]
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::GoogleGenAi => Some("https://generativelanguage.googleapis.com"),
            Self::Bedrock | Self::Azure | Self::Vertex => None,
        }
    }

    /// The header with the API key.
    pub(crate) fn key_header(self, key: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        let (name, value) = match self {
            Self::Azure if !azure::is_token(key) => {
                (HeaderName::from_static("api-key"), HeaderValue::try_from(key))
            }
            Self::OpenAi | Self::Bedrock | Self::Azure => {
                (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")))
            }
            Self::Anthropic => (HeaderName::from_static("x-api-key"), HeaderValue::try_from(key)),
            Self::GoogleGenAi | Self::Vertex => {
                (HeaderName::from_static("x-goog-api-key"), HeaderValue::try_from(key))
            }
        };
        let mut value = value?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// The header that it requires and a caller may not have sent.
    pub(crate) fn required_header(self) -> Option<(HeaderName, HeaderValue)> {
        (self == Self::Anthropic).then_some(ANTHROPIC_VERSION)
    }
}
