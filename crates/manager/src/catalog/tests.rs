use providers::ProviderKind;
use url::Url;

use super::*;

fn provider(name: &str, kind: ProviderKind) -> ProviderConfig {
    ProviderConfig {
        name: name.to_owned(),
        kind,
        base_url: Url::parse("http://127.0.0.1:1/v1").unwrap(),
        api_key: None,
        aws: None,
        google: None,
        speaks: None,
        ca_file: None,
        stream_usage: None,
        forward: Vec::new(),
    }
}

fn route(models: &[&str]) -> Route {
    Route {
        models: models.iter().map(|key| key.parse().unwrap()).collect(),
        retry: Retry::default(),
        timeouts: Timeouts::default(),
        stream: crate::StreamMode::PassThrough,
        hedge_after: None,
        on_auth_error: OnAuthError::Report,
    }
}

fn settings(providers: &[(&str, ProviderKind)], routes: &[(&str, &[&str])]) -> Settings {
    Settings {
        providers: providers.iter().map(|(name, kind)| provider(name, *kind)).collect(),
        routes: routes.iter().map(|(name, models)| ((*name).to_owned(), route(models))).collect(),
        ..Settings::default()
    }
}

fn catalog() -> Catalog {
    let providers = [
        ("openai", ProviderKind::OpenAi),
        ("anthropic", ProviderKind::Anthropic),
        ("google-genai", ProviderKind::GoogleGenAi),
        ("local", ProviderKind::OpenAi),
    ];
    Catalog::new(settings(&providers, &[("planner", &["anthropic:claude-opus-4-5", "openai:gpt-5"])]))
        .unwrap()
}

#[test]
fn names_resolve_as_documented() {
    use Endpoint::{ChatCompletions, Messages};
    let table: [(Endpoint, &str, &[&str]); 13] = [
        (ChatCompletions, "planner", &["anthropic:claude-opus-4-5", "openai:gpt-5"]),
        (Messages, "planner", &["anthropic:claude-opus-4-5", "openai:gpt-5"]),
        (ChatCompletions, "openai:gpt-5", &["openai:gpt-5"]),
        (ChatCompletions, "openai/gpt-5", &["openai:gpt-5"]),
        (ChatCompletions, "local/meta-llama/Llama-3", &["local:meta-llama/Llama-3"]),
        (ChatCompletions, "local:llama3:8b", &["local:llama3:8b"]),
        (ChatCompletions, "gpt-5", &["openai:gpt-5"]),
        (ChatCompletions, "meta-llama/Llama-3", &["openai:meta-llama/Llama-3"]),
        (ChatCompletions, "ft:gpt-4o:acme::x1", &["openai:ft:gpt-4o:acme::x1"]),
        (ChatCompletions, "claude-opus-4-5", &["anthropic:claude-opus-4-5"]),
        (ChatCompletions, "gemini-2.5-pro", &["google-genai:gemini-2.5-pro"]),
        (Messages, "claude-opus-4-5", &["anthropic:claude-opus-4-5"]),
        (Messages, "kimi-k2", &["anthropic:kimi-k2"]),
    ];
    for (endpoint, name, expected) in table {
        let chain = catalog().resolve(endpoint, name).unwrap();
        assert_eq!(chain.models().map(ModelKey::as_str).collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(chain.is_route(), name == "planner", "{name}");
    }
}

#[test]
fn a_missing_provider_is_named_with_all_routes() {
    let error = catalog().resolve(Endpoint::ChatCompletions, "bedrock/nova").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown model or route `bedrock/nova`: provider bedrock is not configured, and the routes are planner. \
         See GET /v1/models"
    );
}

#[test]
fn an_invalid_name_is_rejected() {
    for bad in ["gpt 5", "{gpt}", "openai:", "gpt\n5"] {
        let error = catalog().resolve(Endpoint::ChatCompletions, bad).unwrap_err();
        assert!(matches!(error, UnknownModel::InvalidName(_)), "{bad:?}: {error}");
    }
}

#[test]
fn inconsistent_settings_are_rejected() {
    let table: [(Settings, &str); 3] = [
        (
            settings(&[("openai", ProviderKind::OpenAi)], &[("planner", &["acme:x"])]),
            "route planner uses acme:x, but provider acme is not configured: add [providers.acme]",
        ),
        (
            settings(&[], &[("planner", &[])]),
            "route planner has no models: add at least one as provider:model",
        ),
        (
            settings(&[("openai", ProviderKind::OpenAi), ("openai", ProviderKind::OpenAi)], &[]),
            "duplicate provider openai: rename one of them and set its kind",
        ),
    ];
    for (settings, expected) in table {
        assert_eq!(Catalog::new(settings).unwrap_err().to_string(), expected);
    }
}

#[test]
fn model_names_are_the_routes_and_then_their_models_once() {
    let routes: [(&str, &[&str]); 2] = [("b", &["openai:gpt-5", "local:x"]), ("a", &["openai:gpt-5"])];
    let catalog =
        Catalog::new(settings(&[("openai", ProviderKind::OpenAi), ("local", ProviderKind::OpenAi)], &routes))
            .unwrap();
    assert_eq!(catalog.model_names(), ["a", "b", "openai:gpt-5", "local:x"]);
}
