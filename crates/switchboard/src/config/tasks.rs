//! Open SWE's five tasks, which are routes without a line of configuration.

use std::collections::BTreeMap;

use breaker::ModelKey;

use super::{document::ParseContext, environment::Environment, providers::Providers};

/// A task of Open SWE, with the models that it has when no variable says otherwise. Where Open SWE has a default
/// that is still served, it is the same, so that both sides share its circuit.
struct Task {
    name: &'static str,
    default: &'static str,
    /// In the order of [`FALLBACK_ORDER`].
    fallbacks: [&'static str; 4],
}

/// The providers of the fallbacks in the order in which they are tried, and how variables spell them.
const FALLBACK_ORDER: [(&str, &str); 4] = [
    ("openai", "OPENAI"),
    ("anthropic", "ANTHROPIC"),
    ("google-genai", "GOOGLE_GENAI"),
    ("bedrock", "BEDROCK"),
];

const SONNET: &str = "claude-sonnet-4-5-20250929";
const SONNET_KEY: &str = "anthropic:claude-sonnet-4-5-20250929";
const HAIKU: &str = "claude-haiku-4-5-20251001";
const HAIKU_KEY: &str = "anthropic:claude-haiku-4-5-20251001";
const BEDROCK_SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const BEDROCK_HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

const TASKS: [Task; 5] = [
    Task {
        name: "planner",
        default: SONNET_KEY,
        fallbacks: ["gpt-5", SONNET, "gemini-2.5-pro", BEDROCK_SONNET],
    },
    Task {
        name: "programmer",
        default: SONNET_KEY,
        fallbacks: ["gpt-5", SONNET, "gemini-2.5-pro", BEDROCK_SONNET],
    },
    Task {
        name: "reviewer",
        default: SONNET_KEY,
        fallbacks: ["gpt-5", SONNET, "gemini-2.5-flash", BEDROCK_SONNET],
    },
    Task {
        name: "router",
        default: HAIKU_KEY,
        fallbacks: ["gpt-5-nano", HAIKU, "gemini-2.5-flash", BEDROCK_HAIKU],
    },
    Task {
        name: "summarizer",
        default: SONNET_KEY,
        fallbacks: ["gpt-5-mini", SONNET, "gemini-2.5-pro", BEDROCK_SONNET],
    },
];

/// Open SWE writes it before the name of a model that is to think. Here the request says so, and the circuit is the
/// model's own.
const THINKING_PREFIX: &str = "extended-thinking:";

/// The chain of each task, without models whose provider is not configured; a task that has none is left out.
pub(super) fn task_chains(
    context: &ParseContext<'_>,
    providers: &Providers,
) -> BTreeMap<String, Vec<ModelKey>> {
    let mut chains = BTreeMap::new();
    for task in &TASKS {
        let mut chain: Vec<ModelKey> = Vec::new();
        for key in candidates(task, context) {
            if !providers.contains_key(key.provider()) {
                tracing::debug!(route = task.name, model = %key, "left out of the chain: no key for its provider");
            } else if !chain.contains(&key) {
                chain.push(key);
            }
        }
        if !chain.is_empty() {
            chains.insert(task.name.to_owned(), chain);
        }
    }
    chains
}

/// The variables that say which models the tasks have.
pub fn task_variables() -> impl Iterator<Item = String> {
    TASKS.iter().flat_map(|task| {
        let fallbacks = FALLBACK_ORDER.iter().map(|(_, spelt)| fallback_variable(spelt, task.name));
        std::iter::once(default_variable(task.name)).chain(fallbacks)
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
    for ((provider, spelt), model) in FALLBACK_ORDER.iter().zip(task.fallbacks) {
        let variable = fallback_variable(spelt, task.name);
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
