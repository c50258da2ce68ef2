//! Resolves the `model` of a request to a chain of models.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Range,
    sync::{Arc, OnceLock},
    time::Duration,
};

use breaker::{ModelKey, ModelKeyError};
use circuits::CircuitSlot;
use dialects::{Dialect, Endpoint};
use foldhash::fast::RandomState;
use http::HeaderValue;
use per_core::PerCore;
use providers::{Provider, ProviderConfig, ProviderConfigError, Timeouts, Vendor};

mod direct_chains;

use self::direct_chains::DirectChains;
use crate::{
    BufferLimit, ModelGroup, OnAuthError, Retry, Route, StreamMode, in_flight::InFlight, route_names,
};

/// Providers that a name may refer to although they are not configured. Then that is the error, and the name is not
/// resolved as a model whose own name has a colon or slash.
const KNOWN_PROVIDERS: [&str; 6] = ["openai", "anthropic", "google-genai", "bedrock", "azure", "vertex"];

/// The configuration.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The providers.
    pub providers: Vec<ProviderConfig>,
    /// The routes by name.
    pub routes: BTreeMap<String, Route>,
    /// Retries of a model without a route.
    pub retry: Retry,
    /// The timeouts of a model without a route. `connect` applies to all.
    pub timeouts: Timeouts,
    /// The stream mode of a model without a route.
    pub stream: StreamMode,
    /// The limit of a buffered stream.
    pub buffer_limit: BufferLimit,
}

/// Why settings are inconsistent.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A provider cannot be called.
    #[error(transparent)]
    Provider(#[from] ProviderConfigError),
    /// Two providers with the same name.
    #[error("duplicate provider {0}: rename one of them and set its kind")]
    DuplicateProvider(String),
    /// A route without models.
    #[error("route {0} has no models: add at least one as provider:model")]
    EmptyRoute(String),
    /// A route uses a provider that is not configured.
    #[error("route {route} uses {model}, but provider {} is not configured: add [providers.{}]", model.provider(), model.provider())]
    UnknownProvider {
        /// The route.
        route: String,
        /// Its model.
        model: ModelKey,
    },
}

/// A name that is neither a route nor a model. The caller or the configuration has to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownModel {
    /// The provider is not configured.
    #[error(
        "unknown model or route `{requested}`: provider {provider} is not configured, and {}. See GET /v1/models",
        list_routes(routes)
    )]
    ProviderNotConfigured {
        /// The requested name.
        requested: String,
        /// The provider that is missing.
        provider: String,
        /// The routes.
        routes: Vec<String>,
    },
    /// The name is nearly a route's.
    #[error(
        "unknown model or route `{requested}`. Did you mean the route `{route}`? A model of that name can be requested as \
         `{model}`. See GET /v1/models"
    )]
    MistypedRoute {
        /// The requested name.
        requested: String,
        /// The route.
        route: String,
        /// The model, with its provider.
        model: ModelKey,
    },
    /// The name cannot be the name of a model.
    #[error(transparent)]
    InvalidName(#[from] ModelKeyError),
}

fn list_routes(routes: &[String]) -> String {
    match routes {
        [] => "there are no routes".to_owned(),
        routes => format!("the routes are {}", routes.join(", ")),
    }
}

/// Routes and providers, checked and ready.
#[derive(Debug)]
pub struct Catalog {
    providers: HashMap<String, Arc<Provider>>,
    routes: BTreeMap<String, SharedChain>,
    /// What names of the routes' models resolve to.
    routed_models: RoutedModels,
    /// What other names of models resolved to that have answered.
    direct_chains: DirectChains<Chain>,
    /// The models of all routes, and their names without a provider: a request must not search thousands of routes.
    routed_keys: HashSet<ModelKey, RandomState>,
    routed_names: HashSet<Box<str>, RandomState>,
    /// The calls in flight of all models that are among equals.
    in_flight: HashMap<ModelKey, Arc<InFlight>>,
    retry: Retry,
    timeouts: Timeouts,
    stream: StreamMode,
    buffer_limit: BufferLimit,
}

/// A chain that every call counts while it lasts: each core has one of its own.
type SharedChain = Arc<PerCore<Arc<Chain>>>;

/// By name. It depends on the API format which provider a bare name implies.
type RoutedModels = HashMap<Box<str>, Vec<(Dialect, SharedChain)>, RandomState>;

/// The API formats of callers.
const CALLERS_DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

