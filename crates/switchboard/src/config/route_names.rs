//! Routes that are named like models, which is allowed and a trap: whoever keeps circuits of their own for that model takes
//! the answers of the whole chain for its answers, and a dead model looks healthy to them.

use std::collections::BTreeMap;

use breaker::ModelKey;
use manager::Route;

use super::{api::KINDS, document::Section, providers::Providers};

/// Warns of each route of the file whose name also names a model.
pub(super) fn warn<'m>(
    section: &Section<'_>,
    routes: &'m BTreeMap<String, Route>,
    models: impl IntoIterator<Item = &'m ModelKey>,
    providers: &Providers,
) {
    let routed = routes.values().flat_map(Route::keys);
    let models: Vec<_> = models.into_iter().chain(routed).collect();
    for (name, table) in section.subsections() {
        let Some(model) = model_of_name(name, &models, providers) else { continue };
        let message = format!(
            "[{}] is named like the model {model}: an application with circuits of its own records what any model of the \
             route answers as the answers of {model}; give the route a name of its own",
            table.name
        );
        section.context.warn(section.context.location(table.line), message);
    }
}

/// The model that the name could mean, were there no route of this name.
fn model_of_name(name: &str, models: &[&ModelKey], providers: &Providers) -> Option<String> {
    // Of a provider that is configured, it is an error.
    if let Some((provider, model)) = name.split_once([':', '/'])
        && KINDS.iter().any(|(kind, _)| *kind == provider)
        && !providers.contains_key(provider)
    {
        return Some(format!("{provider}:{model}"));
    }
    if let Some(key) = models.iter().find(|key| key.model() == name) {
        return Some(key.to_string());
    }
    let maker = [("claude-", "anthropic"), ("gemini-", "google-genai")];
    maker.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, maker)| format!("{maker}:{name}"))
}
