//! What is known of a vendor.

use dialects::Dialect;
use url::Url;

/// A company, or a server, that Switchboard knows by name. All of them have an API that is compatible with OpenAI's.
#[derive(Debug)]
pub struct Vendor {
    /// Its name: the `kind` in a configuration, and the name of the provider that its variables configure.
    pub name: &'static str,
    /// The base URL of its API.
    pub base_url: &'static str,
    /// Other hosts of its API: older ones, and those of other regions.
    pub more_hosts: &'static [&'static str],
    /// The variables for its key; the first that is set wins.
    pub key_variables: &'static [&'static str],
    /// The variable for another base URL, where its own programs have one.
    pub base_url_variable: Option<BaseUrlVariable>,
    /// When it is configured without being named in the file.
    pub activation: Activation,
    /// The API formats that it has, the preferred first (T2).
    pub speaks: &'static [Dialect],
    /// What else it has of OpenAI's API.
    pub endpoints: &'static [VendorEndpoint],
    /// What its streams of Chat Completions say of their tokens.
    pub stream_usage: StreamUsage,
    /// Fields of Chat Completions that it answers with an error. A translation leaves them out; a request of its own format
    /// goes out as it came.
    pub refuses: &'static [&'static str],
    /// The request that shows whether it accepts a key.
    pub key_check: KeyCheck,
    /// Its documentation.
    pub documentation: &'static str,
    /// What the row was compared with.
    pub source: &'static str,
    /// Whether `source` confirms name of the key, base URL and format.
    pub is_verified: bool,
}

/// A variable for a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseUrlVariable {
    /// Its name.
    pub name: &'static str,
    /// The path that the vendor's own programs put behind its value.
    pub path: &'static str,
}

/// When a vendor's provider is configured although the file does not name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// When a variable for its key is set.
    Key,
    /// Never: its variable is set for many other purposes.
    Named,
    /// It runs on this machine and needs no key: when one of its variables is set, or a route or `[models]` names it.
    Local,
}

/// A part of OpenAI's API besides Chat Completions and Responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VendorEndpoint {
    /// `/embeddings`
    Embeddings,
    /// `/completions`
    Completions,
    /// `/moderations`
    Moderations,
    /// `/images/generations` and the like.
    Images,
    /// `/audio/transcriptions` and `/audio/translations`
    Transcriptions,
    /// `/audio/speech`
    Speech,
    /// `/rerank`
    Rerank,
}

/// What a vendor's streams of Chat Completions say of their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// It takes `stream_options.include_usage`.
    OnRequest,
    /// It always reports them, so that it need not be asked.
    Always,
    /// Nobody says, so it is not asked: a server may refuse a field that it does not know.
    Unknown,
}

/// A request, by its path after the base URL, that costs no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCheck {
    /// It is refused with a wrong key.
    Checked(&'static str),
    /// Anyone may make it, so it says nothing about the key.
    Public(&'static str),
    /// Nobody says which of the two.
    Unknown(&'static str),
}

impl VendorEndpoint {
    /// Its name in the manual.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::Moderations => "moderations",
            Self::Images => "images",
            Self::Transcriptions => "transcriptions",
            Self::Speech => "speech",
            Self::Rerank => "rerank",
        }
    }
}

impl KeyCheck {
    /// The path after the base URL.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Checked(path) | Self::Public(path) | Self::Unknown(path) => path,
        }
    }
}

impl Vendor {
    /// All variables that it has.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.key_variables.iter().copied().chain(self.base_url_variable.map(|variable| variable.name))
    }

    /// Whether a URL is at its host, and below the path of its API.
    #[must_use]
    pub fn serves(&self, url: &Url) -> bool {
        let Ok(base) = Url::parse(self.base_url) else { return false };
        let path = base.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(path);
        base.host() == url.host()
            && base.port_or_known_default() == url.port_or_known_default()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it is at the host of a URL, whatever its path.
    #[must_use]
    pub fn is_at_host_of(&self, url: &Url) -> bool {
        // A name with its final dot is the same host.
        let Some(host) = url.host_str().map(|host| host.trim_end_matches('.')) else { return false };
        self.more_hosts.contains(&host)
            || Url::parse(self.base_url).is_ok_and(|base| base.host_str() == Some(host))
    }
}