/// The models for a call, in the order in which they are tried. Alone on its cache lines, with its reference count.
#[derive(Debug, Clone)]
#[repr(align(128))]
pub struct Chain {
    /// The route's name, or the model's key.
    pub(crate) name: Arc<str>,
    pub(crate) entries: Vec<ChainEntry>,
    /// The groups of several equals, as ranges of `entries`, in order.
    pub(crate) equals: Vec<Range<usize>>,
    pub(crate) retry: Retry,
    pub(crate) timeouts: Timeouts,
    pub(crate) stream: StreamMode,
    pub(crate) buffer_limit: BufferLimit,
    /// Without a first token after this time, the next model is called as well.
    pub(crate) hedge_after: Option<Duration>,
    pub(crate) on_auth_error: OnAuthError,
    kind: ChainKind,
    /// Whether a route has the model, also if it was requested without a route: then its name is no typing error.
    pub(crate) is_routed_model: bool,
    /// Whether its model has a label of its own in the metrics, once that was looked up.
    pub(crate) has_own_label: OnceLock<()>,
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
    /// Its provider.
    pub(crate) provider: Arc<Provider>,
    /// Where some route has it among equals, its calls in flight.
    pub(crate) in_flight: Option<Arc<InFlight>>,
    /// Its circuit, in a chain that outlives a call.
    pub(crate) circuit: Option<CircuitSlot>,
    /// Its key as the value of a header, made for the first call: each core then counts its own.
    header_value: OnceLock<Option<HeaderValue>>,
}

impl ChainEntry {
    /// The API formats that it has at its provider, the preferred first.
    #[must_use]
    pub fn dialects(&self) -> &[Dialect] {
        self.provider.dialects_of(self.key.model())
    }

    /// Its key as the value of a header; `None`: it has characters that none can have.
    pub(crate) fn header_value(&self) -> Option<&HeaderValue> {
        self.header_value.get_or_init(|| HeaderValue::from_str(self.key.as_str()).ok()).as_ref()
    }
}

impl Chain {
    /// The models with what is known of them, in order.
    #[must_use]
    pub fn entries(&self) -> &[ChainEntry] {
        &self.entries
    }

    /// The route's name, or the model's key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The models, in order.
    pub fn models(&self) -> impl Iterator<Item = &ModelKey> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// The models of the first step: one, or equals.
    pub(crate) fn first_group(&self) -> &[ChainEntry] {
        let end = self.equals.first().filter(|group| group.start == 0).map_or(1, |group| group.end);
        self.entries.get(..end).unwrap_or(&self.entries)
    }

    /// Its steps in order: one model each, or equals.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &[ChainEntry]> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let group = self.equals_of(next).unwrap_or(next..next + 1);
            next = group.end;
            self.entries.get(group)
        })
    }

    /// The equals that a model of the chain, given by its index, is one of; `None`: it has none.
    pub(crate) fn equals_of(&self, index: usize) -> Option<Range<usize>> {
        self.equals.iter().find(|group| group.contains(&index)).cloned()
    }

    /// Whether it was made for one call: of a model without a route of which no call has been answered yet.
    pub(crate) fn is_of_one_call(&self) -> bool {
        self.entries.iter().all(|entry| entry.circuit.is_none())
    }

    /// Whether a route was requested, and not a model.
    #[must_use]
    pub fn is_route(&self) -> bool {
        self.kind == ChainKind::Route
    }
}

impl Catalog {
    /// Checks settings and prepares providers and routes.
    ///
    /// # Errors
    /// When the settings are inconsistent.
    pub fn new(settings: Settings) -> Result<Self, CatalogError> {
        let mut providers = HashMap::new();
        for config in settings.providers {
            let provider = Arc::new(Provider::new(config, settings.timeouts.connect)?);
            if let Some(duplicate) = providers.insert(provider.name().to_owned(), provider) {
                return Err(CatalogError::DuplicateProvider(duplicate.name().to_owned()));
            }
        }
        let groups = settings.routes.values().flat_map(|route| &route.models);
        let equals = groups.filter(|group| group.len() > 1).flat_map(ModelGroup::keys);
        let in_flight: HashMap<_, _> = equals.map(|key| (key.clone(), Arc::default())).collect();
        let mut routes = BTreeMap::new();
        for (name, route) in &settings.routes {
            let chain = route_chain(name, route, settings.buffer_limit, &providers, &in_flight)?;
            routes.insert(name.clone(), shared(&chain));
        }
        let routed_keys: HashSet<ModelKey, RandomState> =
            settings.routes.values().flat_map(Route::keys).cloned().collect();
        let catalog = Self {
            providers,
            routes,
            routed_models: RoutedModels::default(),
            direct_chains: DirectChains::default(),
            routed_names: routed_keys.iter().map(|key| key.model().into()).collect(),
            routed_keys,
            in_flight,
            retry: settings.retry,
            timeouts: settings.timeouts,
            stream: settings.stream,
            buffer_limit: settings.buffer_limit,
        };
        Ok(Self { routed_models: catalog.resolve_routed_models(), ..catalog })
    }

