//! `[keys.NAME]`, and the short forms of it: `[server] api_keys` and `admin_keys`, and the keys in the environment.

use std::collections::BTreeMap;

use breaker::{CallerName, ModelKey};
use gateway::{Key, KeyDigest, Keys, Role};
use manager::{AllowedModels, ModelPattern, Route};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    context::ParseContext, document::Section, environment::names, problem::Location, providers::Providers,
    value::Value,
};

/// Settings whose names are kept for limits, which do not exist yet.
const LIMITS: [&str; 4] = ["requests", "tokens", "spend", "at_once"];

/// The keys of callers and operators.
#[derive(Debug, Clone, Default)]
pub struct KeysConfig {
    /// All of them.
    pub accepted: Keys,
    /// Those that have a table of their own, `[keys.NAME]`.
    pub named: Vec<CallerName>,
}

/// The keys of `[server]`, in order; `None`: they are invalid, and reported.
#[derive(Debug, Default)]
pub(super) struct ServerKeys {
    pub(super) api: Option<Vec<UnnamedKey>>,
    pub(super) admin: Option<Vec<UnnamedKey>>,
}

/// A key of a list.
#[derive(Debug)]
pub(super) struct UnnamedKey {
    key: SecretString,
    location: Location,
}

/// A key and where it comes from, for problems.
struct LocatedKey {
    key: Key,
    location: Location,
}

impl ServerKeys {
    /// Reads both lists of `[server]`.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self { api: read_list(section, "api_keys"), admin: read_list(section, "admin_keys") }
    }
}

fn read_list(section: &mut Section<'_>, key: &'static str) -> Option<Vec<UnnamedKey>> {
    let Some(list) = section.value(key) else { return Some(Vec::new()) };
    let read = |value: &Value<'_>| Some(UnnamedKey { key: value.secret()?, location: value.location() });
    list.array()?.iter().map(read).collect()
}

impl KeysConfig {
    /// Reads `[keys]`, and names the keys of `[server]` and of the environment in their order. Reports a listener that other
    /// machines can reach but that has no key for calls; `listen` says where its address comes from, if it is such a one.
    pub(super) fn read(
        section: &Section<'_>,
        server: ServerKeys,
        routes: &BTreeMap<String, Route>,
        providers: &Providers,
        listen: Option<(std::net::SocketAddr, Location)>,
    ) -> Self {
        let context = section.context;
        let is_known = |name: &str| {
            let model = name.parse::<ModelKey>();
            routes.contains_key(name) || model.is_ok_and(|key| providers.contains_key(key.provider()))
        };
        let (mut keys, mut invalid) = (Vec::new(), false);
        for (name, table) in section.subsections() {
            match read_key(name, table, is_known) {
                Some(key) => keys.push(key),
                None => invalid = true,
            }
        }
        let named = keys.iter().map(|located| located.key.name().clone()).collect();
        invalid |= server.api.is_none() || server.admin.is_none();
        for (role, list) in [(Role::Caller, server.api), (Role::Admin, server.admin)] {
            add_unnamed(context, role, list.unwrap_or_default(), &mut keys);
        }
        let has_api_keys = keys.iter().any(|located| located.key.role() == Role::Caller);
        if let (Some((address, location)), false, false) = (listen, has_api_keys, invalid) {
            let advice =
                "add [keys.NAME], set SWITCHBOARD_API_KEY or [server] api_keys, or listen on 127.0.0.1";
            let message =
                format!("listening on {address}, which is not loopback, requires api_keys; {advice}");
            context.report(location, message);
        }
        report_duplicates(context, &keys);
        // Duplicates are reported, so nobody gets to see what is left out for them.
        let accepted = Keys::new(keys.into_iter().map(|located| located.key).collect()).unwrap_or_default();
        Self { accepted, named }
    }
}

