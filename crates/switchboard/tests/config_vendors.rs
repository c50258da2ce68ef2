//! Providers of vendors that are known by name, and of Azure: what variables and few lines of a file configure.

#![expect(clippy::panic, reason = "helpers of tests fail tests")]

use providers::{Activation, ProviderConfig, Vendor};
use secrecy::ExposeSecret as _;
use switchboard::config::{Config, Environment, SourceFile, Sources};

fn result(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let file = Some(SourceFile { path: "s.toml".into(), text: text.to_owned() });
    let environment = Environment::from_pairs(variables.iter().copied());
    Config::load(&Sources { file, environment, listen: None }).map_err(|problems| problems.to_string())
}

fn load(text: &str, variables: &[(&str, &str)]) -> Config {
    result(text, variables).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Name, base URL, key and vendor of each provider.
fn providers(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let describe = |provider: &ProviderConfig| {
        let key = provider.api_key.as_ref().map_or("no key", |key| key.expose_secret());
        let vendor = provider.vendor.map_or("no vendor", |vendor| vendor.name);
        format!("{} {} {key} {vendor}", provider.name, provider.base_url)
    };
    load(text, variables).providers.iter().map(describe).collect()
}

#[test]
fn the_variable_of_a_key_is_enough_for_every_vendor() {
    for vendor in Vendor::all().iter().filter(|vendor| vendor.activation == Activation::Key) {
        for variable in vendor.key_variables {
            let url = url::Url::parse(vendor.base_url).unwrap();
            let expected = format!("{0} {url} secret {0}", vendor.name);
            assert_eq!(providers("", &[(variable, "secret")]), [expected]);
        }
    }
}

#[test]
fn a_vendor_may_have_an_entry_or_another_name() {
    let groq = "https://api.groq.com/openai/v1";
    for (text, variables, expected) in [
        ("[providers.groq]\napi_key = 'a'", &[][..], format!("groq {groq} a groq")),
        ("[providers.groq]\napi_key = 'a'", &[("GROQ_API_KEY", "b")], format!("groq {groq} a groq")),
        ("[providers.groq]", &[("GROQ_API_KEY", "b")], format!("groq {groq} b groq")),
        ("[providers.fast]\nkind = 'groq'\napi_key = '${K}'", &[("K", "c")], format!("fast {groq} c groq")),
        (
            "",
            &[("GROQ_API_KEY", "b"), ("GROQ_BASE_URL", "http://p:1")],
            "groq http://p:1/openai/v1 b groq".into(),
        ),
        (
            "[providers.groq]\nbase_url = 'http://p/v1'",
            &[("GROQ_API_KEY", "b"), ("GROQ_BASE_URL", "http://other")],
            "groq http://p/v1 b groq".into(),
        ),
        ("[providers.ollama]", &[], "ollama http://127.0.0.1:11434/v1 no key ollama".into()),
        ("", &[("OLLAMA_HOST", "gpu:1")], "ollama http://gpu:1/v1 no key ollama".into()),
        (
            "[providers.github]",
            &[("GITHUB_TOKEN", "t")],
            "github https://models.github.ai/inference t github".into(),
        ),
        (
            "[providers.mine]\nkind = 'openai'\nbase_url = 'https://api.groq.com/openai/v1'\napi_key = 'd'",
            &[],
            format!("mine {groq} d no vendor"),
        ),
        (
            "",
            &[("OPENAI_API_KEY", "e"), ("OPENAI_BASE_URL", "https://api.groq.com/openai/v1")],
            format!("openai {groq} e no vendor"),
        ),
    ] {
        assert_eq!(providers(text, variables), [expected], "{text} {variables:?}");
    }
}

#[test]
fn what_is_set_for_other_purposes_configures_nothing() {
    for variable in ["GITHUB_TOKEN", "HF_TOKEN", "WANDB_API_KEY"] {
        assert!(providers("", &[(variable, "t")]).is_empty(), "{variable}");
    }
    assert!(providers("", &[]).is_empty(), "no local server either");
}

#[test]
fn a_local_server_is_there_where_its_model_is_named() {
    let ollama = ["ollama http://127.0.0.1:11434/v1 no key ollama"];
    assert_eq!(providers("[routes.r]\nmodels = ['ollama:llama3.3']", &[]), ollama);
    assert_eq!(providers("[models.'ollama:llama3.3'.breaker]", &[]), ollama);
    assert_eq!(providers("", &[("DEFAULT_PLANNER_MODEL", "ollama:llama3.3")]), ollama);
    let problem = result("[routes.r]\nmodels = ['groq:m']", &[]).unwrap_err();
    assert!(problem.ends_with("set GROQ_API_KEY or add [providers.groq]"), "{problem}");
}

#[test]
fn a_wrong_kind_is_answered_with_the_nearest_name() {
    for (kind, nearest) in
        [("grok", "groq"), ("mistralai", "mistral"), ("Azure-OpenAI", "azure"), ("togetherai", "together")]
    {
        let problem = result(&format!("[providers.a]\nkind = '{kind}'"), &[]).unwrap_err();
        assert!(problem.ends_with(&format!("the nearest name is {nearest:?}")), "{problem}");
    }
}

#[test]
fn the_key_of_one_is_not_for_the_address_of_another() {
    for (text, variables, expected) in [
        (
            "[providers.openai]\nbase_url = 'https://api.groq.com/openai/v1'",
            &[("OPENAI_API_KEY", "hush")][..],
            "s.toml:1: providers.openai.api_key is missing; \
             base_url is the address of groq, which does not get OPENAI_API_KEY",
        ),
        (
            "[providers.groq]\nbase_url = 'https://api.mistral.ai/v1'",
            &[("GROQ_API_KEY", "hush")],
            "s.toml:1: providers.groq.api_key is missing; \
             base_url is the address of mistral, which does not get GROQ_API_KEY",
        ),
        (
            "",
            &[("GROQ_API_KEY", "hush"), ("GROQ_BASE_URL", "https://api.openai.com/v1")],
            "environment variable GROQ_BASE_URL: is the address of openai, which must not get GROQ_API_KEY",
        ),
    ] {
        assert_eq!(result(text, variables).unwrap_err(), expected);
    }
    // Written out it is meant.
    let text = "[providers.groq]\nbase_url = 'https://api.mistral.ai/v1'\napi_key = 'k'";
    assert_eq!(providers(text, &[]), ["groq https://api.mistral.ai/v1 k groq"]);
}

#[test]
fn azure_has_an_endpoint_and_perhaps_a_version() {
    const KEY: (&str, &str) = ("AZURE_OPENAI_API_KEY", "k");
    const ENDPOINT: (&str, &str) = ("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com/");
    let version = |text: &str, variables: &[(&str, &str)]| {
        let config = load(text, variables);
        let [provider] = &config.providers[..] else { panic!("{text}: {:?}", config.providers) };
        (provider.base_url.to_string(), provider.api_version.clone())
    };
    let url = "https://r.openai.azure.com/".to_owned();
    let dated = |date: &str| (url.clone(), Some(date.to_owned()));
    assert_eq!(version("", &[KEY, ENDPOINT]), (url.clone(), None));
    assert_eq!(version("", &[KEY, ENDPOINT, ("OPENAI_API_VERSION", "2024-10-21")]), dated("2024-10-21"));
    let both = [KEY, ENDPOINT, ("AZURE_OPENAI_API_VERSION", "v1"), ("OPENAI_API_VERSION", "2024-10-21")];
    assert_eq!(version("", &both), (url.clone(), None));
    let text = "[providers.azure]\napi_version = '2025-04-01-preview'";
    assert_eq!(version(text, &both), dated("2025-04-01-preview"));
    let text = "[providers.eu]\nkind = 'azure'\nbase_url = 'https://r.openai.azure.com'\napi_key = 'k'";
    assert_eq!(version(text, &[("OPENAI_API_VERSION", "2024-10-21")]), (url.clone(), None));
    assert!(providers("", &[KEY]).is_empty(), "whose resource it is, nobody knows");

    let eu = "[providers.eu]\nkind = 'azure'\n";
    for (text, expected) in [
        (
            format!("{eu}api_key = 'k'"),
            "s.toml:1: providers.eu.base_url is missing, \
             expected the endpoint of the resource, such as \"https://NAME.openai.azure.com\"",
        ),
        (
            format!("{eu}base_url = 'https://r'"),
            "s.toml:1: providers.eu.api_key is missing; \
             write api_key = \"${AZURE_OPENAI_API_KEY}\" and set that variable",
        ),
        (
            format!("{eu}base_url = 'https://r'\napi_key = 'k'\napi_version = '2024'"),
            "s.toml:5: providers.eu.api_version is no version of Azure's API, \
             expected a date such as \"2024-10-21\", or \"v1\"",
        ),
        (
            "[providers.openai]\napi_key = 'k'\napi_version = '2024-10-21'".to_owned(),
            "s.toml:3: unknown key \"api_version\" in [providers.openai]; the nearest known key is \"api_key\"",
        ),
    ] {
        assert_eq!(result(&text, &[]).unwrap_err(), expected);
    }
    let problem = result("[routes.r]\nmodels = ['azure:gpt']", &[]).unwrap_err();
    assert!(problem.contains("set AZURE_OPENAI_API_KEY and AZURE_OPENAI_ENDPOINT or add"), "{problem}");
}

#[test]
fn the_printed_configuration_can_be_read_again() {
    let variables =
        [("GROQ_API_KEY", "hush"), ("AZURE_OPENAI_API_KEY", "hush"), ("AZURE_OPENAI_ENDPOINT", "https://r")];
    let printed = load("[providers.fast]\nkind = 'xai'\napi_key = 'hush'", &variables).to_toml().unwrap();
    assert!(!printed.contains("hush"), "{printed}");
    for line in
        ["kind = \"groq\"", "kind = \"xai\"", "api_version = \"v1\"", "speaks = [\"chat\", \"responses\"]"]
    {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    assert_eq!(load(&printed, &[]).to_toml().unwrap(), printed);
}
