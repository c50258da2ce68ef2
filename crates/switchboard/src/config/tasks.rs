//! `[open_swe]`: Open SWE's five tasks, which are built-in routes for those who use it.

use std::collections::BTreeMap;

use breaker::ModelKey;

use super::{
    context::ParseContext,
    document::Section,
    environment::{Environment, names},
    providers::Providers,
    value::Value,
};

/// A task of Open SWE and its default models. A test of [`model_ends`](super::model_ends) requires that none ends soon;
/// most of Open SWE's own defaults end in 2026.
struct Task {
    name: &'static str,
    default: &'static str,
    /// In the order of [`FALLBACK_ORDER`].
    fallbacks: [&'static str; 4],
}

/// The providers of the fallbacks in order, and their names in variables.
const FALLBACK_ORDER: [(&str, &str); 4] = [
    ("openai", "OPENAI"),
    ("anthropic", "ANTHROPIC"),
    ("google-genai", "GOOGLE_GENAI"),
    (BEDROCK, "BEDROCK"),
];

const BEDROCK: &str = "bedrock";

// Open SWE's requests have tools, some of them forced, and reach OpenAI's models as chat completions. Hence Sonnet 5
// (until 2027-06-30 at least): Sonnet 5.5 rejects a forced tool. And hence GPT-5.4: from GPT-5.6 on chat completions
// accept tools only without reasoning. Anthropic's names are in the `Model` of its SDK 2.14.0, OpenAI's in the
// `ChatModel` of its SDK 3.57.0, Google's in the `interactions.Model` of google-genai 3.6.1; Google names 3.8 Flash as
// the successor of 2.5 Pro, and 3.5 Flash-Lite as that of 2.5 Flash. AWS announces an end six months ahead.
const SONNET: &str = "claude-sonnet-5";
const SONNET_KEY: &str = "anthropic:claude-sonnet-5";
const HAIKU: &str = "claude-haiku-5-5";
const HAIKU_KEY: &str = "anthropic:claude-haiku-5-5";
const GPT: &str = "gpt-5.4";
const GPT_MINI: &str = "gpt-5.4-mini";
const GEMINI: &str = "gemini-3.8-flash";
const GEMINI_LITE: &str = "gemini-3.5-flash-lite";
const BEDROCK_SONNET: &str = "us.anthropic.claude-sonnet-5";
const BEDROCK_HAIKU: &str = "us.anthropic.claude-haiku-5-5";

const TASKS: [Task; 5] = [
    Task { name: "planner", default: SONNET_KEY, fallbacks: [GPT, SONNET, GEMINI, BEDROCK_SONNET] },
    Task { name: "programmer", default: SONNET_KEY, fallbacks: [GPT, SONNET, GEMINI, BEDROCK_SONNET] },
    Task { name: "reviewer", default: SONNET_KEY, fallbacks: [GPT, SONNET, GEMINI, BEDROCK_SONNET] },
    Task { name: "router", default: HAIKU_KEY, fallbacks: [GPT_MINI, HAIKU, GEMINI_LITE, BEDROCK_HAIKU] },
    Task { name: "summarizer", default: SONNET_KEY, fallbacks: [GPT_MINI, SONNET, GEMINI, BEDROCK_SONNET] },
];

/// Open SWE's prefix for a model with extended thinking. Here the request turns thinking on, and the circuit is the
/// model's.
const THINKING_PREFIX: &str = "extended-thinking:";

/// Whether the tasks are routes: `[open_swe] enabled`, by default where one of their variables is set. Nobody else asked for
/// them.
pub(super) fn read_enabled(mut section: Section<'_>) -> bool {
    let mut enabled = task_variables().any(|name| section.context.environment.get(&name).is_some());
    section.read_into("enabled", &mut enabled, Value::boolean);
    section.report_unknown_keys();
    enabled
}

/// Whether a route of this name has the chain of a task, where the tasks are routes.
pub(super) fn is_task(name: &str) -> bool {
    TASKS.iter().any(|task| task.name == name)
}

/// The chain of each task, without models whose provider is not configured; a task without models is left out. Bedrock,
/// unless something names it, is only in chains that would have no model without it. `tables` is `[providers]`.
pub(super) fn task_chains(tables: &Section<'_>, providers: &Providers) -> BTreeMap<String, Vec<ModelKey>> {
    let context = tables.context;
    let is_bedrock_named = is_bedrock_named(tables);
    let mut chains = BTreeMap::new();
    for task in &TASKS {
        let mut chain: Vec<ModelKey> = Vec::new();
        for key in candidates(task, context) {
            let skipped_because = if !providers.contains_key(key.provider()) {
                "its provider is not configured"
            } else if key.provider() == BEDROCK && !is_bedrock_named && !chain.is_empty() {
                "nothing says that the AWS credentials are for Bedrock"
            } else {
                if !chain.contains(&key) {
                    chain.push(key);
                }
                continue;
            };
            tracing::debug!(route = task.name, model = %key, "skipped in the chain: {skipped_because}");
        }
        if !chain.is_empty() {
            chains.insert(task.name.to_owned(), chain);
        }
    }
    chains
}

/// Whether the file or a variable names Bedrock. Many machines have AWS credentials for something else, and a fallback that
/// refuses each call would turn every outage into its 403, after which no client comes again (C4).
fn is_bedrock_named(tables: &Section<'_>) -> bool {
    let variable = |name: &str| tables.context.environment.get(name);
    let is_default = |task: &Task| {
        let default = variable(&default_variable(task.name));
        default.is_some_and(|key| key.trim().split(':').next() == Some(BEDROCK))
    };
    tables.contains_key(BEDROCK)
        || variable(names::AWS_BEARER_TOKEN_BEDROCK).is_some()
        || variable(names::AWS_ENDPOINT_URL_BEDROCK_RUNTIME).is_some()
        || TASKS.iter().any(|task| variable(&fallback_variable("BEDROCK", task.name)).is_some())
        || TASKS.iter().any(is_default)
}

/// The variables for the models of the tasks.
pub fn task_variables() -> impl Iterator<Item = String> {
    TASKS.iter().flat_map(|task| {
        let fallbacks = FALLBACK_ORDER.iter().map(|(_, name)| fallback_variable(name, task.name));
        std::iter::once(default_variable(task.name)).chain(fallbacks)
    })
}

/// The task and name of each default model.
#[cfg(test)]
pub(super) fn default_models() -> impl Iterator<Item = (&'static str, &'static str)> {
    TASKS.iter().flat_map(|task| {
        let first = task.default.split_once(':').map_or("", |(_, model)| model);
        std::iter::once(first).chain(task.fallbacks).map(|model| (task.name, model))
    })
}

fn default_variable(task: &str) -> String {
    format!("DEFAULT_{}_MODEL", task.to_uppercase())
}

fn fallback_variable(provider: &str, task: &str) -> String {
    format!("FALLBACK_{provider}_{}_MODEL", task.to_uppercase())
}

fn candidates(task: &Task, context: &ParseContext<'_>) -> Vec<ModelKey> {
    let default = default_variable(task.name);
    let first = variable_or_default(context.environment, &default, task.default);
    let mut keys = vec![parse_model_key(context, &default, &first.replacen(THINKING_PREFIX, "", 1))];
    for ((provider, name), model) in FALLBACK_ORDER.iter().zip(task.fallbacks) {
        let variable = fallback_variable(name, task.name);
        let model = variable_or_default(context.environment, &variable, model);
        let model = model.strip_prefix(THINKING_PREFIX).unwrap_or(model);
        keys.push(parse_model_key(context, &variable, &format!("{provider}:{model}")));
    }
    keys.into_iter().flatten().collect()
}

fn variable_or_default<'a>(environment: &'a Environment, variable: &str, default: &'a str) -> &'a str {
    environment.get(variable).map_or(default, str::trim)
}

fn parse_model_key(context: &ParseContext<'_>, variable: &str, key: &str) -> Option<ModelKey> {
    let parsed = key.parse::<ModelKey>();
    parsed.map_err(|error| context.report_variable(variable, error.to_string())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_are_ours() {
        for name in task_variables() {
            assert!(names::is_ours(&name), "{name}");
        }
    }
}
