//! Servers on this machine that need no entry: a model of theirs is named, so they are meant.

use std::collections::BTreeSet;

use breaker::ModelKey;

use super::{api::Api, document::Section, environment::Environment, tasks::task_variables};

/// The local servers whose models a route, `[models]` or a variable of a task names. What is invalid there is reported by those who
/// read it for good.
pub(super) fn requested(
    routes: &Section<'_>,
    models: &Section<'_>,
    environment: &Environment,
) -> BTreeSet<&'static str> {
    let mut keys: Vec<String> = models.subsections().iter().map(|(name, _)| (*name).to_owned()).collect();
    for (_, mut route) in routes.subsections() {
        let items = route.value("models").and_then(|value| value.array()).unwrap_or_default();
        for item in items {
            // Equals are a list of their own.
            let equals = if item.is_array() { item.array().unwrap_or_default() } else { vec![item] };
            keys.extend(equals.iter().filter(|item| !item.is_array()).filter_map(|item| item.text()));
        }
    }
    keys.extend(
        task_variables().filter_map(|name| environment.get(&name).map(|value| value.trim().to_owned())),
    );
    let locals = Api::all().filter(|(_, api)| api.is_local());
    let is_named =
        |name: &str| keys.iter().any(|key| key.parse::<ModelKey>().is_ok_and(|key| key.provider() == name));
    locals.map(|(name, _)| name).filter(|name| is_named(name)).collect()
}
