//! What a `kind` means: whose API a provider has, and which variables configure it.

use providers::{Activation, ProviderKind, Vendor};
use secrecy::SecretString;
use url::Url;

use super::{
    document::closest_match,
    environment::{Environment, names},
    google,
};

/// The kinds, with the names that Open SWE uses.
pub(super) const KINDS: [(&str, ProviderKind); 6] = [
    ("openai", ProviderKind::OpenAi),
    ("anthropic", ProviderKind::Anthropic),
    ("google-genai", ProviderKind::GoogleGenAi),
    ("bedrock", ProviderKind::Bedrock),
    ("azure", ProviderKind::Azure),
    ("vertex", ProviderKind::Vertex),
];

/// Whose API a provider has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Api {
    pub(super) kind: ProviderKind,
    /// A vendor that is known by name. All of them have OpenAI's API.
    pub(super) vendor: Option<&'static Vendor>,
}

impl Api {
    /// All of them with their names: the kinds, then the vendors.
    pub(super) fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let kinds = KINDS.into_iter().map(|(name, kind)| (name, Self { kind, vendor: None }));
        let vendors = Vendor::all().iter();
        kinds.chain(
            vendors.map(|vendor| (vendor.name, Self { kind: ProviderKind::OpenAi, vendor: Some(vendor) })),
        )
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().find(|(known, _)| *known == name).map(|(_, api)| api)
    }

    /// Whether it is the one of that name, so that its variables are about the provider of that name.
    pub(super) fn is_named(self, name: &str) -> bool {
        Self::named(name).is_some_and(|named| {
            named.kind == self.kind
                && named.vendor.map(|vendor| vendor.name) == self.vendor.map(|vendor| vendor.name)
        })
    }

    /// The variables for the key; the first that is set wins.
    pub(super) fn key_variables(self) -> &'static [&'static str] {
        match (self.vendor, self.kind) {
            (Some(vendor), _) => vendor.key_variables,
            (None, ProviderKind::OpenAi) => &[names::OPENAI_API_KEY],
            (None, ProviderKind::Anthropic) => &[names::ANTHROPIC_API_KEY],
            (None, ProviderKind::GoogleGenAi) => &[names::GOOGLE_API_KEY, names::GEMINI_API_KEY],
            (None, ProviderKind::Bedrock) => &[names::AWS_BEARER_TOKEN_BEDROCK],
            (None, ProviderKind::Azure) => &[names::AZURE_OPENAI_API_KEY],
            // GOOGLE_API_KEY is google-genai's.
            (None, ProviderKind::Vertex) => &[],
        }
    }

    /// The variable for the base URL, if there is one.
    pub(super) fn base_url_variable(self) -> Option<&'static str> {
        match (self.vendor, self.kind) {
            (Some(vendor), _) => vendor.base_url_variable.map(|variable| variable.name),
            (None, ProviderKind::OpenAi) => Some(names::OPENAI_BASE_URL),
            (None, ProviderKind::Anthropic) => Some(names::ANTHROPIC_BASE_URL),
            (None, ProviderKind::GoogleGenAi) => Some(names::GOOGLE_GEMINI_BASE_URL),
            (None, ProviderKind::Bedrock) => Some(names::AWS_ENDPOINT_URL_BEDROCK_RUNTIME),
            (None, ProviderKind::Azure) => Some(names::AZURE_OPENAI_ENDPOINT),
            (None, ProviderKind::Vertex) => Some(names::GOOGLE_VERTEX_BASE_URL),
        }
    }

    /// The name and value of the first variable for the key that is set.
    pub(super) fn key(self, environment: &Environment) -> Option<(&'static str, SecretString)> {
        let mut variables = self.key_variables().iter();
        variables.find_map(|name| Some((*name, SecretString::from(environment.get(name)?))))
    }

    /// Whether the environment configures its provider without the file.
    pub(super) fn is_configured_by(self, environment: &Environment) -> bool {
        let is_set = |name: &str| environment.get(name).is_some();
        let has_key = self.key(environment).is_some();
        match (self.vendor.map(|vendor| vendor.activation), self.kind) {
            (Some(Activation::Named), _) => false,
            (Some(Activation::Local), _) => self.vendor.is_some_and(|vendor| vendor.variables().any(is_set)),
            (_, ProviderKind::Bedrock) => {
                has_key || names::AWS_CREDENTIAL_VARIABLES.iter().any(|name| is_set(name))
            }
            (_, ProviderKind::Vertex) => google::is_configured_by_env(environment),
            // Its address is the account's own.
            (_, ProviderKind::Azure) => has_key && is_set(names::AZURE_OPENAI_ENDPOINT),
            _ => has_key,
        }
    }

    /// Whether it runs on this machine and needs no key.
    pub(super) fn is_local(self) -> bool {
        self.vendor.is_some_and(|vendor| vendor.activation == Activation::Local)
    }

    /// The name of another one whose address this is: it must not get the key of this one.
    pub(super) fn other_owner(self, url: &Url) -> Option<&'static str> {
        let is_at_host = |api: Self| match api.vendor {
            Some(vendor) => !api.is_local() && vendor.is_at_host_of(url),
            None => api.kind.default_base_url().is_some_and(|official| {
                Url::parse(official).is_ok_and(|official| {
                    official.host_str() == url.host_str().map(|host| host.trim_end_matches('.'))
                })
            }),
        };
        let mut owners = Self::all().filter(|(_, api)| is_at_host(*api));
        let (first, _) = owners.next()?;
        (!self.is_named(first) && !owners.any(|(name, _)| self.is_named(name))).then_some(first)
    }

    /// How a provider of that name is configured, if it is one of these.
    pub(super) fn advice(name: &str) -> String {
        match Self::named(name) {
            Some(Self { kind: ProviderKind::Azure, .. }) => format!(
                "set {} and {} or add [providers.{name}]",
                names::AZURE_OPENAI_API_KEY,
                names::AZURE_OPENAI_ENDPOINT
            ),
            Some(Self { kind: ProviderKind::Vertex, .. }) => format!(
                "set {}=true and {}, or add [providers.{name}]",
                names::GOOGLE_GENAI_USE_VERTEXAI,
                names::GOOGLE_CLOUD_PROJECT
            ),
            Some(api) if api.vendor.is_none_or(|vendor| vendor.activation == Activation::Key) => {
                format!("set {} or add [providers.{name}]", api.key_variables()[0])
            }
            _ => format!("add [providers.{name}]"),
        }
    }
}