    /// Resolves all names by which callers may ask for a model that a route has.
    fn resolve_routed_models(&self) -> RoutedModels {
        let mut resolved = RoutedModels::default();
        let mut chains = HashMap::new();
        for key in self.routes.values().flat_map(|chain| chain.local().models()) {
            let (provider, model) = (key.provider(), key.model());
            for name in [key.as_str(), &format!("{provider}/{model}"), model] {
                for dialect in CALLERS_DIALECTS {
                    let Ok((key, _)) = self.key_of_name(dialect, name) else { continue };
                    let Some(entry) = self.entry(&key) else { continue };
                    let chain = chains.entry(entry.key.clone());
                    let chain = chain.or_insert_with(|| shared(&self.direct_chain(entry)));
                    let of_name: &mut Vec<_> = resolved.entry(name.into()).or_default();
                    if of_name.iter().all(|(other, _)| *other != dialect) {
                        of_name.push((dialect, Arc::clone(chain)));
                    }
                }
            }
        }
        resolved
    }

    /// The chain of a name: a route, a model key (`provider:model` or `provider/model`), or the bare name of a model, which
    /// implies a provider.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn resolve(&self, endpoint: Endpoint, name: &str) -> Result<Arc<Chain>, UnknownModel> {
        let dialect = endpoint.dialect();
        let routed_model = || {
            let of_name = self.routed_models.get(name)?;
            of_name.iter().find_map(|(other, chain)| (*other == dialect).then_some(chain))
        };
        if let Some(chain) = self.routes.get(name).or_else(routed_model) {
            return Ok(Arc::clone(chain.local()));
        }
        if let Some(chain) = self.direct_chains.get(dialect, name) {
            return Ok(chain);
        }
        Ok(Arc::new(self.direct_chain(self.resolve_model(dialect, name)?)))
    }

    /// The model that a name means has answered: the next call finds its chain ready. Until then, a name may be anything.
    pub(crate) fn keep_direct_chain(&self, endpoint: Endpoint, name: &str) {
        let dialect = endpoint.dialect();
        if let Ok(entry) = self.resolve_model(dialect, name) {
            self.direct_chains.keep(dialect, name, &shared(&self.direct_chain(entry)));
        }
    }

    /// The model of a name that is no route's, and not nearly one's.
    fn resolve_model(&self, dialect: Dialect, name: &str) -> Result<ChainEntry, UnknownModel> {
        let (key, is_bare) = self.key_of_name(dialect, name)?;
        if is_bare
            && !self.routed_names.contains(name)
            && let Some(route) = route_names::mistyped(name, self.routes.keys().map(String::as_str))
        {
            let (requested, route) = (name.to_owned(), route.to_owned());
            return Err(UnknownModel::MistypedRoute { requested, route, model: key });
        }
        self.entry(&key).ok_or_else(|| UnknownModel::ProviderNotConfigured {
            requested: name.to_owned(),
            provider: key.provider().to_owned(),
            routes: self.routes.keys().cloned().collect(),
        })
    }

    /// The model that a name means, and whether it names no provider.
    fn key_of_name(&self, dialect: Dialect, name: &str) -> Result<(ModelKey, bool), ModelKeyError> {
        let split =
            self.split_provider(dialect, name, ':').or_else(|| self.split_provider(dialect, name, '/'));
        let (provider, model) = split.unwrap_or_else(|| (default_provider(dialect, name), name));
        Ok((ModelKey::new(provider, model)?, split.is_none()))
    }

    /// A model, if its provider is there.
    fn entry(&self, key: &ModelKey) -> Option<ChainEntry> {
        let provider = self.providers.get(key.provider())?;
        let in_flight = self.in_flight.get(key).cloned();
        let header_value = OnceLock::new();
        let key = key.clone();
        Some(ChainEntry { key, provider: Arc::clone(provider), in_flight, circuit: None, header_value })
    }

    /// The routes by name.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (&str, &Chain)> {
        self.routes.iter().map(|(name, chain)| (name.as_str(), &**chain.local()))
    }

    /// The models of all routes, by name.
    #[must_use]
    pub fn routed_models(&self) -> BTreeSet<&ModelKey> {
        self.routes().flat_map(|(_, chain)| chain.models()).collect()
    }

    /// The names of the providers, sorted.
    #[must_use]
    pub fn provider_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.providers.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// A provider by its name.
    pub(crate) fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    /// The limits on a request to a model that is called directly.
    pub(crate) const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The names that callers can use: the routes, then their models, each once.
    #[must_use]
    pub fn model_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.routes.keys().map(String::as_str).collect();
        for key in self.routes.values().flat_map(|chain| chain.local().models()) {
            if !names.contains(&key.as_str()) {
                names.push(key.as_str());
            }
        }
        names
    }

    /// Splits `name` at the first `separator`, if the part before it is a provider.
    fn split_provider<'a>(
        &self,
        dialect: Dialect,
        name: &'a str,
        separator: char,
    ) -> Option<(&'a str, &'a str)> {
        name.split_once(separator).filter(|(provider, _)| {
            self.providers.contains_key(*provider)
                || KNOWN_PROVIDERS.contains(provider)
                || (Vendor::named(provider).is_some()
                    && self.is_at_its_maker(default_provider(dialect, name)))
        })
    }

    /// Whether a provider has only its maker's models, or is not there. A compatible server may have models whose own names begin
    /// like a vendor's: `mistral:7b`, `deepseek/deepseek-chat`.
    fn is_at_its_maker(&self, provider: &str) -> bool {
        self.providers.get(provider).is_none_or(|provider| provider.is_official())
    }

    /// Whether a route has this model.
    pub(crate) fn is_routed(&self, model: &ModelKey) -> bool {
        self.routed_keys.contains(model)
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
            has_own_label: OnceLock::new(),
            entries: vec![entry],
            equals: Vec::new(),
        }
    }
}

