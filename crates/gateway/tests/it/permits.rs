//! Permits: acquire one, call, report the outcome.

use std::time::Duration;

use breaker::Policy;
use serde_json::{Value, json};

use crate::{
    circuits_api::send_ok,
    support::{Setup, TEST_TIMEOUT, World, header, openai_error},
};

const KEY: &str = "/circuits/anthropic:m/permits";

async fn acquire_permit(world: &World) -> Value {
    send_ok(world.post(KEY).json(&json!({"for": "60s"}))).await
}

async fn report_outcome(world: &World, permit: &Value, outcome: Value) -> u16 {
    let path = format!("{KEY}/{}", permit["permit"].as_str().unwrap());
    let status = world.post(&path).json(&outcome).send().await.unwrap().status().as_u16();
    world.manager.circuits().flush().await;
    status
}

async fn circuit_report(world: &World) -> Value {
    send_ok(world.get("/circuits/anthropic:m")).await
}

/// One failure trips, and the first probe is due immediately.
fn probe_due_setup() -> Setup {
    let mut setup = Setup::default();
    setup.policy =
        Policy { open_duration: Duration::ZERO, max_open_duration: Duration::ZERO, ..setup.policy };
    setup
}

#[tokio::test]
async fn a_reported_failure_opens_the_circuit_for_all_callers() {
    let world = World::new().await;
    let permit = acquire_permit(&world).await;
    assert_eq!(
        (&permit["key"], &permit["probe"], &permit["instance"]),
        (&json!("anthropic:m"), &json!(false), &json!("memory"))
    );
    assert_eq!(permit["epoch"], circuit_report(&world).await["epoch"]);
    assert_eq!(report_outcome(&world, &permit, json!({"outcome": "success"})).await, 204);
    assert_eq!(circuit_report(&world).await["state"], "CLOSED");

    let permit = acquire_permit(&world).await;
    let overloaded = json!({"outcome": "failure", "status": 529, "type": "overloaded_error"});
    assert_eq!(report_outcome(&world, &permit, overloaded).await, 204);
    let open = circuit_report(&world).await;
    assert_eq!(open["state"], "OPEN");
    assert_eq!(open["reason"]["type"], "overloaded_error");

    let response = world.post(KEY).send().await.unwrap();
    let wait: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((20..=40).contains(&wait), "{wait}");
    let (status, code, _, message) = openai_error(response).await;
    assert_eq!((status, code.as_str()), (503, "circuit_open"));
    assert!(message.contains("anthropic:m"), "{message}");
    let response = world.messages("anthropic:m", false).send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-error"), Some("circuit_open"), "calls are rejected, too");
}

#[tokio::test]
async fn an_outcome_is_classified_like_the_gateways_own_calls() {
    for (outcome, state, kind) in [
        (json!({"status": 503}), "OPEN", Some("status")),
        (json!({"status": 500.0}), "OPEN", Some("status")),
        (json!({"status": 408}), "OPEN", Some("status")),
        (json!({"status": 429, "retryAfter": "30s"}), "OPEN", Some("rate_limited")),
        (json!({"status": 429, "code": "insufficient_quota"}), "OPEN", Some("quota")),
        (json!({"kind": "timeout"}), "OPEN", Some("timeout")),
        (json!({"kind": "cut"}), "OPEN", Some("cut")),
        (json!({"status": 404, "code": "model_not_found"}), "OPEN", Some("unknown_model")),
        (json!({"status": 400}), "CLOSED", None),
        (json!({"status": 401}), "CLOSED", None),
        (json!({"status": 400, "code": "context_length_exceeded"}), "CLOSED", None),
    ] {
        let world = World::new().await;
        let permit = acquire_permit(&world).await;
        let mut reported = outcome.clone();
        reported["outcome"] = "failure".into();
        assert_eq!(report_outcome(&world, &permit, reported).await, 204, "{outcome}");
        let report = circuit_report(&world).await;
        assert_eq!(
            (report["state"].as_str(), report["reason"]["kind"].as_str()),
            (Some(state), kind),
            "{outcome}: {report}"
        );
        if outcome["retryAfter"].is_string() {
            let wait = report["retryInMs"].as_u64().unwrap();
            assert!((15_000..=30_000).contains(&wait), "the requested cooldown: {report}");
        }
    }
}

#[tokio::test]
async fn an_unknown_model_leaves_no_circuit() {
    let world = World::new().await;
    let permit = send_ok(world.post("/circuits/openai:gtp-5/permits")).await;
    let path = format!("/circuits/openai:gtp-5/permits/{}", permit["permit"].as_str().unwrap());
    let gone = json!({"outcome": "failure", "status": 404, "code": "model_not_found"});
    world.post(&path).json(&gone).send().await.unwrap();
    world.manager.circuits().flush().await;
    assert_eq!(send_ok(world.get("/circuits")).await["circuits"], json!([]));
}

