//! The configuration: a file, the environment over it, and the defaults under both.
//!
//! [`Config::load`] is a pure function of its [`Sources`], so a reload is another call of it, and tests need neither
//! files nor variables. It reads all tables in one pass that collects every [`Problem`] with its line, and returns
//! either the settings in the types that the other crates take, or all problems; never a half valid configuration.
//!
//! Precedence, the first wins:
//! - the command line, the environment, `.env`, the file, the defaults;
//! - a provider or route of the file over the one of the same name that the environment defines
//!   (for routes see [`tasks`]), key by key;
//! - `[models."provider:model".breaker]` over `[breaker]`, in each of them an explicit key over a `preset`.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ::manager::Route;
use ::providers::ProviderConfig;
use circuits::Policies;

mod api;
mod base_url;
mod breaker;
mod calls;
mod changes;
mod context;
mod document;
mod dotenv;
pub mod environment;
mod google;
mod interpolate;
mod keys;
mod local;
pub mod model_ends;
mod origins;
mod print;
mod problem;
mod providers;
mod redis;
mod route_names;
mod routes;
mod server;
pub mod tasks;
mod value;
mod vendor_url;

pub use calls::CallSettings;
pub use changes::Changes;
pub use environment::Environment;
pub use gateway::duration::{DurationError, DurationText};
pub use keys::KeysConfig;
pub use problem::{Location, Problem, Problems};
pub use redis::{RedisConfig, RedisUrl};
pub use server::{ServerConfig, parse_listen};

use context::ParseContext;
use document::{Section, Tables};
use providers::{missing_provider, read_providers};

/// The file that is read by default, if it exists.
pub const DEFAULT_FILE: &str = "switchboard.toml";

/// Everything that a configuration is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<SourceFile>,
    /// The environment, including `.env`.
    pub environment: Environment,
    /// The command line's `--listen`.
    pub listen: Option<SocketAddr>,
}

/// A file and its text.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as given.
    pub path: PathBuf,
    /// Its text, which may contain secrets.
    pub text: String,
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sources {
    /// Reads the file that `path` or `SWITCHBOARD_CONFIG` names, or else [`DEFAULT_FILE`] if it exists.
    ///
    /// # Errors
    /// When a file that is named, or that exists, cannot be read.
    pub fn read(
        path: Option<&Path>,
        environment: Environment,
        listen: Option<SocketAddr>,
    ) -> Result<Self, Problem> {
        let by_variable = || environment.get(environment::names::CONFIG).map(PathBuf::from);
        let explicit_path = path.map(Path::to_owned).or_else(by_variable);
        let path = explicit_path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => Some(SourceFile { path, text }),
            Err(error) if explicit_path.is_none() && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Problem {
                    location: Location::WholeFile(path),
                    message: format!("cannot be read: {error}"),
                });
            }
        };
        Ok(Self { file, environment, listen })
    }

    /// The name of the configuration in messages.
    #[must_use]
    pub fn display_name(&self) -> String {
        match &self.file {
            Some(file) => file.path.display().to_string(),
            None => format!("environment (no {DEFAULT_FILE})"),
        }
    }

    /// Calls `read` with the tables; returns its result if it reported no problem.
    fn parse_with<T>(&self, read: impl FnOnce(Section<'_>) -> T) -> Result<T, Problems> {
        let (path, text) = match &self.file {
            Some(file) => (file.path.as_path(), file.text.as_str()),
            None => (Path::new(DEFAULT_FILE), ""),
        };
        let tables = Tables::parse(path, text)?;
        let context = ParseContext::new(path, text, &self.environment);
        let result = read(tables.root(&context));
        Problems::check(context.into_problems())?;
        Ok(result)
    }
}

/// The whole configuration, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`.
    pub server: ServerConfig,
    /// `[keys]`, and the keys of `[server]` and of the environment.
    pub keys: KeysConfig,
    /// `[redis]`.
    pub redis: RedisConfig,
    /// `[breaker]`, and the policies of single models.
    pub policies: Policies,
    /// The providers, sorted by name.
    pub providers: Vec<ProviderConfig>,
    /// The routes by name.
    pub routes: BTreeMap<String, Route>,
    /// `[open_swe] enabled`: whether Open SWE's tasks are among the routes.
    pub open_swe: bool,
    /// How requests are made, unless their route says otherwise.
    pub call_settings: CallSettings,
    /// What is allowed, and probably not meant.
    pub warnings: Vec<Problem>,
}

/// The part that is needed to inspect circuits without a gateway; provider keys are not.
#[derive(Debug, Clone)]
pub struct CircuitsConfig {
    /// `[redis]`.
    pub redis: RedisConfig,
    /// `[breaker]`, and the policies of single models.
    pub policies: Policies,
}

impl Config {
    /// Loads the configuration.
    ///
    /// # Errors
    /// All problems of the sources.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        sources.parse_with(|mut root| {
            let calls = CallSettings::default().with_overrides(&mut root);
            let (server, listen_location, server_keys) =
                ServerConfig::read(root.section("server"), sources.listen);
            let redis = RedisConfig::read(root.section("redis"));
            let (route_tables, model_tables) = (root.section("routes"), root.section("models"));
            let requested = local::requested(&route_tables, &model_tables, root.context.environment);
            let provider_tables = root.section("providers");
            let providers = read_providers(&provider_tables, server.listen, &requested);
            let open_swe = tasks::read_enabled(root.section("open_swe"));
            let chains =
                if open_swe { tasks::task_chains(&provider_tables, &providers) } else { BTreeMap::new() };
            let routes = routes::read_routes(&route_tables, chains, &providers, &calls);
            let reachable = (!server.listen.ip().is_loopback()).then_some((server.listen, listen_location));
            let keys = KeysConfig::read(&root.section("keys"), server_keys, &routes, &providers, reachable);
            let breaker = root.section("breaker");
            let mut policies = breaker::read_policies(breaker, &model_tables, |model, key| {
                if !providers.contains_key(key.provider()) {
                    let missing = missing_provider(key.provider(), &providers);
                    model.context.report_line(model.line, format!("[{}]: {missing}", model.name));
                }
            });
            let routed = routes.values().flat_map(Route::keys);
            policies.named = Some(routed.chain(policies.models.keys()).cloned().collect());
            route_names::warn(&route_tables, &routes, policies.models.keys(), &providers);
            let warnings = root.context.take_warnings();
            root.report_unknown_keys();
            let providers = providers.into_values().flatten().collect();
            Self {
                server,
                keys,
                redis,
                policies,
                providers,
                routes,
                open_swe,
                call_settings: calls,
                warnings,
            }
        })
    }

    /// The settings of the manager.
    #[must_use]
    pub fn manager_settings(&self) -> ::manager::Settings {
        ::manager::Settings {
            providers: self.providers.clone(),
            routes: self.routes.clone(),
            retry: self.call_settings.retry,
            timeouts: self.call_settings.timeouts,
            stream: self.call_settings.stream,
            buffer_limit: ::manager::BufferLimit::default(),
        }
    }

    /// Loads the part that is needed to inspect circuits; problems of other tables are not reported.
    ///
    /// # Errors
    /// All problems of that part.
    pub fn load_circuits(sources: &Sources) -> Result<CircuitsConfig, Problems> {
        sources.parse_with(|mut root| {
            let redis = RedisConfig::read(root.section("redis"));
            let breaker = root.section("breaker");
            let policies = breaker::read_policies(breaker, &root.section("models"), |_, _| ());
            CircuitsConfig { redis, policies }
        })
    }
}