fn route_chain(
    name: &str,
    route: &Route,
    buffer_limit: BufferLimit,
    providers: &HashMap<String, Arc<Provider>>,
    in_flight: &HashMap<ModelKey, Arc<InFlight>>,
) -> Result<Chain, CatalogError> {
    if route.models.is_empty() {
        return Err(CatalogError::EmptyRoute(name.to_owned()));
    }
    let to_entry = |key: &ModelKey| match providers.get(key.provider()) {
        Some(provider) => Ok(ChainEntry {
            key: key.clone(),
            provider: Arc::clone(provider),
            in_flight: in_flight.get(key).cloned(),
            circuit: None,
            header_value: OnceLock::new(),
        }),
        None => Err(CatalogError::UnknownProvider { route: name.to_owned(), model: key.clone() }),
    };
    let mut equals = Vec::new();
    let mut start = 0;
    for group in &route.models {
        let end = start + group.len();
        if group.len() > 1 {
            equals.push(start..end);
        }
        start = end;
    }
    Ok(Chain {
        name: name.into(),
        entries: route.keys().map(to_entry).collect::<Result<_, _>>()?,
        equals,
        retry: route.retry,
        timeouts: route.timeouts,
        stream: route.stream,
        buffer_limit,
        hedge_after: route.hedge_after,
        on_auth_error: route.on_auth_error,
        kind: ChainKind::Route,
        is_routed_model: true,
        has_own_label: OnceLock::new(),
    })
}

/// A copy for each core, which keeps its circuits.
fn shared(chain: &Chain) -> SharedChain {
    let copy = || {
        let mut chain = chain.clone();
        chain.entries.iter_mut().for_each(|entry| entry.circuit = Some(CircuitSlot::default()));
        Arc::new(chain)
    };
    Arc::new(PerCore::new(copy))
}

/// The provider of a bare model name.
fn default_provider(dialect: Dialect, model: &str) -> &'static str {
    match dialect {
        _ if model.starts_with("claude-") => "anthropic",
        _ if model.starts_with("gemini-") => "google-genai",
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "openai",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "google-genai",
        Dialect::BedrockConverse => "bedrock",
    }
}

#[cfg(test)]
mod tests;