/// What `kind` may be, for a wrong or missing one.
pub(super) fn expected_kind(written: Option<&str>) -> String {
    let kinds: Vec<_> = KINDS.iter().map(|(name, _)| format!("{name:?}")).collect();
    let all =
        format!("{} or a vendor of docs/providers.md, such as \"groq\" or \"ollama\"", kinds.join(", "));
    let closest = written.and_then(|written| closest_match(written, Api::all().map(|(name, _)| name)));
    match closest {
        Some(closest) => format!("{all}; the nearest name is {closest:?}"),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::Api;

    #[test]
    fn every_name_and_variable_is_of_one() {
        let names: Vec<_> = Api::all().map(|(name, _)| name).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} stands twice");
            assert!(Api::named(name).is_some_and(|api| api.is_named(name)), "{name}");
        }
        let variables: Vec<_> = Api::all()
            .flat_map(|(_, api)| api.key_variables().iter().copied().chain(api.base_url_variable()))
            .collect();
        for (index, variable) in variables.iter().enumerate() {
            assert!(!variables[..index].contains(variable), "{variable} stands twice");
        }
    }

    #[test]
    fn the_host_of_another_is_recognized() {
        for (name, url, expected) in [
            ("groq", "https://api.groq.com/openai/v1", None),
            ("groq", "https://api.groq.com/other", None),
            ("groq", "https://api.GROQ.com./other", None),
            ("openai", "https://api.groq.com./openai/v1", Some("groq")),
            ("openai", "https://api.together.xyz/v1", Some("together")),
            ("together", "https://api.together.xyz/v1", None),
            ("openai", "https://api.moonshot.cn/v1", Some("moonshot")),
            ("groq", "https://api.mistral.ai/v1", Some("mistral")),
            ("openai", "https://api.groq.com/openai/v1", Some("groq")),
            ("groq", "https://api.openai.com/v1", Some("openai")),
            ("anthropic", "https://api.deepseek.com/anthropic", Some("deepseek")),
            ("openai", "https://proxy.example/v1", None),
            ("openai", "http://127.0.0.1:11434/v1", None),
        ] {
            let found = Api::named(name).unwrap().other_owner(&url.parse().unwrap());
            assert_eq!(found, expected, "{name} at {url}");
        }
    }
}
