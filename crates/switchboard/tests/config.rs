//! What a configuration means, and what is said of a wrong one: tables of sources and results.

#![expect(clippy::panic, reason = "helpers of tests fail tests")]

use std::time::Duration;

use breaker::{Mode, Policy};
use gateway::KeyDigest;
use manager::{OnAuthError, StreamMode};
use secrecy::ExposeSecret as _;
use switchboard::config::{Config, Environment, SourceFile, Sources};

fn sources(text: &str, variables: &[(&str, &str)]) -> Sources {
    Sources {
        file: Some(SourceFile { path: "s.toml".into(), text: text.to_owned() }),
        environment: Environment::from_pairs(variables.iter().copied()),
        listen: None,
    }
}

fn load(text: &str, variables: &[(&str, &str)]) -> Config {
    Config::load(&sources(text, variables)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match Config::load(&sources(text, variables)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// Checks that each configuration yields just this one problem.
fn assert_problems(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(problems(text, &[("OPENAI_API_KEY", "k")]), [*expected], "{text}");
    }
}

#[test]
fn without_sources_there_are_defaults() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:4100");
    assert_eq!(config.redis.url.expose(), "redis://localhost:6379");
    assert!(!config.redis.explicit);
    assert_eq!(config.policies.default, Policy::default());
    assert!(config.providers.is_empty() && config.routes.is_empty());
}

#[test]
fn unknown_keys_are_named_with_line_and_nearest_key() {
    assert_problems(&[
        ("[brekaer]", "s.toml:1: unknown key \"brekaer\" in the file; the nearest known key is \"breaker\""),
        (
            "[breaker]\n\nfailure_treshold = 3",
            "s.toml:3: unknown key \"failure_treshold\" in [breaker]; the nearest known key is \"failure_threshold\"",
        ),
        (
            "[server]\nport = 1",
            "s.toml:2: unknown key \"port\" in [server]; the nearest known key is \"listen\"",
        ),
        (
            "[redis]\nURL = \"memory:\"",
            "s.toml:2: unknown key \"URL\" in [redis]; the nearest known key is \"url\"",
        ),
        (
            "[retry]\nmax_attempt = 1",
            "s.toml:2: unknown key \"max_attempt\" in [retry]; the nearest known key is \"max_attempts\"",
        ),
        (
            "[timeouts]\nfirst-byte = \"1s\"",
            "s.toml:2: unknown key \"first-byte\" in [timeouts]; the nearest known key is \"first_byte\"",
        ),
        (
            "[providers.openai]\nkey = \"x\"",
            "s.toml:2: unknown key \"key\" in [providers.openai]; the nearest known key is \"api_key\"",
        ),
        (
            "[routes.r]\nmodels = [\"openai:a\"]\n[routes.r.retry]\ntries = 2",
            "s.toml:4: unknown key \"tries\" in [routes.r.retry]; the nearest known key is \"max_attempts\"",
        ),
        (
            "[models.\"openai:a\"]\nbraker = {}",
            "s.toml:2: unknown key \"braker\" in [models.\"openai:a\"]; the nearest known key is \"breaker\"",
        ),
    ]);
}

#[test]
fn wrong_values_are_named_with_what_was_expected() {
    let duration = "expected a duration such as \"500ms\", \"5s\", \"10m\" or \"1h\"";
    assert_problems(&[
        ("stream = 1", "s.toml:1: stream is 1, expected \"passthrough\" or \"buffer\""),
        ("breaker = 5", "s.toml:1: breaker is an integer, expected a table"),
        (
            "[breaker]\nmode = \"enfroce\"",
            "s.toml:2: breaker.mode is \"enfroce\", expected \"enforce\", \"observe\" or \"off\"",
        ),
        ("[breaker]\npreset = \"swe\"", "s.toml:2: breaker.preset is \"swe\", expected \"open-swe\""),
        (
            "[breaker]\nfailure_threshold = 0",
            "s.toml:2: breaker.failure_threshold is 0, expected a whole number, at least 1",
        ),
        (
            "[breaker]\nfailure_threshold = \"3\"",
            "s.toml:2: breaker.failure_threshold is \"3\", expected a whole number, at least 1",
        ),
        (
            "[breaker]\nfailure_rate = 50",
            "s.toml:2: breaker.failure_rate is 50, expected a share above 0 and at most 1, or \"off\"",
        ),
        (
            "[breaker]\nfailure_rate = nan",
            "s.toml:2: breaker.failure_rate is nan, expected a share above 0 and at most 1, or \"off\"",
        ),
        (
            "[breaker]\nopen_backoff = 0.5",
            "s.toml:2: breaker.open_backoff is 0.5, expected a factor of at least 1",
        ),
        ("[breaker]\nwindow = 10", &format!("s.toml:2: breaker.window is 10, {duration}")),
        ("[breaker]\nwindow = \"10\"", &format!("s.toml:2: breaker.window is \"10\", {duration}")),
        ("[breaker]\nwindow = \"0s\"", "s.toml:2: breaker.window is \"0s\", expected longer than zero"),
        (
            "[timeouts]\ntotal = \"9000h\"",
            "s.toml:2: timeouts.total is \"9000h\", expected a duration of at most a year (8760h)",
        ),
        (
            "[server]\nlisten = \"4100\"",
            "s.toml:2: server.listen is not an address, expected an IP address and a port such as \"127.0.0.1:4100\"",
        ),
        ("[server]\napi_keys = \"k\"", "s.toml:2: server.api_keys is a string, expected an array of strings"),
        ("[server]\napi_keys = [\n5]", "s.toml:3: server.api_keys[0] is an integer, expected a string"),
    ]);
}

#[test]
fn contradicting_settings_are_reported() {
    assert_problems(&[
        (
            "[breaker]\nfailure_threshold = 20",
            "s.toml:2: breaker.burst_threshold (10) is less than failure_threshold (20); raise the first or lower the second",
        ),
        (
            "[breaker]\nopen_duration = \"30s\"",
            "s.toml:2: breaker.max_open_duration (15s) is less than open_duration (30s); raise the first or lower the second",
        ),
        (
            "[server]\nlisten = \"0.0.0.0:4100\"",
            "s.toml:2: listening on 0.0.0.0:4100, which is not loopback, requires api_keys; \
             add [keys.NAME], set SWITCHBOARD_API_KEY or [server] api_keys, or listen on 127.0.0.1",
        ),
        (
            "[routes.r]\nmodels = [\"opnai:gpt-5\"]",
            "s.toml:2: routes.r.models[0] is opnai:gpt-5, but no such provider: \"opnai\"; \
             the nearest name is \"openai\"; add [providers.opnai]",
        ),
        (
            "[routes.r]\nmodels = [\n\"openai:a\",\n\"anthropic:b\"]",
            "s.toml:4: routes.r.models[1] is anthropic:b, but no such provider: \"anthropic\"; \
             the nearest name is \"openai\"; set ANTHROPIC_API_KEY or add [providers.anthropic]",
        ),
        (
            "[routes.r]\nmodels = [\"gpt-5\"]",
            "s.toml:2: routes.r.models[0] is not a model key: a model key is written provider:model, \
             for instance openai:gpt-5; got \"gpt-5\"",
        ),
        (
            "[routes.r]\nmodels = [\"openai:a\", \"openai:a\"]",
            "s.toml:2: routes.r.models[1] is openai:a again; for more attempts raise retry.max_attempts",
        ),
        (
            "[routes.r]\nmodels = []",
            "s.toml:2: routes.r.models is empty, expected at least one model such as \"openai:gpt-5\"",
        ),
        ("[routes.r]", "s.toml:1: routes.r.models is missing, expected an array such as [\"openai:gpt-5\"]"),
        (
            "[routes.\"openai:x\"]\nmodels = [\"openai:a\"]",
            "s.toml:1: [routes.\"openai:x\"] looks like a model of the provider \"openai\"; rename the route",
        ),
        (
            "[models.gpt-5.breaker]\nopen_duration = \"1s\"",
            "s.toml:1: [models.gpt-5]: no such model: gpt-5; a model key is written provider:model, \
             for instance openai:gpt-5; got \"gpt-5\"",
        ),
        (
            "[models.\"opnai:a\".breaker]",
            "s.toml:1: [models.\"opnai:a\"]: no such provider: \"opnai\"; \
             the nearest name is \"openai\"; add [providers.opnai]",
        ),
    ]);
}

#[test]
fn invalid_providers_are_reported() {
    assert_problems(&[
        (
            "[providers.local]\nbase_url = \"http://127.0.0.1:8000/v1\"",
            "s.toml:1: providers.local.kind is missing, \
             expected \"openai\", \"anthropic\", \"google-genai\", \"bedrock\", \"azure\", \"vertex\" \
             or a vendor of docs/providers.md, such as \"groq\" or \"ollama\"",
        ),
        (
            "[providers.anthropic]",
            "s.toml:1: providers.anthropic.api_key is missing; \
             write api_key = \"${ANTHROPIC_API_KEY}\" and set that variable",
        ),
        (
            "[providers.\"a/b\"]\nkind = \"openai\"\napi_key = \"k\"",
            "s.toml:1: [providers.\"a/b\"] \"a/b\" is not a valid provider name, \
             expected one without blanks, braces, \":\" or \"/\"",
        ),
        (
            "[providers.openai]\nbase_url = \"localhost\"",
            "s.toml:2: providers.openai.base_url is not a URL (relative URL without a base), \
             expected a URL such as \"https://api.openai.com/v1\"",
        ),
        (
            "[providers.openai]\nbase_url = \"ftp://host/v1\"",
            "s.toml:2: providers.openai.base_url does not start with http:// or https://, \
             expected a URL such as \"https://api.openai.com/v1\"",
        ),
        (
            "[providers.anthropic]\napi_key = \"k\"\nbase_url = \"https://host/v1/\"",
            "s.toml:3: providers.anthropic.base_url ends in /v1, which is added automatically; remove it",
        ),
        (
            "[providers.openai]\nbase_url = \"http://localhost:4100/v1\"",
            "s.toml:2: providers.openai.base_url is the address that Switchboard listens on, \
             expected the provider's",
        ),
        (
            "server.listen = \"0.0.0.0:4100\"\nserver.api_keys = [\"0123456789abcdef\"]\n\
             [providers.openai]\nbase_url = \"http://[::ffff:127.0.0.1]:4100/v1\"",
            "s.toml:4: providers.openai.base_url is the address that Switchboard listens on, \
             expected the provider's",
        ),
        (
            "[providers.openai]\nbase_url = \"https://host/v1/chat/completions?key=hush\"",
            "s.toml:2: providers.openai.base_url has a query or fragment, \
             expected a URL such as \"https://api.openai.com/v1\"; \
             it also ends in /chat/completions, which is added automatically; expected \"https://host/v1\"",
        ),
        (
            "[providers.openai]\nbase_url = \"https://u:hush@host/v1\"",
            "s.toml:2: providers.openai.base_url contains a user or password; \
             put the key into api_key",
        ),
        (
            "[providers.openai]\napi_key = \"\"",
            "s.toml:2: providers.openai.api_key is empty, expected a key; set it, or remove this line",
        ),
        (
            "[providers.bedrock]\nregion = \"Virginia\"",
            "s.toml:2: providers.bedrock.region is not an AWS region, expected one such as \"us-east-1\"",
        ),
        (
            "[providers.vertex]\nlocation = \"us-central1/\"",
            "s.toml:2: providers.vertex.location is not a location of Google Cloud, expected \"global\" or one such as \"us-central1\"",
        ),
        (
            "[providers.vertex]\nproject = \"my project\"",
            "s.toml:2: providers.vertex.project is not the id of a Google Cloud project, expected one such as \"my-project-1\"",
        ),
        (
            "[providers.vertex]\ncredentials = \"f.json\"\napi_key = \"k\"",
            "s.toml:2: providers.vertex.credentials stands beside api_key; remove one of them",
        ),
        (
            "[providers.openai]\napi_key = \"k\"\nspeaks = [\"anthropic\"]",
            "s.toml:3: providers.openai.speaks[0] is \"anthropic\", expected \"chat\" or \"responses\"",
        ),
        (
            "[providers.openai]\napi_key = \"k\"\nspeaks = []",
            "s.toml:3: providers.openai.speaks is empty, expected \"chat\" or \"responses\"",
        ),
        (
            "[providers.openai]\napi_key = \"k\"\nspeaks = [\"chat\", \"chat\"]",
            "s.toml:3: providers.openai.speaks[1] stands twice",
        ),
    ]);
}

#[test]
fn a_provider_may_have_authorities_of_its_own() {
    let text = "[providers.local]\nkind = \"openai\"\nbase_url = \"https://l/v1\"\nca_file = \"company.pem\"";
    let providers = load(text, &[]).providers;
    assert_eq!(providers[0].ca_file.as_deref(), Some(std::path::Path::new("company.pem")));
}

#[test]
fn an_aws_account_has_a_region_and_may_have_a_profile() {
    let folder = std::env::temp_dir().join(format!("switchboard-aws-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config");
    std::fs::write(&file, "[default]\nregion = ap-south-1\n[profile eu]\nregion = eu-north-1\n").unwrap();
    let file = file.display().to_string();
    for (settings, variables, url, region) in [
        ("", &[][..], "https://bedrock-runtime.us-east-1.amazonaws.com/", "us-east-1"),
        (
            "region = 'eu-west-1'",
            &[("AWS_REGION", "us-west-2")],
            "https://bedrock-runtime.eu-west-1.amazonaws.com/",
            "eu-west-1",
        ),
        (
            "",
            &[("AWS_DEFAULT_REGION", "us-west-2")],
            "https://bedrock-runtime.us-west-2.amazonaws.com/",
            "us-west-2",
        ),
        ("region = 'cn-north-1'", &[], "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
        (
            "",
            &[("AWS_CONFIG_FILE", &file)],
            "https://bedrock-runtime.ap-south-1.amazonaws.com/",
            "ap-south-1",
        ),
        (
            "profile = 'eu'",
            &[("AWS_CONFIG_FILE", &file), ("AWS_REGION", "us-west-2")],
            "https://bedrock-runtime.eu-north-1.amazonaws.com/",
            "eu-north-1",
        ),
        (
            "",
            &[("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://h:1/"), ("AWS_REGION", "eu-west-1")],
            "http://h:1/",
            "eu-west-1",
        ),
        (
            "base_url = 'https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com'",
            &[("AWS_REGION", "us-west-2")],
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/",
            "us-gov-west-1",
        ),
        (
            "base_url = 'https://vpce-1-2.bedrock-runtime.eu-west-3.vpce.amazonaws.com'",
            &[],
            "https://vpce-1-2.bedrock-runtime.eu-west-3.vpce.amazonaws.com/",
            "eu-west-3",
        ),
    ] {
        let text = format!("[providers.aws]\nkind = 'bedrock'\n{settings}");
        let config = load(&text, variables);
        let provider = &config.providers[0];
        let aws = provider.aws.as_ref().unwrap();
        assert_eq!((provider.base_url.as_str(), aws.region.as_str()), (url, region), "{text} {variables:?}");
        assert!(config.to_toml().unwrap().contains(&format!("region = \"{region}\"")));
    }
    std::fs::remove_dir_all(folder).unwrap();
    let secrets =
        [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_SESSION_TOKEN", "hush")];
    let config = load("", &secrets);
    let shown = format!("{config:?} {} {}", config.to_toml().unwrap(), config.to_json().unwrap());
    assert!(!shown.contains("hush") && !shown.contains("AKID"), "{shown}");
}

#[test]
fn vertex_is_at_its_location_and_for_a_project() {
    const PROJECT: (&str, &str) = ("GOOGLE_CLOUD_PROJECT", "env-1");
    for (settings, variables, url, location, project) in [
        ("", &[][..], "https://aiplatform.googleapis.com/", "global", None),
        ("", &[PROJECT], "https://aiplatform.googleapis.com/", "global", Some("env-1")),
        ("", &[("GCLOUD_PROJECT", "old-1")], "https://aiplatform.googleapis.com/", "global", Some("old-1")),
        (
            "location = 'us-east5'\nproject = 'file-1'",
            &[PROJECT, ("GOOGLE_CLOUD_LOCATION", "us-central1")],
            "https://us-east5-aiplatform.googleapis.com/",
            "us-east5",
            Some("file-1"),
        ),
        (
            "",
            &[("GOOGLE_CLOUD_LOCATION", "europe-west1")],
            "https://europe-west1-aiplatform.googleapis.com/",
            "europe-west1",
            None,
        ),
        ("location = 'eu'", &[], "https://aiplatform.eu.rep.googleapis.com/", "eu", None),
        ("location = 'us'", &[("GOOGLE_VERTEX_BASE_URL", "http://h:1/")], "http://h:1/", "us", None),
        (
            "base_url = 'http://h:2'",
            &[("GOOGLE_VERTEX_BASE_URL", "http://h:1/")],
            "http://h:2/",
            "global",
            None,
        ),
        // The project of another account is none of theirs.
        ("api_key = 'k'", &[PROJECT], "https://aiplatform.googleapis.com/", "global", None),
        ("credentials = 'f.json'", &[PROJECT], "https://aiplatform.googleapis.com/", "global", None),
    ] {
        let text = format!("[providers.second]\nkind = 'vertex'\n{settings}");
        let config = load(&text, variables);
        let provider = &config.providers[0];
        let google = provider.google.as_ref().unwrap();
        let found = (provider.base_url.as_str(), google.location.as_str(), google.project.as_deref());
        assert_eq!(found, (url, location, project), "{text} {variables:?}");
        let printed = config.to_toml().unwrap();
        assert!(printed.contains(&format!("location = \"{location}\"")), "{printed}");
        assert_eq!(printed.contains("project = "), project.is_some(), "{printed}");
    }
    assert_eq!(
        problems("[providers.vertex]", &[("GOOGLE_CLOUD_LOCATION", "evil.example/#")]),
        [
            "environment variable GOOGLE_CLOUD_LOCATION: is not a location of Google Cloud, expected \"global\" or one such as \"us-central1\""
        ]
    );
    assert_eq!(problems("[providers.openai]\napi_key = 'k'\nlocation = 'eu'", &[]).len(), 1);
}

#[test]
fn vertex_needs_no_entry_where_googles_sdk_would_use_it() {
    const PROJECT: (&str, &str) = ("GOOGLE_CLOUD_PROJECT", "p");
    for (variables, expected) in [
        (&[PROJECT][..], false),
        (&[("GOOGLE_GENAI_USE_VERTEXAI", "true")], false),
        (&[PROJECT, ("GOOGLE_GENAI_USE_VERTEXAI", "true")], true),
        (&[PROJECT, ("GOOGLE_GENAI_USE_VERTEXAI", "1")], true),
        (&[PROJECT, ("GOOGLE_GENAI_USE_VERTEXAI", "false")], false),
        (&[PROJECT, ("GOOGLE_GENAI_USE_ENTERPRISE", "True")], true),
        (&[PROJECT, ("GOOGLE_GENAI_USE_ENTERPRISE", "0"), ("GOOGLE_GENAI_USE_VERTEXAI", "true")], false),
    ] {
        let providers = load("", variables).providers;
        assert_eq!(providers.iter().any(|provider| provider.name == "vertex"), expected, "{variables:?}");
    }
    let advice = "set GOOGLE_GENAI_USE_VERTEXAI=true and GOOGLE_CLOUD_PROJECT, or add [providers.vertex]";
    let found = problems("[routes.r]\nmodels = ['vertex:gemini-3-pro']", &[]);
    assert!(found[0].contains(advice), "{found:?}");
}

#[test]
fn a_bedrock_api_key_is_used_unless_a_profile_is_named() {
    let variables = [("AWS_BEARER_TOKEN_BEDROCK", "env")];
    for (settings, expected) in
        [("", Some("env")), ("api_key = 'file'", Some("file")), ("profile = 'p'", None)]
    {
        let config = load(&format!("[providers.aws]\nkind = 'bedrock'\n{settings}"), &variables);
        let key = config.providers[0].api_key.as_ref().map(|key| key.expose_secret().to_owned());
        assert_eq!(key.as_deref(), expected, "{settings}");
    }
    assert_eq!(
        problems("[providers.openai]\napi_key = 'k'\nregion = 'us-east-1'", &[]).len(),
        1,
        "no other kind has a region"
    );
}

#[test]
fn a_provider_speaks_what_its_file_says_or_what_its_kind_usually_has() {
    use dialects::Dialect::{Anthropic, Gemini, OpenAiChat, OpenAiResponses};
    let text = "[providers.openai]\napi_key = \"k\"\n\
                [providers.local]\nkind = \"openai\"\nbase_url = \"http://l/v1\"\n\
                [providers.local-too]\nkind = \"openai\"\nbase_url = \"http://l/v1\"\nspeaks = [\"chat\", \"responses\"]\n\
                [providers.anthropic]\napi_key = \"k\"\n[providers.google-genai]\napi_key = \"k\"";
    let providers = load(text, &[]).providers;
    let speaks: Vec<_> =
        providers.iter().map(|provider| (provider.name.as_str(), provider.dialects())).collect();
    let expected = [
        ("anthropic", vec![Anthropic]),
        ("google-genai", vec![Gemini]),
        ("local", vec![OpenAiChat]),
        ("local-too", vec![OpenAiChat, OpenAiResponses]),
        ("openai", vec![OpenAiResponses, OpenAiChat]),
    ];
    assert_eq!(speaks, expected);
}

#[test]
fn an_invalid_provider_is_reported_once_and_not_by_its_routes() {
    let text = "[providers.a]\nkind = \"x\"\n[routes.r]\nmodels = [\"a:b\"]\n[models.\"a:b\".breaker]";
    let expected = "expected \"openai\", \"anthropic\", \"google-genai\", \"bedrock\", \"azure\", \"vertex\" \
                    or a vendor of docs/providers.md, such as \"groq\" or \"ollama\"";
    let problem = format!("s.toml:2: providers.a.kind is \"x\", {expected}; the nearest name is \"xai\"");
    assert_eq!(problems(text, &[]), [problem]);
}

#[test]
fn unset_and_empty_variables_are_named() {
    let text =
        "[providers.a]\nkind = \"openai\"\napi_key = \"${NO_SUCH}\"\n[server]\nadmin_keys = [\"${EMPTY}\"]";
    assert_eq!(
        problems(text, &[("EMPTY", "")]),
        [
            "s.toml:3: providers.a.api_key uses ${NO_SUCH}, which is not set; \
             set it, or remove this line",
            "s.toml:5: server.admin_keys[0] uses ${EMPTY}, which is empty; \
             set it, or remove this line",
        ]
    );
}

#[test]
fn all_problems_are_reported_in_the_order_of_lines() {
    let text = "[timeouts]\nidle = 1\n[server]\nlisten = \"x\"\ncolour = 1\n[breaker]\nmode = \"x\"";
    let found = problems(text, &[("REDIS_URL", "http://h")]);
    let places: Vec<_> = found.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["s.toml:2", "s.toml:4", "s.toml:5", "s.toml:7", "environment variable REDIS_URL"]);
}

#[test]
fn invalid_toml_is_located_and_not_quoted() {
    let found = problems("[server]\napi_keys = [\"hush\" \"hush\"]\n[redis\n", &[]);
    assert!(found[0].starts_with("s.toml:2: invalid TOML: "), "{found:?}");
    assert!(found.iter().any(|problem| problem.starts_with("s.toml:3: ")), "{found:?}");
    assert!(!found.concat().contains("hush"), "{found:?}");
    assert_eq!(problems("[a]\n[a]", &[])[0], "s.toml:2: invalid TOML: duplicate key");
}

#[test]
fn secrets_reach_no_problem_and_no_debug() {
    let secret = [
        ("S", "hush"),
        ("OPENAI_API_KEY", "hush"),
        ("REDIS_URL", "http://u:hush@h"),
        ("SWITCHBOARD_LISTEN", "hush"),
    ];
    let text = "stream = \"${S}\"\n[redis]\nurl = \"${S}\"\n[server]\nlisten = \"${S}\"\n[breaker]\nwindow = \"${S}\"\n\
                [providers.openai]\nbase_url = \"${S}\"";
    let found = problems(text, &secret);
    assert_eq!(found.len(), 7, "{found:?}");
    assert!(!found.concat().contains("hush"), "{found:?}");

    let text = "[server]\napi_keys = [\"${S}\"]\n[redis]\nurl = \"redis://u:${S}@h\"\n[providers.openai]\napi_key = \"${S}\"";
    let config = load(text, &[("S", "hush")]);
    let shown = format!("{config:?}{}{}", config.to_toml().unwrap(), config.to_json().unwrap());
    assert!(!shown.contains("hush"), "{shown}");
    assert_eq!(config.redis.url.expose(), "redis://u:hush@h");
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\napi_keys = [\"file\"]\n[redis]\nurl = \"redis://file\"";
    let config = load(text, &[]);
    assert_eq!(config.redis.url.expose(), "redis://file");
    assert_eq!(config.server.listen.port(), 1);

    let variables = [
        ("REDIS_URL", "redis://environment"),
        ("SWITCHBOARD_LISTEN", "127.0.0.1:2"),
        ("SWITCHBOARD_API_KEY", "more"),
    ];
    let config = load(text, &variables);
    assert_eq!(config.redis.url.expose(), "redis://environment");
    assert!(config.redis.explicit);
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(key_names(&config), ["key-1", "key-2"]);
    let keys: Vec<_> = config.keys.accepted.iter().map(|key| *key.digest()).collect();
    assert_eq!(keys, [KeyDigest::of(b"file"), KeyDigest::of(b"more")]);

    let listen = Some("127.0.0.1:3".parse().unwrap());
    let config = Config::load(&Sources { listen, ..sources(text, &variables) }).unwrap();
    assert_eq!(config.server.listen.port(), 3, "the command line wins over both");
    assert_eq!(load(text, &[("REDIS_URL", "")]).redis.url.expose(), "redis://file", "empty is not set");
}

#[test]
fn a_listener_beyond_loopback_requires_keys() {
    let needs = "which is not loopback, requires api_keys";
    let found = problems("", &[("SWITCHBOARD_LISTEN", "[::]:4100")]);
    assert!(
        found[0].starts_with("environment variable SWITCHBOARD_LISTEN: listening on [::]:4100, "),
        "{found:?}"
    );
    assert!(found[0].contains(needs));
    assert!(problems("", &[("SWITCHBOARD_LISTEN", "[::]:4100"), ("SWITCHBOARD_API_KEY", "k")]).is_empty());

    let listen = Some("10.0.0.1:4100".parse().unwrap());
    let error = Config::load(&Sources { listen, ..Sources::default() }).unwrap_err().to_string();
    assert!(error.starts_with("command line, --listen: ") && error.contains(needs), "{error}");
}

fn key_names(config: &Config) -> Vec<&str> {
    config.keys.accepted.iter().map(|key| key.name().as_str()).collect()
}

#[test]
fn keys_have_names() {
    let text = "[server]\napi_keys = [\"a\", \"b\"]\nadmin_keys = [\"c\"]\n\
                [keys.ci]\nkey = \"${CI_KEY}\"\nmodels = [\"planner\", \"openai:*\"]\n\
                [keys.billing]\nhash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n\
                report = true\n[routes.planner]\nmodels = [\"openai:m\"]\n[providers.openai]\napi_key = \"k\"";
    let config =
        load(text, &[("CI_KEY", "hush"), ("SWITCHBOARD_API_KEY", "d"), ("SWITCHBOARD_ADMIN_KEY", "e")]);
    let mut names = key_names(&config);
    names.sort_unstable();
    assert_eq!(names, ["admin-1", "admin-2", "billing", "ci", "key-1", "key-2", "key-3"]);
    let key = |name: &str| config.keys.accepted.iter().find(|key| key.name().as_str() == name).unwrap();
    assert_eq!(*key("ci").digest(), KeyDigest::of(b"hush"));
    assert_eq!(*key("billing").digest(), KeyDigest::of(b"abc"));
    assert_eq!(*key("key-3").digest(), KeyDigest::of(b"d"));
    assert_eq!(key("ci").allowed_models().unwrap().to_string(), "planner, openai:*");
    assert!(key("billing").allowed_models().is_none());
    assert!(key("billing").may_set_cooldowns() && key("admin-1").may_set_cooldowns());
    assert!(!key("ci").may_set_cooldowns());
    assert!(!format!("{config:?}").contains("hush"));
    let named = load("[keys.web]\nkey = \"${SWITCHBOARD_API_KEY}\"", &[("SWITCHBOARD_API_KEY", "d")]);
    assert_eq!(key_names(&named), ["web"], "the environment's key has a name of its own");
    let reachable = "[server]\nlisten = \"0.0.0.0:1\"\n[keys.ci]\nkey = \"k\"";
    assert_eq!(key_names(&load(reachable, &[])), ["ci"]);
}

#[test]
fn problems_of_keys_are_reported() {
    let hash = "expected \"sha256:\" and 64 hexadecimal digits, as printed by: printf %s KEY | sha256sum";
    assert_problems(&[
        (
            "[keys.ci]",
            "s.toml:1: [keys.ci] needs either key, such as \"${CI_KEY}\", or hash, such as \"sha256:...\"",
        ),
        (
            "[keys.ci]\nkey = \"a\"\nhash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
            "s.toml:1: [keys.ci] needs either key, such as \"${CI_KEY}\", or hash, such as \"sha256:...\"",
        ),
        (
            "[keys.ci]\nkey = \"${CI_KEY}\"",
            "s.toml:2: keys.ci.key uses ${CI_KEY}, which is not set; set it, or remove this line",
        ),
        (
            "[keys.ci]\nkey = \"\"",
            "s.toml:2: keys.ci.key is empty, expected a key; set it, or remove this line",
        ),
        ("[keys.ci]\nhash = \"hush\"", &format!("s.toml:2: keys.ci.hash {hash}")),
        (
            "[keys.\"two words\"]\nkey = \"a\"",
            "s.toml:1: [keys.\"two words\"] is not a valid name of a key: \
             expected 1 to 64 ASCII letters, digits, \"-\", \"_\" or \".\"",
        ),
        (
            "[keys.ci]\nkey = \"a\"\nmodels = []",
            "s.toml:3: keys.ci.models is empty, expected at least one route or model; without models it may use all",
        ),
        (
            "[keys.ci]\nkey = \"a\"\nmodels = [\"planer\"]",
            "s.toml:3: keys.ci.models[0] is \"planer\", which is neither a route nor a model of a known provider",
        ),
        ("[keys.ci]\nkey = \"a\"\nreport = 1", "s.toml:3: keys.ci.report is 1, expected true or false"),
        (
            "[keys.ci]\nkey = \"a\"\nrequests = \"600/1m\"",
            "s.toml:3: keys.ci.requests is not supported yet; remove it",
        ),
        ("[keys.ci]\nkey = \"a\"\nat_once = 20", "s.toml:3: keys.ci.at_once is not supported yet; remove it"),
        (
            "[keys.ci]\nkey = \"hush\"\n[keys.web]\nkey = \"hush\"",
            "s.toml:3: ci and web are the same key: give each caller a key of its own, or remove one of them",
        ),
        (
            "[server]\napi_keys = [\"hush\",\n\"hush\"]",
            "s.toml:3: key-1 and key-2 are the same key: give each caller a key of its own, or remove one of them",
        ),
        (
            "[server]\napi_keys = [\"a\"]\n[keys.key-1]\nkey = \"b\"",
            "s.toml:2: two keys are named key-1: rename one of them; those of [server] are named key-1, admin-1 and so on",
        ),
    ]);
    let both = [("SWITCHBOARD_API_KEY", "hush"), ("SWITCHBOARD_ADMIN_KEY", "hush")];
    let found = problems("", &both);
    assert_eq!(
        found,
        ["environment variable SWITCHBOARD_ADMIN_KEY: key-1 and admin-1 are the same key: \
          give each caller a key of its own, or remove one of them"]
    );
}

#[test]
fn policies_are_layered() {
    let text = r#"
        [breaker]
        mode = "observe"
        open_duration = "2s"
        failure_rate = "off"
        [models."openai:a".breaker]
        open_duration = "3s"
        [models."openai:b".breaker]
        preset = "open-swe"
        burst_threshold = 4
    "#;
    let policies = load(text, &[("OPENAI_API_KEY", "k")]).policies;
    let default = Policy {
        mode: Mode::Observe,
        open_duration: Duration::from_secs(2),
        failure_rate: None,
        ..Policy::default()
    };
    assert_eq!(policies.default, default);
    let own = |key: &str| policies.models[&key.parse().unwrap()].clone();
    assert_eq!(own("openai:a"), Policy { open_duration: Duration::from_secs(3), ..default });
    assert_eq!(own("openai:b"), Policy { mode: Mode::Observe, burst_threshold: 4, ..Policy::open_swe() });
}

#[test]
fn routes_override_the_common_settings() {
    let text = r#"
        stream = "buffer"
        hedge_after = "8s"
        [retry]
        max_attempts = 3
        [timeouts]
        idle = "9s"
        [routes.common]
        models = ["openai:a"]
        [routes.own]
        models = ["openai:a", "openai:b:c"]
        stream = "passthrough"
        hedge_after = "off"
        on_auth_error = "fallback"
        retry = { max_retry_after = "1s" }
        timeouts.total = "7s"
    "#;
    let config = load(text, &[("OPENAI_API_KEY", "k")]);
    let (common, own) = (&config.routes["common"], &config.routes["own"]);
    assert_eq!((common.stream, common.hedge_after), (StreamMode::Buffer, Some(Duration::from_secs(8))));
    assert_eq!(common.on_auth_error, OnAuthError::Report);
    assert_eq!((common.retry, common.timeouts), (config.call_settings.retry, config.call_settings.timeouts));
    assert_eq!((own.stream, own.hedge_after), (StreamMode::PassThrough, None));
    assert_eq!(own.on_auth_error, OnAuthError::Fallback);
    assert_eq!((own.retry.max_attempts, own.retry.max_retry_after), (3, Duration::from_secs(1)));
    assert_eq!((own.timeouts.idle, own.timeouts.total), (Duration::from_secs(9), Duration::from_secs(7)));
    assert_eq!(own.keys().nth(1).unwrap().model(), "b:c");
}

#[test]
fn a_list_in_a_chain_is_a_group_of_equals() {
    let route = |models: &str| {
        format!("[providers.b]\nkind = \"openai\"\nbase_url = \"http://b/v1\"\n[routes.r]\nmodels = {models}")
    };
    let key = [("OPENAI_API_KEY", "k")];
    let config = load(&route(r#"[["openai:a", "b:a"], "openai:c"]"#), &key);
    let groups: Vec<Vec<_>> = config.routes["r"]
        .models
        .iter()
        .map(|group| group.keys().map(ToString::to_string).collect())
        .collect();
    assert_eq!(groups, [vec!["openai:a", "b:a"], vec!["openai:c"]]);
    let printed: toml::Table = config.to_toml().unwrap().parse().unwrap();
    let models = printed["routes"]["r"]["models"].as_array().unwrap();
    assert_eq!((models[0].as_array().unwrap().len(), models[1].as_str()), (2, Some("openai:c")), "{printed}");
    let local = load("[routes.r]\nmodels = [[\"ollama:m\", \"vllm:m\"]]", &[]);
    assert_eq!((local.routes["r"].models.len(), local.routes["r"].keys().count()), (1, 2));
    for (models, expected) in [
        (r#"[[], "openai:a"]"#, "is empty, expected equals such as"),
        (r#"[["openai:a", "openai:a"]]"#, "is openai:a again"),
        (r#"[["openai:a"], "openai:a"]"#, "is openai:a again"),
        (r#"[["openai:a", 5]]"#, "expected a string"),
        (r#"[[["openai:a"]]]"#, "expected a string"),
        (r#"[["nobody:a"]]"#, "is nobody:a, but"),
    ] {
        let problems = problems(&route(models), &key);
        assert!(problems[0].contains(expected), "{models}: {problems:?}");
    }
}

#[test]
fn standard_variables_define_providers() {
    let made = |variables: &[(&str, &str)]| -> Vec<String> {
        let show = |provider: &providers::ProviderConfig| {
            let key = provider.api_key.as_ref().map_or("-", |key| key.expose_secret());
            format!("{} {} {key}", provider.name, provider.base_url)
        };
        load("", variables).providers.iter().map(show).collect()
    };
    assert_eq!(made(&[("OPENAI_API_KEY", "k")]), ["openai https://api.openai.com/v1 k"]);
    assert_eq!(
        made(&[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "http://proxy:1")]),
        ["anthropic http://proxy:1/ k"]
    );
    assert_eq!(
        made(&[
            ("GEMINI_API_KEY", "second"),
            ("GOOGLE_API_KEY", "first"),
            ("GOOGLE_GEMINI_BASE_URL", "http://p/")
        ]),
        ["google-genai http://p/ first"]
    );
    assert_eq!(
        made(&[("GEMINI_API_KEY", "k")]),
        ["google-genai https://generativelanguage.googleapis.com/ k"]
    );
    let aws = [("AWS_PROFILE", "p"), ("AWS_REGION", "eu-west-1"), ("AWS_BEARER_TOKEN_BEDROCK", "k")];
    assert_eq!(made(&aws), ["bedrock https://bedrock-runtime.eu-west-1.amazonaws.com/ k"]);
    assert_eq!(made(&aws[..2]), ["bedrock https://bedrock-runtime.eu-west-1.amazonaws.com/ -"]);
    assert!(made(&aws[1..2]).is_empty(), "a region is no account");
    assert!(made(&[("OPENAI_API_KEY", ""), ("OPENAI_BASE_URL", "http://h")]).is_empty());
    for variable in ["SWITCHBOARD_API_KEY", "SWITCHBOARD_ADMIN_KEY"] {
        let expected =
            format!("environment variable {variable}: is empty, expected a key; unset it to have none");
        assert_eq!(problems("", &[(variable, " ")]), [expected]);
    }
    assert_eq!(
        problems("", &[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:4100")]),
        ["environment variable ANTHROPIC_BASE_URL: is the address that Switchboard listens on, \
          expected the provider's"]
    );
}

#[test]
fn a_provider_of_the_file_wins_over_the_environment() {
    let variables =
        [("OPENAI_API_KEY", "env"), ("OPENAI_BASE_URL", "http://env/v1"), ("ANTHROPIC_API_KEY", "env")];
    let text = "[providers.openai]\napi_key = \"file\"\n[providers.local]\nkind = \"openai\"\nbase_url = \"http://l/v1\"";
    let providers = load(text, &variables).providers;
    let names: Vec<_> = providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["anthropic", "local", "openai"]);
    assert!(providers[1].api_key.is_none(), "another name has no standard key");
    assert_eq!(providers[2].api_key.as_ref().unwrap().expose_secret(), "file");
    assert_eq!(providers[2].base_url.as_str(), "http://env/v1", "what the file leaves out");
}

fn chain(config: &Config, route: &str) -> Vec<String> {
    config.routes.get(route).map_or_else(Vec::new, |route| route.keys().map(ToString::to_string).collect())
}

const OPEN_SWE: &str = "[open_swe]\nenabled = true";

#[test]
fn the_tasks_of_open_swe_are_routes() {
    let all = [
        ("OPENAI_API_KEY", "k"),
        ("ANTHROPIC_API_KEY", "k"),
        ("GOOGLE_API_KEY", "k"),
        ("AWS_BEARER_TOKEN_BEDROCK", "k"),
    ];
    let config = load(OPEN_SWE, &all);
    assert!(config.routes.keys().eq(["planner", "programmer", "reviewer", "router", "summarizer"]));
    assert_eq!(
        chain(&config, "planner"),
        [
            "anthropic:claude-sonnet-5",
            "openai:gpt-5.4",
            "google-genai:gemini-3.8-flash",
            "bedrock:us.anthropic.claude-sonnet-5",
        ]
    );
    let config = load(OPEN_SWE, &all[..1]);
    assert_eq!(chain(&config, "router"), ["openai:gpt-5.4-mini"], "only models whose provider has a key");
}

#[test]
fn the_tasks_of_open_swe_are_routes_only_for_its_users() {
    const OFF: &str = "[open_swe]\nenabled = false";
    let with_key = |file: &str, variables: &[(&str, &str)]| {
        let variables: Vec<_> = [("OPENAI_API_KEY", "k")].iter().chain(variables).copied().collect();
        load(file, &variables).routes.len()
    };
    for (file, variables, expected) in [
        ("", &[][..], 0),
        ("[open_swe]", &[], 0),
        (OPEN_SWE, &[], 5),
        (OFF, &[], 0),
        ("", &[("DEFAULT_ROUTER_MODEL", "openai:gpt-5.4")], 5),
        ("", &[("FALLBACK_OPENAI_SUMMARIZER_MODEL", "gpt-5.4")], 5),
        ("", &[("FALLBACK_BEDROCK_PLANNER_MODEL", "m")], 5),
        ("", &[("DEFAULT_ROUTER_MODEL", "")], 0),
        ("", &[("DEFAULT_OTHER_MODEL", "openai:gpt-5.4")], 0),
        (OFF, &[("DEFAULT_ROUTER_MODEL", "openai:gpt-5.4")], 0),
    ] {
        assert_eq!(with_key(file, variables), expected, "{file} {variables:?}");
    }
    assert_problems(&[
        ("[open_swe]\nenabled = 1", "s.toml:2: open_swe.enabled is 1, expected true or false"),
        (
            "[routes.router]\nstream = \"buffer\"",
            "s.toml:1: routes.router.models is missing, expected an array such as [\"openai:gpt-5\"] (Open SWE's own, if \
             enabled = true in [open_swe])",
        ),
    ]);
}

/// Many machines have AWS credentials for something else. A fallback that refuses each call would turn every outage into its
/// 403.
#[test]
fn aws_credentials_alone_make_bedrock_no_fallback() {
    const GPT: &str = "openai:gpt-5.4";
    const SONNET: &str = "bedrock:us.anthropic.claude-sonnet-5";
    let keys = [("OPENAI_API_KEY", "k"), ("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "k")];
    for (what, file, more, expected) in [
        ("credentials", "", &[][..], &[GPT][..]),
        ("credentials and a region", "", &[("AWS_REGION", "eu-west-1"), ("AWS_PROFILE", "p")], &[GPT]),
        ("another account's provider", "[providers.aws]\nkind = 'bedrock'", &[], &[GPT]),
        ("another task's default", "", &[("DEFAULT_ROUTER_MODEL", "openai:bedrock:x")], &[GPT]),
        ("a provider's entry", "[providers.bedrock]", &[], &[GPT, SONNET]),
        ("a key", "", &[("AWS_BEARER_TOKEN_BEDROCK", "k")], &[GPT, SONNET]),
        ("its address", "", &[("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://h")], &[GPT, SONNET]),
        ("a fallback", "", &[("FALLBACK_BEDROCK_PLANNER_MODEL", "m")], &[GPT, "bedrock:m"]),
        ("another task's fallback", "", &[("FALLBACK_BEDROCK_ROUTER_MODEL", "m")], &[GPT, SONNET]),
        ("a default", "", &[("DEFAULT_PLANNER_MODEL", "bedrock:m")], &["bedrock:m", GPT, SONNET]),
    ] {
        let variables: Vec<_> = keys.iter().chain(more).copied().collect();
        let config = load(&format!("{OPEN_SWE}\n{file}"), &variables);
        assert_eq!(chain(&config, "planner"), expected, "{what}");
        assert!(config.providers.iter().any(|provider| provider.name == "bedrock"), "{what}");
    }
    assert_eq!(chain(&load(OPEN_SWE, &keys[1..]), "planner"), [SONNET], "where there is no other provider");
    let with_route = load("[routes.mine]\nmodels = ['openai:a', 'bedrock:b']", &keys);
    assert_eq!(chain(&with_route, "mine"), ["openai:a", "bedrock:b"], "a route that names it has it");
}

#[test]
fn variables_choose_the_models_of_tasks() {
    let variables = [
        ("OPENAI_API_KEY", "k"),
        ("ANTHROPIC_API_KEY", "k"),
        ("DEFAULT_PLANNER_MODEL", "openai:gpt-5-mini"),
        ("FALLBACK_OPENAI_PLANNER_MODEL", "gpt-5-mini"),
        ("FALLBACK_ANTHROPIC_PLANNER_MODEL", "claude-opus-4-5"),
        ("FALLBACK_GOOGLE_GENAI_PLANNER_MODEL", "gemini-3-pro"),
        ("DEFAULT_ROUTER_MODEL", "anthropic:extended-thinking:claude-opus-4-5"),
        ("DEFAULT_REVIEWER_MODEL", ""),
    ];
    let config = load("", &variables);
    assert_eq!(chain(&config, "planner"), ["openai:gpt-5-mini", "anthropic:claude-opus-4-5"]);
    assert_eq!(chain(&config, "router")[0], "anthropic:claude-opus-4-5");
    assert_eq!(chain(&config, "reviewer")[0], "anthropic:claude-sonnet-5");

    let found = problems("", &[("OPENAI_API_KEY", "k"), ("DEFAULT_PLANNER_MODEL", "gpt-5")]);
    assert_eq!(
        found,
        ["environment variable DEFAULT_PLANNER_MODEL: a model key is written provider:model, \
          for instance openai:gpt-5; got \"gpt-5\""]
    );
}

#[test]
fn a_route_of_the_file_replaces_a_tasks_chain() {
    let text = "[routes.planner]\nmodels = [\"openai:a\"]\n[routes.router]\nstream = \"buffer\"";
    let config = load(text, &[("OPENAI_API_KEY", "k"), ("DEFAULT_PLANNER_MODEL", "openai:b")]);
    assert_eq!(chain(&config, "planner"), ["openai:a"]);
    assert_eq!(chain(&config, "router"), ["openai:gpt-5.4-mini"], "a table without models keeps the chain");
    assert_eq!(config.routes["router"].stream, StreamMode::Buffer);
    assert!(config.routes.contains_key("summarizer"));
}

#[test]
fn the_printed_configuration_has_the_same_meaning() {
    let text = r#"
        hedge_after = "8s"
        on_auth_error = "fallback"
        [server]
        listen = "0.0.0.0:80"
        api_keys = ["a", "b"]
        admin_keys = ["c"]
        [keys.ci]
        key = "hush"
        models = ["name/with.dot", "openai:*"]
        [keys.web]
        hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        report = true
        [redis]
        url = "redis://u:hush$${x}@h/1"
        [breaker]
        preset = "open-swe"
        [models."openai:b".breaker]
        open_duration = "1ms"
        [providers.openai]
        base_url = "https://h/v1"
        [routes."name/with.dot"]
        models = ["openai:b"]
    "#;
    let printed = load(text, &[("ANTHROPIC_API_KEY", "hush")]).to_toml().unwrap();
    assert!(!printed.contains("hush") && !printed.contains("e3b0"), "{printed}");
    assert!(printed.contains("[keys.ci]\nkey = \"*** (ci)\""), "{printed}");
    assert_eq!(load(&printed, &[]).to_toml().unwrap(), printed);
}

/// Servers that are compatible with OpenAI's have chat completions; few have responses.
#[test]
fn the_api_formats_of_a_provider_are_printed() {
    let keys = [("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k"), ("GOOGLE_API_KEY", "k")];
    let text = r#"
        [providers.local]
        kind = "openai"
        base_url = "http://127.0.0.1:8000/v1"
        [providers.other]
        kind = "openai"
        base_url = "http://127.0.0.1:8001/v1"
        speaks = ["chat", "responses"]
    "#;
    let printed: toml::Table = load(text, &keys).to_toml().unwrap().parse().unwrap();
    for (name, expected) in [
        ("openai", &["responses", "chat"][..]),
        ("anthropic", &["anthropic"]),
        ("google-genai", &["gemini"]),
        ("local", &["chat"]),
        ("other", &["chat", "responses"]),
    ] {
        let speaks = printed["providers"][name]["speaks"].as_array().unwrap();
        assert!(
            speaks.iter().filter_map(toml::Value::as_str).eq(expected.iter().copied()),
            "{name}: {speaks:?}"
        );
    }
}

#[test]
fn circuits_can_be_inspected_without_keys() {
    let text = "[redis]\nurl = \"memory:\"\n[providers.x]\napi_key = \"${NO_SUCH}\"\n[models.\"x:a\".breaker]\nopen_duration = \"1s\"";
    let config = Config::load_circuits(&sources(text, &[])).unwrap();
    assert!(config.redis.url.is_memory());
    assert_eq!(config.policies.models.len(), 1);
    assert!(Config::load_circuits(&sources("[breaker]\nmode = 1", &[])).is_err());
}

#[test]
fn a_base_url_that_ends_in_an_endpoint_is_a_warning() {
    let text = "[providers.openai]\nbase_url = \"https://h/v1/chat/completions/\"\n\
                [providers.local]\nkind = \"openai\"\nbase_url = \"https://h/v1\"";
    let variables = [
        ("OPENAI_API_KEY", "k"),
        ("ANTHROPIC_API_KEY", "k"),
        ("ANTHROPIC_BASE_URL", "https://a/v1/messages"),
        ("GOOGLE_API_KEY", "k"),
        ("GOOGLE_GEMINI_BASE_URL", "https://g/v1beta/models/gemini-3-pro:generateContent"),
    ];
    let warnings: Vec<_> = load(text, &variables).warnings.iter().map(ToString::to_string).collect();
    let ends_in = "which is added automatically; expected";
    assert_eq!(
        warnings,
        [
            format!(
                "s.toml:2: providers.openai.base_url ends in /chat/completions, {ends_in} \"https://h/v1\""
            ),
            format!("environment variable ANTHROPIC_BASE_URL: ends in /v1/messages, {ends_in} \"https://a\""),
            format!(
                "environment variable GOOGLE_GEMINI_BASE_URL: ends in /v1beta/models/gemini-3-pro:generateContent, \
                 {ends_in} \"https://g\""
            ),
        ]
    );
}

#[test]
fn a_route_named_like_a_model_is_a_warning() {
    let others = "[routes.chat]\nmodels = ['openai:gpt-5', 'hub:meta/llama']\n[providers.hub]\nkind = 'openai'\n\
                  base_url = 'http://h/v1'\n[models.'openai:o9'.breaker]\nmode = 'off'\n";
    for (name, model) in [
        ("gpt-5", "openai:gpt-5"),
        ("meta/llama", "hub:meta/llama"),
        ("o9", "openai:o9"),
        ("m", "openai:m"),
        ("claude-opus-5-5", "anthropic:claude-opus-5-5"),
        ("gemini-3-pro", "google-genai:gemini-3-pro"),
        ("anthropic:claude-opus-5-5", "anthropic:claude-opus-5-5"),
    ] {
        let text = format!("[routes.'{name}']\nmodels = ['openai:m']\n{others}");
        let warnings = load(&text, &[("OPENAI_API_KEY", "k")]).warnings;
        let [warning] = &warnings[..] else { panic!("{name}: {warnings:?}") };
        let warning = warning.to_string();
        assert!(warning.starts_with("s.toml:1: [routes."), "{warning}");
        assert!(warning.contains(&format!(" is named like the model {model}: ")), "{warning}");
    }
    for name in ["planner", "gpt", "gpt-5-chain", "anthropic", "claude", "llama", "my:route", "team/chat"] {
        let text = format!("[routes.'{name}']\nmodels = ['openai:m']\n{others}");
        assert_eq!(load(&text, &[("OPENAI_API_KEY", "k")]).warnings, [], "{name}");
    }
}

/// The routes that the manual gives to Open SWE exist, and have names of their own.
#[test]
fn the_manuals_routes_for_open_swe_are_no_models() {
    let page = include_str!("../../../docs/open-swe.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (text, rest) = rest.split_once("```").unwrap();
    let config = load(text, &[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
    assert_eq!(config.warnings, []);
    let variables = rest.lines().filter_map(|line| line.strip_prefix("DEFAULT_")?.split_once("=anthropic:"));
    let routes: Vec<_> = variables.map(|(_, route)| route).collect();
    assert_eq!(routes.len(), 5, "{routes:?}");
    for route in routes {
        assert!(config.routes.contains_key(route), "{route}");
    }
}

#[test]
fn callers_headers_can_be_forwarded_but_for_some() {
    let provider = |forward: &str| format!("[providers.openai]\nforward = {forward}");
    let config = load(&provider("['HTTP-Referer', 'x-title']"), &[("OPENAI_API_KEY", "k")]);
    let names: Vec<_> = config.providers[0].forward.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["http-referer", "x-title"]);
    let never = "and is never forwarded";
    for (forward, expected) in [
        ("'x-title'", "is a string, expected an array of strings".to_owned()),
        ("['x title']", "is not the name of a header, expected one such as \"http-referer\"".to_owned()),
        ("['x-title', 'X-Title']", "stands twice".to_owned()),
        (
            "['Authorization']",
            format!(
                "is \"Authorization\", which holds what only the gateway may see of its callers, {never}"
            ),
        ),
        (
            "['cookie']",
            format!("is \"cookie\", which holds what only the gateway may see of its callers, {never}"),
        ),
        ("['te']", format!("is \"te\", which concerns the connection between two hosts, {never}")),
        ("['host']", format!("is \"host\", which is written anew for each provider, {never}")),
        ("['x-switchboard-fault']", format!("is \"x-switchboard-fault\", which is for the gateway, {never}")),
    ] {
        let problems = problems(&provider(forward), &[("OPENAI_API_KEY", "k")]);
        let [problem] = &problems[..] else { panic!("{forward}: {problems:?}") };
        assert!(problem.starts_with("s.toml:2: providers.openai.forward"), "{problem}");
        assert!(problem.ends_with(&expected), "{problem}");
    }
}
