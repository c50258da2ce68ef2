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
use crate::vendors::{StreamUsage, Vendor};

/// One account with a provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The part of a model key before the colon.
    pub name: String,
    /// Whose API it has.
    pub kind: ProviderKind,
    /// The vendor that the configuration names. Its quirks are the vendor's, whatever its base URL.
    pub vendor: Option<&'static Vendor>,
    /// Azure's version of its API, where that is one of those with a date; `None`: the one without.
    pub api_version: Option<String>,
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
    /// Whether its streams of Chat Completions are asked for their tokens where the caller left that open; `None`: what its
    /// vendor is known for.
    pub stream_usage: Option<bool>,
    /// Callers' headers that it gets besides the usual ones.
    pub forward: Vec<ForwardedHeader>,
}

/// From this version on Azure's Chat Completions take what OpenAI's take: `stream_options` (since 2024-09-01-preview),
/// `max_completion_tokens` and developer messages.
/// <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>
const AZURE_LIKE_OPENAI: &str = "2024-12-01";

impl ProviderConfig {
    /// A provider without a key, and with no settings but these.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ProviderKind, base_url: Url) -> Self {
        Self {
            name: name.into(),
            kind,
            vendor: None,
            api_version: None,
            base_url,
            api_key: None,
            aws: None,
            google: None,
            speaks: None,
            ca_file: None,
            stream_usage: None,
            forward: Vec::new(),
        }
    }

    /// Whether the base URL is the maker's own, and not that of a compatible server.
    #[must_use]
    pub fn is_official(&self) -> bool {
        if self.kind == ProviderKind::Azure {
            return self.api_version.as_deref().is_none_or(|version| version >= AZURE_LIKE_OPENAI);
        }
        let official = self.kind.default_base_url().and_then(|url| Url::parse(url).ok());
        official.is_some_and(|official| official.host() == self.base_url.host())
    }

    /// The vendor that it is an account of: the one that the configuration names, or that its base URL belongs to.
    #[must_use]
    pub fn vendor(&self) -> Option<&'static Vendor> {
        let by_url = || Vendor::of_url(&self.base_url).filter(|_| self.kind == ProviderKind::OpenAi);
        self.vendor.or_else(by_url)
    }

    /// Whether its streams of Chat Completions are asked for their tokens where the caller left that open. Who is not known to
    /// take the option is not asked, since a server may refuse a field that it does not know.
    #[must_use]
    pub fn asks_for_stream_usage(&self) -> bool {
        let is_known = || match self.vendor() {
            Some(vendor) => vendor.stream_usage == StreamUsage::OnRequest,
            // https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options
            None => matches!(self.kind, ProviderKind::OpenAi | ProviderKind::Azure) && self.is_official(),
        };
        self.stream_usage.unwrap_or_else(is_known)
    }

    /// The API formats that it has, the preferred first (T2).
    #[must_use]
    pub fn dialects(&self) -> Vec<Dialect> {
        match (&self.speaks, self.vendor) {
            (Some(dialects), _) => dialects.clone(),
            (None, Some(vendor)) => vendor.speaks.to_vec(),
            // Azure has Responses only where its API has no date.
            (None, None) if self.api_version.is_some() => vec![Dialect::OpenAiChat],
            (None, None) => self.kind.default_dialects(self.is_official()).to_vec(),
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

#[cfg(test)]
mod tests {
    use super::{Dialect, ProviderConfig, ProviderKind, Vendor};

    fn config(kind: ProviderKind, base_url: &str) -> ProviderConfig {
        ProviderConfig::new("p", kind, base_url.parse().unwrap())
    }

    #[test]
    fn only_who_is_known_to_take_it_is_asked_for_the_tokens_of_streams() {
        use ProviderKind::{Anthropic, Azure, OpenAi};
        for (kind, url, expected) in [
            (OpenAi, "https://api.openai.com/v1", true),
            (OpenAi, "https://api.x.ai/v1", true),
            (OpenAi, "https://api.mistral.ai/v1", false),
            (OpenAi, "https://openrouter.ai/api/v1", false),
            (OpenAi, "https://api.openai.com.example/v1", false),
            (OpenAi, "http://127.0.0.1:11434/v1", false),
            (Azure, "https://r.openai.azure.com", true),
            (Anthropic, "https://api.anthropic.com", false),
        ] {
            assert_eq!(config(kind, url).asks_for_stream_usage(), expected, "{url}");
        }
    }

    #[test]
    fn a_vendor_keeps_its_quirks_at_another_base_url() {
        let at = |name| ProviderConfig {
            vendor: Vendor::named(name),
            ..config(ProviderKind::OpenAi, "http://127.0.0.1:1/v1")
        };
        assert!(at("xai").asks_for_stream_usage() && !at("mistral").asks_for_stream_usage());
        assert_eq!(at("xai").dialects(), [Dialect::OpenAiChat, Dialect::OpenAiResponses]);
        assert_eq!(at("mistral").vendor().map(|vendor| vendor.name), Some("mistral"));
        let unnamed = ProviderConfig { vendor: None, ..at("xai") };
        assert!(unnamed.vendor().is_none() && unnamed.dialects() == [Dialect::OpenAiChat]);
    }

    #[test]
    fn an_old_version_of_azure_has_less() {
        let version = |version: Option<&str>| ProviderConfig {
            api_version: version.map(str::to_owned),
            ..config(ProviderKind::Azure, "https://r.openai.azure.com")
        };
        for (date, is_official) in [
            ("2024-02-01", false),
            ("2024-10-21", false),
            ("2024-12-01-preview", true),
            ("2025-04-01-preview", true),
        ] {
            let config = version(Some(date));
            assert_eq!(
                (config.is_official(), config.asks_for_stream_usage()),
                (is_official, is_official),
                "{date}"
            );
            assert_eq!(config.dialects(), [Dialect::OpenAiChat]);
        }
        assert_eq!(version(None).dialects(), [Dialect::OpenAiResponses, Dialect::OpenAiChat]);
    }
}
