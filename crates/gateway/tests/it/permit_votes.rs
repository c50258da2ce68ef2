//! What an application reports by permits is a vote (Q6): whose word it is, how long it lasts, and what one key may hold.

use gateway::{Keys, Role};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    circuits_api::send_ok,
    support::{Setup, World, allowed_models, key, keys, openai_error},
};

const KEY: &str = "/circuits/anthropic:m/permits";

/// The keys `ci`, `web`, and `billing`, whose reports are taken at their word.
async fn world() -> World {
    let callers = ["ci", "web"].map(|name| key(name, Role::Caller));
    let billing = key("billing", Role::Caller).with_trusted_reports(true);
    let all = callers.into_iter().chain([billing, key("boss", Role::Admin)]).collect();
    World::with(Setup { keys: Keys::new(all).unwrap(), ..Setup::default() }).await
}

/// Acquires a permit and reports a failure by it; the circuit after that.
async fn report_failure(world: &World, by: &str, failure: Value) -> Value {
    let permit = send_ok(world.post(KEY).bearer_auth(by)).await;
    let path = format!("{KEY}/{}", permit["permit"].as_str().unwrap());
    let mut outcome = failure;
    outcome["outcome"] = "failure".into();
    let response = world.post(&path).bearer_auth(by).json(&outcome).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    world.manager.circuits().flush().await;
    send_ok(world.get("/circuits/anthropic:m").bearer_auth(by)).await
}

#[tokio::test]
async fn a_callers_cooldown_lasts_as_long_as_an_open_period_at_most() {
    let long = 14 * 60_000..=15 * 60_000;
    let short = 30_000..=40_000;
    let day = json!({"status": 429, "retryAfter": "24h"});
    for (by, failure, expected) in [
        ("ci", json!({"status": 402}), &short),
        ("ci", json!({"status": 429, "code": "insufficient_quota"}), &short),
        ("ci", json!({"status": 404, "code": "model_not_found"}), &short),
        ("ci", day.clone(), &short),
        ("billing", json!({"status": 402}), &long),
        ("billing", day.clone(), &long),
        ("boss", day, &long),
    ] {
        let world = world().await;
        let report = report_failure(&world, by, failure.clone()).await;
        assert_eq!((&report["state"], &report["reason"]["by"]), (&json!("OPEN"), &json!(by)), "{report}");
        let wait = report["retryInMs"].as_u64().unwrap();
        assert!(expected.contains(&wait), "{by} {failure}: {report}");
    }
}

#[tokio::test]
async fn history_and_page_say_whose_report_it_was() {
    let world = world().await;
    let report = report_failure(&world, "ci", json!({"status": 402})).await;
    let explanation = report["explanation"].as_str().unwrap();
    assert_eq!(explanation, "quota exhausted (HTTP 402), cooling down, reported by ci");
    let manual = send_ok(world.post("/circuits/anthropic:m/open").bearer_auth("boss")).await;
    assert_eq!(manual["report"]["explanation"], "manual by boss");
    send_ok(world.post("/circuits/anthropic:m/reset").bearer_auth("boss").json(&json!({"reason": "ok"})))
        .await;
    let history = send_ok(world.get("/circuits/anthropic:m/history").bearer_auth("web")).await;
    let by: Vec<_> =
        history["history"].as_array().unwrap().iter().map(|entry| &entry["reason"]["by"]).collect();
    assert_eq!(by, ["boss", "boss", "ci"], "{history}");
}

#[tokio::test]
async fn a_failure_counts_like_any() {
    let world = world().await;
    let report = report_failure(&world, "ci", json!({"status": 529, "type": "overloaded_error"})).await;
    assert_eq!((&report["state"], &report["reason"]["by"]), (&json!("OPEN"), &json!("ci")), "{report}");
    assert_eq!(report["reason"]["type"], "overloaded_error");
}

/// The schema allows no other properties, so that a client made from it would reject the circuit.
#[tokio::test]
async fn the_description_of_the_api_knows_whose_calls_alone_are_refused() {
    let world = world().await;
    let open = report_failure(&world, "ci", json!({"status": 500})).await;
    assert_eq!(open["alone"], json!({"caller": "ci"}), "{open}");
    let permit = send_ok(world.post(KEY).bearer_auth("web")).await;
    let path = format!("{KEY}/{}", permit["permit"].as_str().unwrap());
    world.post(&path).bearer_auth("web").json(&json!({"outcome": "success"})).send().await.unwrap();
    world.manager.circuits().flush().await;
    let closed = send_ok(world.get("/circuits/anthropic:m").bearer_auth("web")).await;
    assert_eq!(closed["refused"], json!([{"caller": "ci"}]), "{closed}");

    let api = send_ok(world.get("/openapi.json").bearer_auth("web")).await;
    let known = &api["components"]["schemas"]["Report"]["properties"];
    for report in [&open, &closed] {
        for name in report.as_object().unwrap().keys() {
            assert!(known.get(name).is_some(), "{name}: {report}");
        }
    }
}

