//! `[routes.NAME]`, over the built-in routes of Open SWE's tasks.

use std::collections::BTreeMap;

use breaker::ModelKey;
use manager::{ModelGroup, Route};

use super::{
    calls::CallSettings,
    document::Section,
    providers::{Providers, missing_provider},
    tasks::is_task,
    value::Value,
};

/// The routes by name: the file's over those of the tasks, which have these chains.
pub(super) fn read_routes(
    section: &Section<'_>,
    chains: BTreeMap<String, Vec<ModelKey>>,
    providers: &Providers,
    call_settings: &CallSettings,
) -> BTreeMap<String, Route> {
    let mut routes: BTreeMap<_, _> =
        chains.into_iter().map(|(name, keys)| (name, build_route(one_by_one(keys), call_settings))).collect();
    for (name, table) in section.subsections() {
        if let Some(problem) = name_problem(name, providers) {
            table.context.report_line(table.line, format!("[{}] {problem}", table.name));
        }
        let task_models = routes.get(name).map(|route| route.models.clone());
        if let Some(route) = read_route(name, table, providers, call_settings, task_models) {
            routes.insert(name.to_owned(), route);
        }
    }
    routes
}

/// One route; without `models`, the route of a task keeps its chain.
fn read_route(
    name: &str,
    mut section: Section<'_>,
    providers: &Providers,
    call_settings: &CallSettings,
    task_models: Option<Vec<ModelGroup>>,
) -> Option<Route> {
    let call_settings = call_settings.with_overrides(&mut section);
    let models = match section.value("models") {
        Some(value) => read_models(&value, providers),
        None => task_models.or_else(|| {
            let hint = if is_task(name) { " (Open SWE's own, if enabled = true in [open_swe])" } else { "" };
            let message = format!("is missing, expected an array such as [\"openai:gpt-5\"]{hint}");
            section.report("models", &message);
            None
        }),
    };
    section.report_unknown_keys();
    models.map(|models| build_route(models, &call_settings))
}

fn one_by_one(keys: Vec<ModelKey>) -> Vec<ModelGroup> {
    keys.into_iter().map(ModelGroup::from).collect()
}

fn read_models(value: &Value<'_>, providers: &Providers) -> Option<Vec<ModelGroup>> {
    let items = value.array()?;
    if items.is_empty() {
        return value.report("is empty, expected at least one model such as \"openai:gpt-5\"");
    }
    let mut groups = Vec::with_capacity(items.len());
    let mut before = Vec::new();
    for item in &items {
        groups.extend(read_group(item, providers, &mut before));
    }
    (groups.len() == items.len()).then_some(groups)
}

/// A model, or a list of equals.
fn read_group(item: &Value<'_>, providers: &Providers, before: &mut Vec<ModelKey>) -> Option<ModelGroup> {
    if !item.is_array() {
        let key = read_model(item, providers, before)?;
        before.push(key.clone());
        return Some(key.into());
    }
    let items = item.array()?;
    let mut keys = Vec::with_capacity(items.len());
    for item in &items {
        let key = read_model(item, providers, before)?;
        before.push(key.clone());
        keys.push(key);
    }
    ModelGroup::of_equals(keys).or_else(|| {
        item.report("is empty, expected equals such as [\"azure-eu:gpt-5.4\", \"azure-us:gpt-5.4\"]")
    })
}

fn read_model(item: &Value<'_>, providers: &Providers, before: &[ModelKey]) -> Option<ModelKey> {
    match item.text()?.parse::<ModelKey>() {
        Err(error) => item.report(format_args!("is not a model key: {error}")),
        Ok(key) if before.contains(&key) => {
            item.report(format_args!("is {key} again; for more attempts raise retry.max_attempts"))
        }
        Ok(key) if providers.contains_key(key.provider()) => Some(key),
        Ok(key) => item.report(format_args!("is {key}, but {}", missing_provider(key.provider(), providers))),
    }
}

fn build_route(models: Vec<ModelGroup>, call_settings: &CallSettings) -> Route {
    let CallSettings { retry, timeouts, stream, hedge_after, on_auth_error } = *call_settings;
    Route { models, retry, timeouts, stream, hedge_after, on_auth_error }
}

/// A route's name must not look like a model key of a provider, and must be usable in a request.
fn name_problem(name: &str, providers: &Providers) -> Option<String> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some(format!("{name:?} is not a valid route name, expected one without blanks"));
    }
    let (provider, _) = name.split_once([':', '/'])?;
    providers
        .contains_key(provider)
        .then(|| format!("looks like a model of the provider {provider:?}; rename the route"))
}