#[tokio::test]
async fn an_outcome_is_reported_once_and_on_its_circuit() {
    let world = World::new().await;
    let permit = acquire_permit(&world).await;
    let id = permit["permit"].as_str().unwrap();
    let success = json!({"outcome": "success"});
    for path in [
        format!("/circuits/openai:m/permits/{id}"),
        format!("{KEY}/{}", "0".repeat(32)),
        format!("{KEY}/nonsense"),
    ] {
        let (status, code, ..) = openai_error(world.post(&path).json(&success).send().await.unwrap()).await;
        assert_eq!((status, code.as_str()), (404, "permit_not_found"), "{path}");
    }
    for wrong in [
        json!({}),
        json!({"outcome": "failure"}),
        json!({"outcome": "failure", "status": 99}),
        json!({"outcome": "failure", "status": 500.5}),
        json!({"outcome": "failure", "status": 500, "kind": "cut"}),
        json!({"outcome": "success", "status": 500}),
        json!({"outcome": "perhaps"}),
    ] {
        assert_eq!(report_outcome(&world, &permit, wrong.clone()).await, 400, "{wrong}");
    }
    assert_eq!(
        report_outcome(&world, &permit, success.clone()).await,
        204,
        "an invalid outcome does not use the permit up"
    );
    assert_eq!(report_outcome(&world, &permit, success).await, 404);
}

#[tokio::test]
async fn a_probe_decides_and_an_unreported_one_expires() {
    let world = World::with(probe_due_setup()).await;
    let permit = acquire_permit(&world).await;
    report_outcome(&world, &permit, json!({"outcome": "failure", "kind": "invalid"})).await;

    let probe = send_ok(world.post(KEY).json(&json!({"for": "2s"}))).await;
    assert_eq!(probe["probe"], true);
    assert_eq!(circuit_report(&world).await["probing"], json!(["memory"]));
    let response = world.post(KEY).send().await.unwrap();
    assert_eq!(response.status(), 503, "one probe at a time");
    // Its outcome is never reported.
    let next = async {
        loop {
            let response = world.post(KEY).send().await.unwrap();
            if response.status() == 200 {
                return response.json::<Value>().await.unwrap();
            }
        }
    };
    let next = tokio::time::timeout(TEST_TIMEOUT, next).await.expect("the lease expires");
    assert_eq!(next["probe"], true);
    assert_eq!(report_outcome(&world, &probe, json!({"outcome": "success"})).await, 404, "too late");
    assert_eq!(report_outcome(&world, &next, json!({"outcome": "none"})).await, 204);
    assert_eq!(circuit_report(&world).await["state"], "HALF_OPEN", "it is not counted");

    let last = acquire_permit(&world).await;
    assert_eq!(report_outcome(&world, &last, json!({"outcome": "success"})).await, 204);
    assert_eq!(circuit_report(&world).await["state"], "CLOSED");
}

#[tokio::test]
async fn a_probes_lease_is_the_policys_whatever_is_requested() {
    let mut setup = probe_due_setup();
    setup.policy.probe_lease = Duration::from_millis(300);
    let world = World::with(setup).await;
    let permit = acquire_permit(&world).await;
    report_outcome(&world, &permit, json!({"outcome": "failure", "kind": "invalid"})).await;
    let probe = send_ok(world.post(KEY).json(&json!({"for": "10m"}))).await;
    assert_eq!(probe["probe"], true);
    let refused = world.post(KEY).send().await.unwrap();
    assert_eq!(refused.status(), 503, "one probe at a time");
    let next = async { while acquire(&world).await.is_none() {} };
    tokio::time::timeout(Duration::from_secs(5), next)
        .await
        .expect("the model is not kept out for 10 minutes");
}

/// A permit, unless the circuit refuses it.
async fn acquire(world: &World) -> Option<Value> {
    let response = world.post(KEY).send().await.unwrap();
    if response.status() == 200 { Some(response.json().await.unwrap()) } else { None }
}

#[tokio::test]
async fn a_probes_lease_is_renewed_by_asking() {
    let mut setup = probe_due_setup();
    setup.policy.probe_lease = Duration::from_millis(600);
    let world = World::with(setup).await;
    let permit = acquire_permit(&world).await;
    let renewal = |permit: &Value| world.post(&format!("{KEY}/{}/renew", permit["permit"].as_str().unwrap()));
    assert_eq!(send_ok(renewal(&permit)).await["probe"], false, "it is no probe's and stays as it is");
    report_outcome(&world, &permit, json!({"outcome": "failure", "kind": "invalid"})).await;

    let probe = acquire_permit(&world).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let renewed = send_ok(renewal(&probe)).await;
        assert_eq!((&renewed["permit"], &renewed["epoch"]), (&probe["permit"], &probe["epoch"]));
        assert!(renewed["until"].as_u64() > probe["until"].as_u64(), "{renewed}");
        assert!(acquire(&world).await.is_none(), "its holder is still at work");
    }
    let next = async { while acquire(&world).await.is_none() {} };
    tokio::time::timeout(TEST_TIMEOUT, next).await.expect("the lease ends");
    let (status, code, ..) = openai_error(renewal(&probe).send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (409, "lease_lost"));
    let (status, code, ..) = openai_error(renewal(&permit).send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (404, "permit_not_found"));
}
