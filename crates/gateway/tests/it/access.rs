//! Authentication: keys, and the hosts that a listener without keys accepts.

use std::sync::Arc;

use gateway::{BindError, Gateway, Keys, Role, Settings};
use simulator::Simulator;

use crate::support::{Setup, World, anthropic_error, header, key, manager, openai_error, settings};

#[tokio::test]
async fn calls_need_a_key_where_keys_are_set() {
    let world = World::with_keys().await;
    let (status, code, _, message) = openai_error(world.chat("chat", false).send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (401, "invalid_api_key"));
    assert!(message.contains("API key required"), "{message}");
    let wrong = world.messages("messages", false).header("x-api-key", "caller2");
    let (status, _, kind, message) = anthropic_error(wrong.send().await.unwrap()).await;
    assert_eq!((status, kind.as_str()), (401, "authentication_error"));
    assert!(!message.contains("caller2"), "{message}");
    assert_eq!(world.first.traffic().all_calls(), 0);

    for (name, value) in
        [("authorization", "Bearer caller"), ("x-api-key", "caller"), ("x-goog-api-key", "boss")]
    {
        let response = world.chat("chat", false).header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn the_callers_key_does_not_reach_the_provider() {
    let world = World::with_keys().await;
    for name in ["authorization", "x-api-key"] {
        let key = if name == "authorization" { "Bearer caller" } else { "caller" };
        world.chat("chat", false).header(name, key).send().await.unwrap();
        world.messages("messages", false).header(name, key).send().await.unwrap();
    }
    for received in world.first.traffic().received() {
        let headers = format!("{:?}", received.headers);
        assert!(headers.contains("key-of-ours") && !headers.contains("caller"), "{headers}");
    }
}

#[tokio::test]
async fn health_checks_need_no_key() {
    let world = World::with_keys().await;
    for path in ["/livez", "/readyz", "/health", "/health/liveliness", "/health/readiness"] {
        assert_eq!(world.get(path).send().await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(world.get("/v1/models").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn fault_injection_needs_an_admin_key() {
    let world = World::with_keys().await;
    let inject = |key: &str| world.chat("chat", false).bearer_auth(key).header("x-switchboard-fault", "503");
    let (status, code, ..) = openai_error(inject("caller").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (403, "admin_key_required"));
    let response = inject("boss").send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"));

    let world = World::new().await;
    let inject = |fault: &str| world.chat("chat", false).header("x-switchboard-fault", fault);
    let response = inject("529").send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"), "on loopback without keys");
    let (status, code, ..) = openai_error(inject("200").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn without_keys_only_loopback_names_are_answered() {
    let world = World::new().await;
    let table = [
        ("host", "evil.example", 403),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:3000", 200),
        ("host", "localhost:4100", 200),
    ];
    for (name, value, expected) in table {
        let response = world.chat("chat", false).header(name, value).send().await.unwrap();
        assert_eq!(response.status(), expected, "{name}: {value}");
        let health = world.get("/health").header(name, value).send().await.unwrap();
        assert_eq!(health.status(), expected, "{name}: {value}");
    }
    let foreign = world.chat("chat", false).header("host", "evil.example").send().await.unwrap();
    assert_eq!(openai_error(foreign).await.1, "host_not_allowed");
    assert_eq!(world.first.traffic().all_calls(), 2);

    let world = World::with_keys().await;
    let response =
        world.chat("chat", false).bearer_auth("caller").header("host", "gw.example").send().await.unwrap();
    assert_eq!(response.status(), 200, "with keys any host is accepted");
}

#[tokio::test]
async fn beyond_loopback_a_listener_needs_keys() {
    let (first, second) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
    let bind = async |keys| {
        let settings = Settings { listen: "0.0.0.0:0".parse().unwrap(), ..settings(keys) };
        Gateway::bind(settings, manager(&first, &second, &Setup::default())).await
    };
    for keys in [Keys::default(), Keys::new(vec![key("boss", Role::Admin)]).unwrap()] {
        let error = bind(keys).await.unwrap_err();
        assert!(matches!(error, BindError::MissingApiKeys(_)), "{error}");
    }
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let world = World::new().await;
    let settings = Settings { listen: world.address, ..settings(Keys::default()) };
    let error = Gateway::bind(settings, Arc::clone(&world.manager)).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {}", world.address)), "{error}");
}
