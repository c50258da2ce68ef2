//! The effective configuration as text, secrets hidden.

use std::collections::BTreeMap;

use ::breaker::{Mode, Policy};
use gateway::{Key, Role};
use manager::{ModelGroup, Retry, Route};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use serde::Serialize;

use super::{
    CallSettings, Config, DurationText, Sources,
    api::KINDS,
    breaker::MODES,
    calls::{ON_AUTH_ERROR, STREAM_MODES},
    origins::annotate,
    providers::DIALECTS,
};

/// Replaces a secret.
const REDACTED: &str = "***";

/// The configuration with the names and order of the file.
#[derive(Serialize)]
struct PrintedConfig {
    stream: &'static str,
    hedge_after: DurationOrOff,
    on_auth_error: &'static str,
    server: PrintedServer,
    keys: BTreeMap<String, PrintedKey>,
    redis: PrintedRedis,
    breaker: PrintedPolicy,
    retry: PrintedRetry,
    timeouts: PrintedTimeouts,
    models: BTreeMap<String, PrintedModel>,
    providers: BTreeMap<String, PrintedProvider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_swe: Option<PrintedOpenSwe>,
    routes: BTreeMap<String, PrintedRoute>,
}

#[derive(Serialize)]
struct PrintedServer {
    listen: String,
    api_keys: Vec<String>,
    admin_keys: Vec<String>,
    shutdown_timeout: DurationText,
}

#[derive(Serialize)]
struct PrintedKey {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<String>>,
    report: bool,
}

#[derive(Serialize)]
struct PrintedRedis {
    url: String,
}

#[derive(Serialize)]
struct PrintedModel {
    breaker: PrintedPolicy,
}

#[derive(Serialize)]
struct PrintedPolicy {
    mode: &'static str,
    failure_threshold: u32,
    min_failure_span: DurationText,
    burst_threshold: u32,
    failures_ttl: DurationText,
    failure_rate: RateOrOff,
    minimum_calls: u32,
    window: DurationText,
    max_cooldown: DurationText,
    open_duration: DurationText,
    open_backoff: f64,
    max_open_duration: DurationText,
    open_jitter: f64,
    half_open_probes: u32,
    success_threshold: u32,
    probe_lease: DurationText,
}

#[derive(Serialize)]
struct PrintedRetry {
    max_attempts: u32,
    initial_backoff: DurationText,
    max_retry_after: DurationText,
}

#[derive(Serialize)]
struct PrintedTimeouts {
    connect: DurationText,
    first_byte: DurationText,
    first_token: DurationText,
    idle: DurationText,
    response: DurationText,
    total: DurationText,
}

#[derive(Serialize)]
struct PrintedProvider {
    kind: &'static str,
    base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<String>,
    speaks: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forward: Vec<String>,
}

#[derive(Serialize)]
struct PrintedOpenSwe {
    enabled: bool,
}