/// The application's network is not this instance's: what it cannot reach is refused to it alone, as with any failure (B12).
#[tokio::test]
async fn a_reported_connection_failure_takes_no_model_from_others() {
    let world = world().await;
    let report = report_failure(&world, "ci", json!({"kind": "connection"})).await;
    assert_eq!((&report["state"], &report["reason"]["by"]), (&json!("OPEN"), &json!("ci")), "{report}");
    let acquire = async |by: &str| world.post(KEY).bearer_auth(by).send().await.unwrap().status();
    assert_eq!(acquire("ci").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(acquire("web").await, StatusCode::OK, "{report}");
}

#[tokio::test]
async fn one_key_holds_at_most_half_of_the_permits() {
    let world = world().await;
    let acquire = |by: &'static str| world.post(KEY).bearer_auth(by).json(&json!({"for": "10m"})).send();
    for _ in 0..100 {
        let responses = futures_util::future::join_all((0..50).map(|_| acquire("ci"))).await;
        assert!(responses.into_iter().all(|response| response.unwrap().status() == StatusCode::OK));
    }
    let (status, code, _, message) = openai_error(acquire("ci").await.unwrap()).await;
    assert_eq!((status, code.as_str()), (503, "too_many_permits"));
    assert!(message.contains("this key holds 5000 permits"), "{message}");
    for _ in 0..3 {
        assert_eq!(acquire("web").await.unwrap().status(), StatusCode::OK, "half is left to the others");
    }
}

#[tokio::test]
async fn a_permit_is_for_a_known_model_that_the_key_may_use() {
    let limited = key("ci", Role::Caller).with_allowed_models(Some(allowed_models(&["openai:*"])));
    let all = vec![limited, key("boss", Role::Admin)];
    let world = World::with(Setup { keys: Keys::new(all).unwrap(), ..Setup::default() }).await;
    let acquire = async |by: &str, key: &str| {
        let post = world.post(&format!("/circuits/{key}/permits")).bearer_auth(by);
        openai_error(post.send().await.unwrap()).await
    };
    let (status, code, _, message) = acquire("boss", "opneai:m").await;
    assert_eq!((status, code.as_str()), (404, "unknown_model"));
    assert!(message.contains("anthropic, backup, openai, vertex"), "{message}");
    let (status, code, ..) = acquire("ci", "anthropic:m").await;
    assert_eq!((status, code.as_str()), (403, "model_not_allowed"));
    assert_eq!(
        world.post("/circuits/openai:m/permits").bearer_auth("ci").send().await.unwrap().status(),
        200
    );
    // One whose circuit exists, for instance because another gateway of the fleet has the provider.
    world.manager.circuits().open(&"other:m".parse().unwrap(), None, None, None).await.unwrap();
    let (status, code, ..) = acquire("boss", "other:m").await;
    assert_eq!((status, code.as_str()), (503, "circuit_open"));
}

#[tokio::test]
async fn a_probe_is_held_for_a_minute_at_most() {
    for (by, lifetime) in [("ci", 60), ("boss", 600)] {
        let mut setup = Setup { keys: keys(&["ci"]), ..Setup::default() };
        (setup.policy.open_duration, setup.policy.max_open_duration) = Default::default();
        setup.policy.probe_lease = std::time::Duration::from_secs(3_600);
        let world = World::with(setup).await;
        report_failure(&world, by, json!({"status": 500})).await;
        let probe = send_ok(world.post(KEY).bearer_auth(by).json(&json!({"for": "10m"}))).await;
        assert_eq!(probe["probe"], true);
        let path = format!("{KEY}/{}/renew", probe["permit"].as_str().unwrap());
        let renewed = send_ok(world.post(&path).bearer_auth(by)).await;
        let wait = renewed["until"].as_u64().unwrap() - world.manager.circuits().now().as_millis();
        assert!((lifetime - 20) * 1_000 < wait && wait <= lifetime * 1_000, "{by}: {wait} ms");
    }
}
