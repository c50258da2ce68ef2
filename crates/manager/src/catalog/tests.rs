use providers::ProviderKind;
use url::Url;

use super::*;

fn provider(name: &str, kind: ProviderKind) -> ProviderConfig {
    ProviderConfig::new(name, kind, Url::parse("http://127.0.0.1:1/v1").unwrap())
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
fn a_mistyped_route_is_no_model() {
    let providers = [("openai", ProviderKind::OpenAi), ("local", ProviderKind::OpenAi)];
    let catalog =
        Catalog::new(settings(&providers, &[("assistant", &["openai:gpt-5", "local:assistant3b"])])).unwrap();
    let resolve = |name: &str| match catalog.resolve(Endpoint::ChatCompletions, name) {
        Ok(chain) => chain.name().to_owned(),
        Err(error) => error.to_string(),
    };
    let refused = "unknown model or route `asistant`. Did you mean the route `assistant`? A model of that name can be \
                   requested as `openai:asistant`. See GET /v1/models";
    for (name, expected) in [
        ("asistant", refused),
        ("openai:asistant", "openai:asistant"),
        ("local/asistant", "local:asistant"),
        ("assistant3b", "openai:assistant3b"),
        ("gpt-4", "openai:gpt-4"),
        ("assistant", "assistant"),
    ] {
        assert_eq!(resolve(name), expected, "{name}");
    }
    let keyless = Catalog::new(settings(&[("local", ProviderKind::OpenAi)], &[("assistant", &["local:m"])]));
    let error = keyless.unwrap().resolve(Endpoint::Messages, "asistant").unwrap_err();
    assert!(error.to_string().contains("Did you mean the route `assistant`?"), "{error}");
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
fn a_vendor_that_is_not_configured_is_named_unless_it_may_be_part_of_a_models_own_name() {
    let at = |base_url: &str| {
        let openai = ProviderConfig::new("openai", ProviderKind::OpenAi, base_url.parse().unwrap());
        let groq =
            ProviderConfig::new("groq", ProviderKind::OpenAi, "http://127.0.0.1:1/v1".parse().unwrap());
        Catalog::new(Settings { providers: vec![openai, groq], ..Settings::default() }).unwrap()
    };
    let resolve = |catalog: &Catalog, name: &str| match catalog.resolve(Endpoint::ChatCompletions, name) {
        Ok(chain) => chain.name().to_owned(),
        Err(UnknownModel::ProviderNotConfigured { provider, .. }) => format!("no {provider}"),
        Err(error) => error.to_string(),
    };
    let (official, compatible) = (at("https://api.openai.com/v1"), at("http://127.0.0.1:11434/v1"));
    for (name, at_openai, elsewhere) in [
        ("mistral:7b", "no mistral", "openai:mistral:7b"),
        ("deepseek/deepseek-chat", "no deepseek", "openai:deepseek/deepseek-chat"),
        ("groq:m", "groq:m", "groq:m"),
        ("azure:gpt", "no azure", "no azure"),
        ("acme:m", "openai:acme:m", "openai:acme:m"),
    ] {
        assert_eq!(
            (resolve(&official, name).as_str(), resolve(&compatible, name).as_str()),
            (at_openai, elsewhere)
        );
    }
    assert_eq!(resolve(&Catalog::new(Settings::default()).unwrap(), "mistral:large"), "no mistral");
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

#[test]
fn a_model_that_has_answered_is_looked_up_by_the_name_and_format_that_it_was_requested_with() {
    use Endpoint::{ChatCompletions, Messages};
    let catalog = catalog();
    let is_kept = |endpoint, name: &str| !catalog.resolve(endpoint, name).unwrap().is_of_one_call();
    assert!(!is_kept(ChatCompletions, "kimi-k2"));
    catalog.keep_direct_chain(ChatCompletions, "kimi-k2");
    assert!(
        is_kept(ChatCompletions, "kimi-k2") && !is_kept(Messages, "kimi-k2"),
        "it implies another provider there"
    );
    catalog.keep_direct_chain(Messages, "kimi-k2");
    for (endpoint, key) in [(ChatCompletions, "openai:kimi-k2"), (Messages, "anthropic:kimi-k2")] {
        let chain = catalog.resolve(endpoint, "kimi-k2").unwrap();
        assert_eq!((chain.name(), chain.is_of_one_call(), chain.is_route()), (key, false, false));
    }
    // What names nothing is not kept, and neither is more than there is room for.
    catalog.keep_direct_chain(ChatCompletions, "anthropic:");
    assert!(catalog.resolve(ChatCompletions, "anthropic:").is_err());
    (0..100).for_each(|number| catalog.keep_direct_chain(ChatCompletions, &format!("model-{number}")));
    let kept = (0..100).filter(|number| is_kept(ChatCompletions, &format!("model-{number}"))).count();
    assert!((1..=64).contains(&kept), "{kept} of 100 are kept");
    assert!(is_kept(ChatCompletions, "model-99") && !is_kept(ChatCompletions, "kimi-k2"));
}
