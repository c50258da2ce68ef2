//! Names to chains: which models stand behind the name that a caller gives as the model (DESIGN 1.4).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use breaker::{ModelKey, ModelKeyError};
use dialects::Endpoint;
use providers::{Provider, ProviderConfig, ProviderConfigError, Timeouts};

use crate::{BufferLimit, OnAuthError, Retry, Route, StreamMode};

/// Providers that a name may mean even where they are not configured: then that is the error, and the name is not
/// taken for a model with a colon or slash of its own.
const KNOWN_PROVIDERS: [&str; 4] = ["openai", "anthropic", "google-genai", "bedrock"];

/// What the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The providers.
    pub providers: Vec<ProviderConfig>,
    /// The routes by name.
    pub routes: BTreeMap<String, Route>,
    /// Retries of a model that is called directly.
    pub retry: Retry,
    /// The limits on a call to a model that is called directly. `connect` holds for all.
    pub timeouts: Timeouts,
    /// How the streams of a model that is called directly reach the caller.
    pub stream: StreamMode,
    /// How much of a held stream is kept.
    pub buffer_limit: BufferLimit,
}

/// Why settings do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A provider cannot be called.
    #[error(transparent)]
    Provider(#[from] ProviderConfigError),
    /// Two providers of one name.
    #[error("the provider {0} is given twice: give one of them another name and a kind")]
    DuplicateProvider(String),
    /// A route without models.
    #[error("the route {0} has no models: name at least one as provider:model")]
    EmptyRoute(String),
    /// A route names a provider that is not there.
    #[error("the route {route} names {model}, but there is no provider {}: add [providers.{}]", model.provider(), model.provider())]
    UnknownProvider {
        /// The route.
        route: String,
        /// Its model.
        model: ModelKey,
    },
}

/// No chain stands behind a name. The caller's fault, or the configuration's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownModel {
    /// The provider is not configured.
    #[error(
        "{model} is no route, and its provider {provider} is not configured here; {}",
        list_routes(routes)
    )]
    ProviderNotConfigured {
        /// The model as it would be called there.
        model: String,
        /// The provider that is missing.
        provider: String,
        /// The routes there are.
        routes: Vec<String>,
    },
    /// The name cannot be a model's.
    #[error(transparent)]
    InvalidName(#[from] ModelKeyError),
}

fn list_routes(routes: &[String]) -> String {
    match routes {
        [] => "there are no routes".to_owned(),
        routes => format!("the routes are {}", routes.join(", ")),
    }
}

/// Routes and providers, ready for use.
#[derive(Debug)]
pub struct Catalog {
    providers: HashMap<String, Arc<Provider>>,
    routes: BTreeMap<String, Arc<Chain>>,
    retry: Retry,
    timeouts: Timeouts,
    stream: StreamMode,
    buffer_limit: BufferLimit,
}

/// The models that may answer a call, in the order in which they are tried.
#[derive(Debug)]
pub struct Chain {
    /// The route's name, or the model's key.
    pub(crate) name: Arc<str>,
    pub(crate) entries: Vec<ChainEntry>,
    pub(crate) retry: Retry,
    pub(crate) timeouts: Timeouts,
    pub(crate) stream: StreamMode,
    pub(crate) buffer_limit: BufferLimit,
    /// A model that has not spoken by then gets the next one beside it.
    pub(crate) hedge_after: Option<Duration>,
    pub(crate) on_auth_error: OnAuthError,
    kind: ChainKind,
    /// Whether some route names the model that was asked for directly: its circuit is then no typing error's.
    pub(crate) is_routed_model: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChainKind {
    Route,
    Direct,
}

/// One model of a chain.
#[derive(Debug, Clone)]
pub struct ChainEntry {
    /// The model.
    pub key: ModelKey,
    /// Who is called for it.
    pub(crate) provider: Arc<Provider>,
}

impl Chain {
    /// The route's name, or the model's key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The models in their order.
    pub fn models(&self) -> impl Iterator<Item = &ModelKey> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// Whether a route was named, and not a model.
    #[must_use]
    pub fn is_route(&self) -> bool {
        self.kind == ChainKind::Route
    }
}

impl Catalog {
    /// Checks settings and makes them ready.
    ///
    /// # Errors
    /// When they do not fit together.
    pub fn new(settings: Settings) -> Result<Self, CatalogError> {
        let mut providers = HashMap::new();
        for config in settings.providers {
            let provider = Arc::new(Provider::new(config, settings.timeouts.connect)?);
            if let Some(duplicate) = providers.insert(provider.name().to_owned(), provider) {
                return Err(CatalogError::DuplicateProvider(duplicate.name().to_owned()));
            }
        }
        let mut routes = BTreeMap::new();
        for (name, route) in settings.routes {
            let chain = route_chain(&name, route, settings.buffer_limit, &providers)?;
            routes.insert(name, Arc::new(chain));
        }
        Ok(Self {
            providers,
            routes,
            retry: settings.retry,
            timeouts: settings.timeouts,
            stream: settings.stream,
            buffer_limit: settings.buffer_limit,
        })
    }