/// One `[keys.NAME]`.
fn read_key(name: &str, mut section: Section<'_>, is_known: impl Fn(&str) -> bool) -> Option<LocatedKey> {
    let location = section.context.location(section.line);
    let report = |section: &Section<'_>, message: String| {
        section.context.report(location.clone(), format!("[{}] {message}", section.name));
    };
    let key_name = name.parse::<CallerName>();
    if let Err(error) = &key_name {
        report(&section, format!("is not a valid name of a key: {error}"));
    }
    let (key, hash) = (section.value("key"), section.value("hash"));
    if key.is_some() == hash.is_some() {
        let message = "needs either key, such as \"${CI_KEY}\", or hash, such as \"sha256:...\"";
        report(&section, message.to_owned());
    }
    let from_key = key.map(|key| key.secret().map(|key| KeyDigest::of(key.expose_secret().as_bytes())));
    let from_hash = hash.map(|hash| match hash.text()?.parse() {
        Ok(digest) => Some(digest),
        Err(error) => hash.report(error),
    });
    let models = section.value("models").map(|models| read_models(&models, is_known));
    let mut trusted_reports = false;
    section.read_into("report", &mut trusted_reports, |value| value.boolean());
    for limit in LIMITS {
        if let Some(value) = section.value(limit) {
            value.report::<()>("is not supported yet; remove it");
        }
    }
    section.report_unknown_keys();
    let digest = from_key.or(from_hash)??;
    let models = match models {
        Some(models) => Some(models?),
        None => None,
    };
    let key = Key::new(key_name.ok()?, digest, Role::Caller)
        .with_allowed_models(models)
        .with_trusted_reports(trusted_reports);
    Some(LocatedKey { key, location })
}

/// The patterns. One without `*` that names nothing is a typing error: the key could not be used as it is meant to be.
fn read_models(value: &Value<'_>, is_known: impl Fn(&str) -> bool) -> Option<AllowedModels> {
    let items = value.array()?;
    if items.is_empty() {
        return value.report("is empty, expected at least one route or model; without models it may use all");
    }
    let pattern = |item: &Value<'_>| {
        let text = item.text()?;
        match text.parse::<ModelPattern>() {
            Ok(_) if !text.contains('*') && !is_known(&text) => item.report(format_args!(
                "is {text:?}, which is neither a route nor a model of a known provider"
            )),
            Ok(pattern) => Some(pattern),
            Err(error) => item.report(error),
        }
    };
    let patterns: Vec<_> = items.iter().map(pattern).collect();
    patterns.into_iter().collect::<Option<Vec<_>>>().map(AllowedModels::new)
}

/// Names the keys of a list `key-1`, `key-2` and so on (`admin-1` those of operators), and the one in the environment after
/// them, unless a table or the list has it already. An empty one is an error.
fn add_unnamed(context: &ParseContext<'_>, role: Role, list: Vec<UnnamedKey>, keys: &mut Vec<LocatedKey>) {
    let (prefix, variable) = match role {
        Role::Caller => ("key", names::API_KEY),
        Role::Admin => ("admin", names::ADMIN_KEY),
    };
    let mut number = 0;
    let mut add = |keys: &mut Vec<LocatedKey>, digest, location| {
        number += 1;
        // Always a valid name.
        if let Ok(name) = format!("{prefix}-{number}").parse() {
            keys.push(LocatedKey { key: Key::new(name, digest, role), location });
        }
    };
    for UnnamedKey { key, location } in list {
        add(keys, KeyDigest::of(key.expose_secret().as_bytes()), location);
    }
    let Some(key) = context.environment.get_even_if_empty(variable) else { return };
    if key.trim().is_empty() {
        // Whoever set it meant to have a key: without one the gateway would serve everybody on this machine.
        return context.report_variable(variable, "is empty, expected a key; unset it to have none");
    }
    let digest = KeyDigest::of(key.as_bytes());
    if !keys.iter().any(|known| known.key.role() == role && *known.key.digest() == digest) {
        add(keys, digest, Location::Variable(variable.to_owned()));
    }
}

fn report_duplicates(context: &ParseContext<'_>, keys: &[LocatedKey]) {
    for (index, duplicate) in Keys::duplicates(keys.iter().map(|located| &located.key)) {
        context.report(keys[index].location.clone(), duplicate.to_string());
    }
}
