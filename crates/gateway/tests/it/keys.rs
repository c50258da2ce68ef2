//! Named keys: what they may ask for, where their names stand, and that a revoked one is revoked (Q5).

use gateway::{Keys, Role};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    circuits_api::send_ok,
    support::{
        Setup, TEST_TIMEOUT, World, allowed_models, anthropic_error, key, keys, openai_error, read_until,
    },
};

/// The key `ci` may use the route `chat` and the models of `backup`.
async fn limited_world() -> World {
    let limited = key("ci", Role::Caller).with_allowed_models(Some(allowed_models(&["chat", "backup:*"])));
    let keys = Keys::new(vec![limited, key("web", Role::Caller)]).unwrap();
    World::with(Setup { keys, ..Setup::default() }).await
}

#[tokio::test]
async fn a_key_may_be_limited_to_models() {
    let world = limited_world().await;
    for model in ["chat", "backup:m", "backup/other"] {
        let response = world.chat(model, false).bearer_auth("ci").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{model}");
    }
    for model in ["openai:m", "gpt-5", "nowhere:m", "no such route"] {
        let (status, code, kind, message) =
            openai_error(world.chat(model, false).bearer_auth("ci").send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (403, "model_not_allowed"), "{model}");
        assert_eq!(kind, "permission_error");
        assert!(message.contains("it may use chat, backup:*"), "{message}");
        assert!(!message.contains("messages"), "no route that it may not use is named: {message}");
    }
    let (status, code, kind, message) =
        anthropic_error(world.messages("messages", false).header("x-api-key", "ci").send().await.unwrap())
            .await;
    assert_eq!((status, code.as_str(), kind.as_str()), (403, "model_not_allowed", "permission_error"));
    assert!(message.starts_with("this key may not use messages"), "{message}");
    let response = world.chat("openai:m", false).bearer_auth("web").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "the other key may use everything");
}

#[tokio::test]
async fn models_are_listed_as_far_as_the_key_may_use_them() {
    let world = limited_world().await;
    let names = async |by: &str| {
        let list: Value = send_ok(world.get("/v1/models").bearer_auth(by)).await;
        let models = list["data"].as_array().unwrap().iter();
        models.map(|model| model["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("ci").await, ["chat", "backup:m"]);
    assert_eq!(names("web").await.len(), 6);
    let show =
        async |name: &str| world.get(&format!("/v1/models/{name}")).bearer_auth("ci").send().await.unwrap();
    assert_eq!(show("chat").await.status(), StatusCode::OK);
    assert_eq!(show("messages").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn calls_are_counted_by_caller_and_wrong_keys_as_such() {
    let world = limited_world().await;
    for by in ["ci", "web", "web"] {
        world.chat("chat", false).bearer_auth(by).send().await.unwrap();
    }
    world.chat("messages", false).bearer_auth("ci").send().await.unwrap();
    for _ in 0..3 {
        world.chat("chat", false).bearer_auth("guess").send().await.unwrap();
    }
    world.chat("chat", false).send().await.unwrap();
    world.wait_until_idle().await;
    for (series, expected) in [
        ("switchboard_calls_total{route=\"chat\",outcome=\"answered\",caller=\"ci\"}", 1.0),
        ("switchboard_calls_total{route=\"chat\",outcome=\"answered\",caller=\"web\"}", 2.0),
        ("switchboard_calls_total{route=\"messages\",outcome=\"model_not_allowed\",caller=\"ci\"}", 1.0),
        ("switchboard_rejected_keys_total", 3.0),
        ("switchboard_refused_requests_total{code=\"invalid_api_key\"}", 4.0),
    ] {
        assert_eq!(world.metric(series).await, Some(expected), "{series}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_an_open_connection() {
    let world = World::with(Setup { keys: keys(&["old", "stays"]), ..Setup::default() }).await;
    let call = async |by: &str| world.chat("chat", false).bearer_auth(by).send().await.unwrap().status();
    for by in ["old", "stays"] {
        assert_eq!(call(by).await, StatusCode::OK);
    }
    world.keys.replace(keys(&["new", "stays"])).unwrap();
    assert_eq!(call("old").await, StatusCode::UNAUTHORIZED);
    for by in ["new", "stays"] {
        assert_eq!(call(by).await, StatusCode::OK);
    }
    assert_eq!(world.metric("switchboard_connections").await, Some(1.0), "all on one connection");
}

#[tokio::test]
async fn the_first_key_is_required_at_once() {
    let world = World::new().await;
    assert_eq!(world.chat("chat", false).send().await.unwrap().status(), StatusCode::OK);
    world.keys.replace(keys(&["first"])).unwrap();
    let rejected = openai_error(world.chat("chat", false).send().await.unwrap()).await;
    assert_eq!((rejected.0, rejected.1.as_str()), (401, "invalid_api_key"));
    assert_eq!(world.chat("chat", false).bearer_auth("first").send().await.unwrap().status(), StatusCode::OK);
    // On loopback the last key may go, and then the names of hosts are checked again.
    world.keys.replace(Keys::default()).unwrap();
    assert_eq!(world.chat("chat", false).send().await.unwrap().status(), StatusCode::OK);
    let foreign = world.chat("chat", false).header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_event_stream_ends_with_its_key() {
    let world = World::with(Setup { keys: keys(&["old", "stays"]), ..Setup::default() }).await;
    let subscribe = async |by: &str| {
        let mut stream = world.get("/circuits/events").bearer_auth(by).send().await.unwrap();
        read_until(&mut stream, "event: snapshot").await;
        stream
    };
    let (old, mut stays) = (subscribe("old").await, subscribe("stays").await);
    world.keys.replace(keys(&["stays"])).unwrap();
    tokio::time::timeout(TEST_TIMEOUT, old.text()).await.expect("it ends").unwrap();
    send_ok(world.post("/circuits/openai:m/open").bearer_auth("boss").json(&json!({}))).await;
    read_until(&mut stays, "event: circuit").await;
}