    /// The chain behind a name: a route's, a model key's (`provider:model`, also `provider/model`), or a bare
    /// model's of the provider that it belongs to.
    ///
    /// # Errors
    /// When nothing stands behind it.
    pub fn resolve(&self, endpoint: Endpoint, name: &str) -> Result<Arc<Chain>, UnknownModel> {
        if let Some(chain) = self.routes.get(name) {
            return Ok(Arc::clone(chain));
        }
        let (provider, model) = self
            .split_provider(name, ':')
            .or_else(|| self.split_provider(name, '/'))
            .unwrap_or_else(|| (default_provider(endpoint, name), name));
        let key = ModelKey::new(provider, model)?;
        let provider = self.providers.get(provider).ok_or_else(|| UnknownModel::ProviderNotConfigured {
            model: key.to_string(),
            provider: provider.to_owned(),
            routes: self.routes.keys().cloned().collect(),
        })?;
        Ok(Arc::new(self.direct_chain(ChainEntry { key, provider: Arc::clone(provider) })))
    }

    /// The names that callers can use: the routes, then the models that stand in them, each once.
    #[must_use]
    pub fn model_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.routes.keys().map(String::as_str).collect();
        for key in self.routes.values().flat_map(|chain| chain.models()) {
            if !names.contains(&key.as_str()) {
                names.push(key.as_str());
            }
        }
        names
    }

    /// Takes `name` apart, if what stands before the first `separator` is a provider.
    fn split_provider<'a>(&self, name: &'a str, separator: char) -> Option<(&'a str, &'a str)> {
        name.split_once(separator).filter(|(provider, _)| {
            self.providers.contains_key(*provider) || KNOWN_PROVIDERS.contains(provider)
        })
    }

    /// Whether some route names this model.
    pub(crate) fn is_routed(&self, model: &ModelKey) -> bool {
        self.routes.values().any(|chain| chain.models().any(|key| key == model))
    }

    fn direct_chain(&self, entry: ChainEntry) -> Chain {
        Chain {
            name: entry.key.as_str().into(),
            retry: self.retry,
            timeouts: self.timeouts,
            stream: self.stream,
            buffer_limit: self.buffer_limit,
            hedge_after: None,
            on_auth_error: OnAuthError::Report,
            kind: ChainKind::Direct,
            is_routed_model: self.is_routed(&entry.key),
            entries: vec![entry],
        }
    }
}

fn route_chain(
    name: &str,
    route: Route,
    buffer_limit: BufferLimit,
    providers: &HashMap<String, Arc<Provider>>,
) -> Result<Chain, CatalogError> {
    if route.models.is_empty() {
        return Err(CatalogError::EmptyRoute(name.to_owned()));
    }
    let to_entry = |key: ModelKey| match providers.get(key.provider()) {
        Some(provider) => Ok(ChainEntry { provider: Arc::clone(provider), key }),
        None => Err(CatalogError::UnknownProvider { route: name.to_owned(), model: key }),
    };
    Ok(Chain {
        name: name.into(),
        entries: route.models.into_iter().map(to_entry).collect::<Result<_, _>>()?,
        retry: route.retry,
        timeouts: route.timeouts,
        stream: route.stream,
        buffer_limit,
        hedge_after: route.hedge_after,
        on_auth_error: route.on_auth_error,
        kind: ChainKind::Route,
        is_routed_model: true,
    })
}

/// Whose a bare model name is.
fn default_provider(endpoint: Endpoint, model: &str) -> &'static str {
    match endpoint {
        _ if model.starts_with("claude-") => "anthropic",
        _ if model.starts_with("gemini-") => "google-genai",
        Endpoint::ChatCompletions => "openai",
        Endpoint::Messages => "anthropic",
    }
}

#[cfg(test)]
mod tests;
