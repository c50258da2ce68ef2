//! `[routes.NAME]`, over the built-in routes of Open SWE's tasks.

use std::collections::BTreeMap;

use breaker::ModelKey;
use manager::Route;

use super::{
    calls::CallSettings,
    document::Section,
    providers::{Providers, missing_provider},
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
        chains.into_iter().map(|(name, models)| (name, build_route(models, call_settings))).collect();
    for (name, table) in section.subsections() {
        if let Some(problem) = name_problem(name, providers) {
            table.context.report_line(table.line, format!("[{}] {problem}", table.name));
        }
        let task_models = routes.get(name).map(|route| route.models.clone());
        if let Some(route) = read_route(table, providers, call_settings, task_models) {
            routes.insert(name.to_owned(), route);
        }
    }
    routes
}

/// One route; without `models`, the route of a task keeps its chain.
fn read_route(
    mut section: Section<'_>,
    providers: &Providers,
    call_settings: &CallSettings,
    task_models: Option<Vec<ModelKey>>,
) -> Option<Route> {
    let call_settings = call_settings.with_overrides(&mut section);
    let models = match section.value("models") {
        Some(value) => read_models(&value, providers),
        None => task_models.or_else(|| {
            section.report("models", "is missing, expected an array such as [\"openai:gpt-5\"]");
            None
        }),
    };
    section.report_unknown_keys();
    models.map(|models| build_route(models, &call_settings))
}

fn read_models(value: &Value<'_>, providers: &Providers) -> Option<Vec<ModelKey>> {
    let items = value.array()?;
    if items.is_empty() {
        return value.report("is empty, expected at least one model such as \"openai:gpt-5\"");
    }
    let mut models = Vec::with_capacity(items.len());
    for item in &items {
        models.extend(read_model(item, providers, &models));
    }
    (models.len() == items.len()).then_some(models)
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

fn build_route(models: Vec<ModelKey>, call_settings: &CallSettings) -> Route {
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
