//! The configuration: a file, the environment over it, and defaults under both (DESIGN 1.3).
//!
//! [`Config::load`] is a pure function of its [`Sources`], so that a changed file is taken up by calling it again, and
//! tests need neither files nor variables. It reads all tables in one pass that gathers every [`Problem`] with its
//! line, and yields either the settings in the very types that the other crates take, or all problems; there is
//! nothing half valid in between.
//!
//! What stands over what, the first winning:
//! - the command line, the environment, `.env`, the file, the defaults;
//! - a provider or route of the file over the one of the same name that the environment makes
//!   (for routes see [`tasks`]): the file's keys win, and what it leaves out is taken from there;
//! - `[models."provider:model".breaker]` over `[breaker]`, in each an explicit key over a `preset`.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ::manager::Route;
use ::providers::ProviderConfig;
use circuits::Policies;
use gateway::duration;

mod breaker;
mod calls;
mod document;
pub mod environment;
mod interpolate;
pub mod model_ends;
mod print;
mod problem;
mod providers;
mod redis;
mod routes;
mod server;
pub mod tasks;
mod value;

pub use calls::CallSettings;
pub use duration::{DurationError, DurationText};
pub use environment::Environment;
pub use problem::{Location, Problem, Problems};
pub use redis::{RedisConfig, RedisUrl};
pub use server::{ServerConfig, parse_listen};

use document::{ParseContext, Section, Tables};
use providers::{missing_provider, read_providers};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "switchboard.toml";

/// All that a configuration is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file; `None`: there is none.
    pub file: Option<SourceFile>,
    /// The environment, `.env` among it.
    pub environment: Environment,
    /// The command line's `--listen`.
    pub listen: Option<SocketAddr>,
}

/// A file as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as it was named.
    pub path: PathBuf,
    /// Its text, which may hold keys.
    pub text: String,
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sources {
    /// Reads the file that `named` or `SWITCHBOARD_CONFIG` names, or else [`DEFAULT_FILE`] if it is there.
    ///
    /// # Errors
    /// When a file that was named, or that is there, cannot be read.
    pub fn read(
        named: Option<&Path>,
        environment: Environment,
        listen: Option<SocketAddr>,
    ) -> Result<Self, Problem> {
        let by_variable = || environment.get(environment::names::CONFIG).map(PathBuf::from);
        let explicit_path = named.map(Path::to_owned).or_else(by_variable);
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

    /// What to call the configuration when speaking of it.
    #[must_use]
    pub fn display_name(&self) -> String {
        match &self.file {
            Some(file) => file.path.display().to_string(),
            None => format!("environment (there is no {DEFAULT_FILE})"),
        }
    }

    /// Has `read` read the tables, and yields its result if it noted no problem.
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

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`.
    pub server: ServerConfig,
    /// `[redis]`.
    pub redis: RedisConfig,
    /// `[breaker]` and what single models have instead.
    pub policies: Policies,
    /// The providers, in the order of their names.
    pub providers: Vec<ProviderConfig>,
    /// The routes by name.
    pub routes: BTreeMap<String, Route>,
    /// How calls are made that no route says otherwise of.
    pub call_settings: CallSettings,
}

/// What is needed to look at the circuits without a gateway: no key needs to be set for that.
#[derive(Debug, Clone)]
pub struct CircuitsConfig {
    /// `[redis]`.
    pub redis: RedisConfig,
    /// `[breaker]` and what single models have instead.
    pub policies: Policies,
}

impl Config {
    /// Makes the configuration from its sources.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        sources.parse_with(|mut root| {
            let calls = CallSettings::default().with_overrides(&mut root);
            let server = ServerConfig::read(root.section("server"), sources.listen);
            let redis = RedisConfig::read(root.section("redis"));
            let providers = read_providers(&root.section("providers"), server.listen);
            let routes = routes::read_routes(&root.section("routes"), &providers, &calls);
            let breaker = root.section("breaker");
            let policies = breaker::read_policies(breaker, &root.section("models"), |model, key| {
                if !providers.contains_key(key.provider()) {
                    let missing = missing_provider(key.provider(), &providers);
                    model.context.report_line(model.line, format!("[{}]: {missing}", model.name));
                }
            });
            root.report_unknown_keys();
            let providers = providers.into_values().flatten().collect();
            Self { server, redis, policies, providers, routes, call_settings: calls }
        })
    }

    /// What the manager needs of it.
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

    /// Makes that part of the configuration that looking at circuits needs; problems of the rest are not told.
    ///
    /// # Errors
    /// All that is wrong with that part.
    pub fn load_circuits(sources: &Sources) -> Result<CircuitsConfig, Problems> {
        sources.parse_with(|mut root| {
            let redis = RedisConfig::read(root.section("redis"));
            let breaker = root.section("breaker");
            let policies = breaker::read_policies(breaker, &root.section("models"), |_, _| ());
            CircuitsConfig { redis, policies }
        })
    }
}
