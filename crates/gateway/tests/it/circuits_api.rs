//! The circuits API: inspecting and operating.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::Fault;

use crate::support::{Setup, World, header, never_trips, openai_error};

/// Names of models may contain a `/`, which is percent-encoded in a path.
const ENCODED_KEY_PATH: &str = "/circuits/openai:meta-llama%2Fllama-4";

pub(crate) async fn send_ok(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

async fn send_rejected(request: RequestBuilder) -> (u16, String) {
    let (status, code, ..) = openai_error(request.send().await.unwrap()).await;
    (status, code)
}

fn error_of(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn all_circuits_are_listed_most_severe_first() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    world.first.script("failing", Fault::Reset);
    for model in ["openai:b", "openai:failing", "openai:a"] {
        world.chat(model, false).send().await.unwrap();
    }
    for (key, body) in [("openai:z", json!({})), ("openai:y", json!({"for": "1h"}))] {
        send_ok(world.post(&format!("/circuits/{key}/open")).json(&body)).await;
    }
    world.manager.circuits().flush().await;
    let all = send_ok(world.get("/circuits")).await;
    assert_eq!(
        (&all["instance"], &all["store"]),
        (&json!("memory"), &json!({"kind": "memory", "state": "embedded", "url": "this process"}))
    );
    assert!(all["now"].as_u64() > Some(1_600_000_000_000), "{all}");
    let keys: Vec<&str> =
        all["circuits"].as_array().unwrap().iter().map(|report| report["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["openai:y", "openai:z", "openai:failing", "openai:a", "openai:b"]);
    let [worst, failing] = [&all["circuits"][0], &all["circuits"][2]];
    assert_eq!((&worst["state"], &worst["forced"]), (&json!("OPEN"), &json!(true)));
    assert_eq!((&failing["state"], &failing["failureCount"]), (&json!("CLOSED"), &json!(1)));
}

#[tokio::test]
async fn an_operator_opens_closes_and_resets() {
    let world = World::new().await;
    assert_eq!(send_rejected(world.get(ENCODED_KEY_PATH)).await, error_of(404, "circuit_not_found"));
    let act = |what: &str| world.post(&format!("{ENCODED_KEY_PATH}/{what}"));
    let done = send_ok(act("open").json(&json!({"for": "10m", "reason": "upgrade"}))).await;
    let (key, report) = (&done["key"], &done["report"]);
    assert_eq!((key, &report["key"]), (&json!("openai:meta-llama/llama-4"), key));
    assert_eq!((&report["state"], &report["reason"]["why"]), (&json!("OPEN"), &json!("upgrade")));
    let wait = report["retryInMs"].as_u64().unwrap();
    assert!((590_000..=600_000).contains(&wait), "{report}");
    assert_eq!(send_ok(world.get(ENCODED_KEY_PATH)).await["epoch"], report["epoch"]);

    let done = send_ok(act("close").json(&json!({"reason": "done"}))).await;
    assert_eq!(done["report"]["state"], "CLOSED");
    // Without a body.
    send_ok(act("open")).await;
    let done = send_ok(act("reset")).await;
    assert_eq!((key, &done["report"]), (&done["key"], &Value::Null));
    assert_eq!(send_rejected(world.get(ENCODED_KEY_PATH)).await, error_of(404, "circuit_not_found"));

    let body = send_ok(world.get(&format!("{ENCODED_KEY_PATH}/history"))).await;
    let history = body["history"].as_array().unwrap();
    let steps: Vec<_> = history.iter().map(|entry| entry["to"].as_str().unwrap()).collect();
    assert_eq!((&body["key"], steps), (key, vec!["CLOSED", "OPEN", "CLOSED", "OPEN"]), "newest first");
    assert_eq!(
        (&history[0]["reason"]["kind"], &history[3]["reason"]["why"], &history[3]["instance"]),
        (&json!("reset"), &json!("upgrade"), &json!("memory"))
    );
    let newest = send_ok(world.get(&format!("{ENCODED_KEY_PATH}/history?limit=1"))).await;
    assert_eq!(newest["history"], json!([history[0]]));
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let world = World::new().await;
    let long = "x".repeat(501);
    for (path, body) in [
        ("/circuits/gpt-5/open", json!({})),
        ("/circuits/openai:a%20b/open", json!({})),
        ("/circuits/openai:%FF/open", json!({})),
        ("/circuits/openai:a/open", json!({"for": "10"})),
        ("/circuits/openai:a/open", json!({"until": "10m"})),
        ("/circuits/openai:a/open", json!({ "reason": long })),
        ("/circuits/openai:a/open", json!([])),
        ("/circuits/openai:a/close", json!({"for": "10m"})),
        ("/circuits/openai:a/permits", json!({"for": "0s"})),
        ("/circuits/openai:a/permits", json!({"for": "601s"})),
    ] {
        assert_eq!(
            send_rejected(world.post(path).json(&body)).await,
            error_of(400, "invalid_request"),
            "{path} {body}"
        );
    }
    for limit in ["0", "1001", "-1", "many"] {
        let path = format!("/circuits/openai:a/history?limit={limit}");
        assert_eq!(send_rejected(world.get(&path)).await, error_of(400, "invalid_request"), "{limit}");
    }
    for path in ["/circuits/openai:a", "/circuits/openai:a/history"] {
        assert_eq!(send_rejected(world.get(path)).await, error_of(404, "circuit_not_found"), "{path}");
    }
    for path in ["/circuits/openai:a/close", "/circuits/openai:a/reset"] {
        assert_eq!(send_rejected(world.post(path)).await, error_of(404, "circuit_not_found"), "{path}");
    }
    assert_eq!(
        send_rejected(world.get("/circuits/openai:a/open")).await,
        error_of(405, "method_not_allowed")
    );
    assert_eq!(send_rejected(world.get("/circuits/openai:meta/llama")).await, error_of(404, "not_found"));
    let all = send_ok(world.get("/circuits")).await;
    assert_eq!(all["circuits"], json!([]), "none of it has created a circuit");
}

#[tokio::test]
async fn inspecting_needs_a_key_and_operating_an_admin_key() {
    let world = World::with_keys().await;
    let inspect = ["/circuits", "/circuits/openai:a", "/circuits/openai:a/history", "/circuits/events"];
    let operate = ["open", "close", "reset"].map(|act| format!("/circuits/openai:a/{act}"));
    for path in inspect.into_iter().chain(["/openapi.json"]) {
        assert_eq!(send_rejected(world.get(path)).await, error_of(401, "invalid_api_key"), "{path}");
    }
    for path in &operate {
        assert_eq!(send_rejected(world.post(path)).await, error_of(401, "invalid_api_key"), "{path}");
        let caller = world.post(path).bearer_auth("caller");
        assert_eq!(send_rejected(caller).await, error_of(403, "admin_key_required"), "{path}");
        send_ok(world.post(path).bearer_auth("boss")).await;
        if path.ends_with("open") {
            let seen = send_ok(world.get(inspect[1]).bearer_auth("caller")).await;
            assert_eq!(seen["state"], "OPEN");
        }
    }
    assert_eq!(
        send_rejected(world.post("/circuits/openai:a/permits")).await,
        error_of(401, "invalid_api_key")
    );
    send_ok(world.post("/circuits/openai:a/permits").bearer_auth("caller")).await;
}

#[tokio::test]
async fn every_described_path_exists() {
    let world = World::new().await;
    let description = send_ok(world.get("/openapi.json")).await;
    for (path, operations) in description["paths"].as_object().unwrap() {
        let path = path.replace("{key}", "openai:a");
        for method in ["get", "post"].into_iter().filter(|method| operations.get(method).is_some()) {
            let request = if method == "get" { world.get(&path) } else { world.post(&path) };
            let response = request.send().await.unwrap();
            let error = header(&response, "x-switchboard-error").unwrap_or_default();
            assert!(!["not_found", "method_not_allowed"].contains(&error), "{method} {path}");
            let foreign = if method == "get" { world.get(&path) } else { world.post(&path) };
            let foreign = foreign.header("origin", "https://evil.example").send().await.unwrap();
            let responses = &operations[method]["responses"];
            let described = responses.get(foreign.status().as_str()).or_else(|| responses.get("default"));
            assert!(described.is_some(), "{method} {path}: {} is not described", foreign.status());
        }
    }
}

#[tokio::test]
async fn a_web_page_cannot_reach_the_api() {
    let world = World::new().await;
    let foreign = world.post("/circuits/openai:a/open").header("origin", "https://evil.example");
    let response: Response = foreign.send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-error"), Some("host_not_allowed"));
    assert_eq!(send_ok(world.get("/circuits")).await["circuits"], json!([]));
}