#[derive(Serialize)]
struct PrintedRoute {
    models: Vec<PrintedGroup>,
    stream: &'static str,
    hedge_after: DurationOrOff,
    on_auth_error: &'static str,
    retry: PrintedRetry,
    timeouts: PrintedTimeouts,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PrintedGroup {
    Model(String),
    Equals(Vec<String>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum DurationOrOff {
    After(DurationText),
    Off(&'static str),
}

#[derive(Serialize)]
#[serde(untagged)]
enum RateOrOff {
    Rate(f64),
    Off(&'static str),
}

impl Config {
    /// The effective configuration as TOML.
    ///
    /// # Errors
    /// When it cannot be serialized, which would be a bug.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.to_printed())
    }

    /// The same, with a comment behind each value that says where it comes from: `# env REDIS_URL`, `# file:12`, `# default`.
    ///
    /// # Errors
    /// When it cannot be serialized, which would be a bug.
    pub fn to_annotated_toml(&self, sources: &Sources) -> Result<String, toml::ser::Error> {
        Ok(annotate(&self.to_toml()?, sources))
    }

    /// The effective configuration as JSON.
    ///
    /// # Errors
    /// When it cannot be serialized, which would be a bug.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.to_printed())
    }

    fn to_printed(&self) -> PrintedConfig {
        let CallSettings { retry, timeouts, stream, hedge_after, on_auth_error } = self.call_settings;
        let models = self.policies.models.iter();
        let providers = self.providers.iter();
        let routes = self.routes.iter();
        PrintedConfig {
            stream: keyword(&STREAM_MODES, &stream),
            hedge_after: hedge_after.into(),
            on_auth_error: keyword(&ON_AUTH_ERROR, &on_auth_error),
            server: self.to_printed_server(),
            keys: self.named_keys().map(|key| (key.name().to_string(), key.into())).collect(),
            redis: PrintedRedis { url: self.redis.url.to_string().replace("${", "$${") },
            breaker: (&self.policies.default).into(),
            retry: (&retry).into(),
            timeouts: (&timeouts).into(),
            models: models
                .map(|(key, policy)| (key.to_string(), PrintedModel { breaker: policy.into() }))
                .collect(),
            providers: providers.map(|provider| (provider.name.clone(), provider.into())).collect(),
            open_swe: self.open_swe.then_some(PrintedOpenSwe { enabled: true }),
            routes: routes.map(|(name, route)| (name.clone(), route.into())).collect(),
        }
    }
}

impl Config {
    fn to_printed_server(&self) -> PrintedServer {
        let keys = |role| {
            let keys = self.keys.accepted.iter().filter(move |key| key.role() == role && !self.is_named(key));
            keys.map(redacted).collect()
        };
        PrintedServer {
            listen: self.server.listen.to_string(),
            api_keys: keys(Role::Caller),
            admin_keys: keys(Role::Admin),
            shutdown_timeout: DurationText(self.server.shutdown_timeout),
        }
    }

    fn named_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.accepted.iter().filter(|key| self.is_named(key))
    }

    fn is_named(&self, key: &Key) -> bool {
        self.keys.named.contains(key.name())
    }
}

/// In place of a caller's key. No two are the same, as no two keys may be.
fn redacted(key: &Key) -> String {
    format!("{REDACTED} ({})", key.name())
}

/// The name of a value in the file.
fn keyword<T: PartialEq>(keywords: &[(&'static str, T)], value: &T) -> &'static str {
    keywords.iter().find(|(_, meaning)| meaning == value).map_or("", |(name, _)| name)
}

impl From<Option<std::time::Duration>> for DurationOrOff {
    fn from(duration: Option<std::time::Duration>) -> Self {
        duration.map_or(Self::Off("off"), |duration| Self::After(DurationText(duration)))
    }
}

impl From<&Key> for PrintedKey {
    fn from(key: &Key) -> Self {
        Self {
            key: redacted(key),
            models: key.allowed_models().map(|allowed| allowed.patterns().map(ToString::to_string).collect()),
            report: key.may_set_cooldowns(),
        }
    }
}

impl From<&Policy> for PrintedPolicy {
    fn from(policy: &Policy) -> Self {
        Self {
            mode: keyword::<Mode>(&MODES, &policy.mode),
            failure_threshold: policy.failure_threshold,
            min_failure_span: DurationText(policy.min_failure_span),
            burst_threshold: policy.burst_threshold,
            failures_ttl: DurationText(policy.failures_ttl),
            failure_rate: policy.failure_rate.map_or(RateOrOff::Off("off"), RateOrOff::Rate),
            minimum_calls: policy.minimum_calls,
            window: DurationText(policy.window),
            max_cooldown: DurationText(policy.max_cooldown),
            open_duration: DurationText(policy.open_duration),
            open_backoff: policy.open_backoff,
            max_open_duration: DurationText(policy.max_open_duration),
            open_jitter: policy.open_jitter,
            half_open_probes: policy.half_open_probes,
            success_threshold: policy.success_threshold,
            probe_lease: DurationText(policy.probe_lease),
        }
    }
}

impl From<&Retry> for PrintedRetry {
    fn from(retry: &Retry) -> Self {
        Self {
            max_attempts: retry.max_attempts,
            initial_backoff: DurationText(retry.initial_backoff),
            max_retry_after: DurationText(retry.max_retry_after),
        }
    }
}

impl From<&Timeouts> for PrintedTimeouts {
    fn from(timeouts: &Timeouts) -> Self {
        Self {
            connect: DurationText(timeouts.connect),
            first_byte: DurationText(timeouts.first_byte),
            first_token: DurationText(timeouts.first_token),
            idle: DurationText(timeouts.idle),
            response: DurationText(timeouts.response),
            total: DurationText(timeouts.total),
        }
    }
}

impl From<&ProviderConfig> for PrintedProvider {
    fn from(provider: &ProviderConfig) -> Self {
        Self {
            kind: provider.vendor.map_or_else(|| keyword(&KINDS, &provider.kind), |vendor| vendor.name),
            base_url: provider.base_url.to_string(),
            api_key: provider.api_key.as_ref().map(|_| REDACTED),
            api_version: (provider.kind == ProviderKind::Azure)
                .then(|| provider.api_version.clone().unwrap_or_else(|| "v1".to_owned())),
            region: provider.aws.as_ref().map(|aws| aws.region.clone()),
            profile: provider.aws.as_ref().and_then(|aws| aws.profile.clone()),
            project: provider.google.as_ref().and_then(|google| google.project.clone()),
            location: provider.google.as_ref().map(|google| google.location.clone()),
            credentials: provider
                .google
                .as_ref()
                .and_then(|google| google.credentials.as_ref().map(|path| path.display().to_string())),
            speaks: provider.dialects().iter().map(|dialect| keyword(&DIALECTS, dialect)).collect(),
            ca_file: provider.ca_file.as_ref().map(|path| path.display().to_string()),
            forward: provider.forward.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&ModelGroup> for PrintedGroup {
    fn from(group: &ModelGroup) -> Self {
        let mut keys: Vec<_> = group.keys().map(ToString::to_string).collect();
        match (keys.pop(), keys.is_empty()) {
            (Some(key), true) => Self::Model(key),
            (last, _) => Self::Equals(keys.into_iter().chain(last).collect()),
        }
    }
}

impl From<&Route> for PrintedRoute {
    fn from(route: &Route) -> Self {
        Self {
            models: route.models.iter().map(PrintedGroup::from).collect(),
            stream: keyword(&STREAM_MODES, &route.stream),
            hedge_after: route.hedge_after.into(),
            on_auth_error: keyword(&ON_AUTH_ERROR, &route.on_auth_error),
            retry: (&route.retry).into(),
            timeouts: (&route.timeouts).into(),
        }
    }
}
