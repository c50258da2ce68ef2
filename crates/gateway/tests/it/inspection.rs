//! The requests that call no model.

use serde_json::{Value, json};
use simulator::Fault;

use crate::support::{World, anthropic_error, openai_error};

#[tokio::test]
async fn models_are_listed_in_the_shape_of_the_sdk() {
    let world = World::new().await;
    let names = ["chat", "messages", "openai:m", "backup:m", "anthropic:m", "vertex:m"];
    let ids = |list: &Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let openai: Value = world.get("/v1/models").send().await.unwrap().json().await.unwrap();
    assert_eq!((&openai["object"], ids(&openai)), (&json!("list"), names.map(str::to_owned).to_vec()));
    assert_eq!(openai["data"][0]["object"], "model");

    let get = world.get("/v1/models").header("anthropic-version", "2023-06-01");
    let anthropic: Value = get.send().await.unwrap().json().await.unwrap();
    assert_eq!((&anthropic["has_more"], ids(&anthropic)), (&json!(false), names.map(str::to_owned).to_vec()));
    assert_eq!(anthropic["data"][0]["type"], "model");
    assert_eq!(world.first.traffic().received().len(), 0, "no provider was called");
}

#[tokio::test]
async fn a_model_is_found_by_any_of_its_names() {
    let world = World::new().await;
    for name in ["chat", "openai:m", "openai/m", "m"] {
        let model: Value =
            world.get(&format!("/v1/models/{name}")).send().await.unwrap().json().await.unwrap();
        assert_eq!((&model["id"], &model["object"]), (&json!(name), &json!("model")), "{name}");
    }
    let (status, code, ..) = openai_error(world.get("/v1/models/gpt-99").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (404, "unknown_model"));
    let get = world.get("/v1/models/gpt-99").header("anthropic-version", "2023-06-01");
    let (status, _, kind, _) = anthropic_error(get.send().await.unwrap()).await;
    assert_eq!((status, kind.as_str()), (404, "not_found_error"));
}

#[tokio::test]
async fn health_is_reported_without_a_call() {
    let world = World::new().await;
    let health = async || -> Value { world.get("/health").send().await.unwrap().json().await.unwrap() };
    let expected = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "instance": "memory",
        "store": { "kind": "memory", "state": "embedded", "url": "this process" },
        "circuits": { "closed": 0, "open": 0, "halfOpen": 0, "forced": 0 },
    });
    assert_eq!(health().await, expected);
    assert_eq!(world.first.traffic().open_connections(), 0);

    world.first.script("m", Fault::Reset);
    world.chat("chat", false).send().await.unwrap();
    world.manager.circuits().flush().await;
    let circuits = json!({ "closed": 1, "open": 1, "halfOpen": 0, "forced": 0 });
    assert_eq!(health().await["circuits"], circuits);
}
