//! `docs/reference/environment.md`: the variables.

use std::collections::BTreeSet;

use providers::{AwsEnvironment, GoogleEnvironment};
use switchboard::config::{environment::names, tasks::task_variables};

use crate::{generated::assert_page, pages::read};

/// What each variable of [`names::ALL`] is for, but for those of clouds, which their pages have.
const MEANINGS: [(&str, &str); 20] = [
    (names::CONFIG, "The configuration file. `--config` wins. Default: `switchboard.toml`, if there is one."),
    (names::LISTEN, "Address and port. `--listen` wins; this wins over `[server] listen`."),
    (names::API_KEY, "A key of callers, in addition to `[server] api_keys`."),
    (names::ADMIN_KEY, "A key of operators, in addition to `[server] admin_keys`."),
    (names::REDIS_URL, "Where circuits are stored. Wins over `[redis] url`."),
    (names::LOG, "Log filter: a level, or pairs such as `info,manager=debug`."),
    (names::RUST_LOG, "The same, if `SWITCHBOARD_LOG` is not set."),
    (names::LOG_FORMAT, "`text` or `json`. `--log-format` wins."),
    (names::NO_COLOR, "Any value turns colour off."),
    (names::OPENAI_API_KEY, "The key of the provider `openai`."),
    (names::OPENAI_BASE_URL, "The base URL of the provider `openai`, with `/v1`."),
    (names::ANTHROPIC_API_KEY, "The key of the provider `anthropic`."),
    (names::ANTHROPIC_BASE_URL, "The base URL of the provider `anthropic`, without `/v1`."),
    (names::GOOGLE_API_KEY, "The key of the provider `google-genai`."),
    (names::GEMINI_API_KEY, "The same, if `GOOGLE_API_KEY` is not set."),
    (names::GOOGLE_GEMINI_BASE_URL, "The base URL of the provider `google-genai`."),
    (
        names::OTEL_ENDPOINT,
        "The collector of traces, OTLP/HTTP; traces go to its path `/v1/traces`. Unset: no traces.",
    ),
    (names::OTEL_TRACES_ENDPOINT, "The endpoint of the traces, with its path."),
    (names::OTEL_DISABLED, "`true` turns traces off."),
    (names::OTEL_SERVICE_NAME, "The service name in traces."),
];

/// The variables of Azure, which `docs/providers.md` explains.
const AZURE: [&str; 4] = [
    names::AZURE_OPENAI_API_KEY,
    names::AZURE_OPENAI_ENDPOINT,
    names::AZURE_OPENAI_API_VERSION,
    names::OPENAI_API_VERSION,
];

/// Those of Bedrock and Vertex AI that are no credentials.
const CLOUDS: [&str; 9] = [
    names::AWS_BEARER_TOKEN_BEDROCK,
    names::AWS_REGION,
    names::AWS_DEFAULT_REGION,
    names::AWS_ENDPOINT_URL_BEDROCK_RUNTIME,
    names::GOOGLE_GENAI_USE_VERTEXAI,
    names::GOOGLE_GENAI_USE_ENTERPRISE,
    names::GOOGLE_CLOUD_PROJECT,
    names::GOOGLE_CLOUD_LOCATION,
    names::GOOGLE_VERTEX_BASE_URL,
];

#[test]
fn every_variable_is_explained() {
    let explained: BTreeSet<&str> =
        MEANINGS.map(|(name, _)| name).into_iter().chain(AZURE).chain(CLOUDS).collect();
    assert_eq!(explained, names::ALL.into_iter().collect());
}

#[test]
fn the_page_has_every_variable() {
    let mut page = "## Switchboard's own\n\n| variable | meaning |\n| --- | --- |\n".to_owned();
    for (name, meaning) in MEANINGS {
        page += &format!("| `{name}` | {meaning} |\n");
    }
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let of = |start: &str, names: &[&'static str]| {
        let all = CLOUDS.into_iter().filter(|name| name.starts_with(start)).chain(names.iter().copied());
        all.filter(|name| *name != "HOME").collect::<BTreeSet<&'static str>>().into_iter().collect::<Vec<_>>()
    };
    page += "\n## Clouds\n\n| for | variables | explained in |\n| --- | --- | --- |\n";
    page += &format!("| Azure | {} | [Providers by name](../providers.md#azure) |\n", list(&AZURE));
    page += &format!(
        "| Amazon Bedrock | {} | [Amazon Bedrock](../bedrock.md) |\n",
        list(&of("AWS_", AwsEnvironment::NAMES))
    );
    page += &format!(
        "| Vertex AI | {} | [Vertex AI](../vertex.md) |\n",
        list(&of("GOOGLE_", GoogleEnvironment::NAMES))
    );
    page += "\nThe variables of vendors that are known by name are in [Providers by name](../providers.md#vendors).\n";
    page += "\n## Open SWE's tasks\n\nEach task is a route. Its chain begins with `DEFAULT_…`, as `provider:model`. One model name \
             per provider with a key follows.\n\n| variable | default |\n| --- | --- |\n";
    for name in task_variables() {
        page += &format!("| `{name}` | `{}` |\n", default_of(&name));
    }
    assert_page("docs/reference/environment.md", &page);
}

/// The default of a task's variable. `examples.rs` compares `.env.example` with the code.
fn default_of(variable: &str) -> String {
    let text = read(".env.example");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    lines.find(|(name, _)| *name == variable).unwrap_or_else(|| panic!("{variable}")).1.to_owned()
}
