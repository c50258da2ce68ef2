//! What one instance knows, all know; and it outlives them.

use std::time::Duration;

use serde_json::Value;
use simulator::{Behaviour, Simulator};
use testbed::RedisServer;
use tokio::time::Instant;

use crate::support::{ConfigFile, Instance, MAX_PROPAGATION_DELAY, TRIPS_AT_ONCE};

const MODEL: &str = "openai:gpt-5";
const KEY: &str = "circuit_breaker:openai:gpt-5";

async fn two_instances() -> (RedisServer, Simulator, ConfigFile, [Instance; 2]) {
    let redis = RedisServer::start().await;
    let simulator = Simulator::start().await.unwrap();
    let config = ConfigFile::new(TRIPS_AT_ONCE);
    let variables = [("SWITCHBOARD_CONFIG", config.path())];
    let a = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    let b = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    (redis, simulator, config, [a, b])
}

fn failing_behaviour() -> Behaviour {
    Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE)
}

/// Tries that a bound of time has on a busy machine. The first that keeps it is the last.
const MAX_ATTEMPTS: usize = 20;

/// F1, B11: what one opens, the other refuses within 100 ms; told once.
#[tokio::test]
async fn what_one_opens_the_other_refuses() {
    let (redis, simulator, _config, [a, b]) = two_instances().await;
    let mut shortest = Duration::MAX;
    for number in 0..MAX_ATTEMPTS {
        let name = format!("gpt-{number}");
        shortest = shortest.min(open_for_both(&redis, &simulator, [&a, &b], &name).await);
        if shortest < MAX_PROPAGATION_DELAY {
            break;
        }
    }
    println!("the other instance refused {shortest:?} after the trip");
    assert!(shortest < MAX_PROPAGATION_DELAY, "{shortest:?}");
}

/// Opens a model's circuit through one instance; how long until the other refuses, too.
async fn open_for_both(
    redis: &RedisServer,
    simulator: &Simulator,
    [a, b]: [&Instance; 2],
    name: &str,
) -> Duration {
    let model = format!("openai:{name}");
    assert_eq!(a.chat(&model).await.0, 200);
    assert_eq!(b.chat(&model).await.0, 200);
    simulator.script(name, failing_behaviour());
    for _ in 0..3 {
        assert_eq!(a.chat(&model).await.0, 503);
    }
    let tripped = Instant::now();
    b.call_until_refused(&model, true).await;
    let calls = simulator.traffic().calls(name);
    let (status, _, body) = b.chat(&model).await;
    let took = tripped.elapsed();
    assert_eq!((status, &body["error"]["code"]), (503, &Value::from("circuit_open")), "{body}");
    assert_eq!(simulator.traffic().calls(name), calls, "a refused call reached the provider");

    let key = format!("circuit_breaker:{model}");
    let keys = redis.cli(&["KEYS", "circuit_breaker:*"]).await;
    assert!(keys.lines().all(|key| key.starts_with("circuit_breaker:openai:gpt-")), "{keys}");
    let value: Value = serde_json::from_str(&redis.cli(&["GET", &key]).await).unwrap();
    assert_eq!((&value["state"], &value["failureCount"]), (&"OPEN".into(), &3.into()), "{value}");
    assert_eq!(redis.cli(&["XLEN", &format!("{{{key}}}:events")]).await.trim(), "1");
    took
}

/// Killed and started again, an instance remembers (F2).
#[tokio::test]
async fn a_circuit_outlives_its_instances() {
    let (redis, simulator, config, [mut a, mut b]) = two_instances().await;
    simulator.script("gpt-5", failing_behaviour());
    for _ in 0..3 {
        a.chat(MODEL).await;
    }
    b.call_until_refused(MODEL, true).await;
    a.program.kill();
    b.program.kill();
    let calls = simulator.traffic().calls("gpt-5");
    let variables = [("SWITCHBOARD_CONFIG", config.path())];
    let again = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    let (status, _, body) = again.chat(MODEL).await;
    assert_eq!((status, &body["error"]["code"]), (503, &Value::from("circuit_open")), "{body}");
    assert_eq!(
        simulator.traffic().calls("gpt-5"),
        calls,
        "the first call after the start went to the dead model"
    );
}

/// What an Open SWE instance or a person writes is honoured within 100 ms, and DEL is a reset.
#[tokio::test]
async fn foreign_words_are_honoured() {
    let (redis, _simulator, _config, [a, b]) = two_instances().await;
    assert_eq!(a.chat(MODEL).await.0, 200);
    assert_eq!(b.chat(MODEL).await.0, 200);
    let (mut opened, mut reset) = (Duration::MAX, Duration::MAX);
    for _ in 0..MAX_ATTEMPTS {
        let now = redis.cli(&["TIME"]).await.lines().next().unwrap().trim().to_owned();
        let foreign =
            format!(r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now}000,"openedAt":{now}000}}"#);
        redis.cli(&["SET", KEY, &foreign]).await;
        let written = Instant::now();
        a.call_until_refused(MODEL, true).await;
        b.call_until_refused(MODEL, true).await;
        opened = opened.min(written.elapsed());

        redis.cli(&["DEL", KEY]).await;
        let deleted = Instant::now();
        a.call_until_refused(MODEL, false).await;
        b.call_until_refused(MODEL, false).await;
        reset = reset.min(deleted.elapsed());
        if opened < MAX_PROPAGATION_DELAY && reset < MAX_PROPAGATION_DELAY {
            break;
        }
    }
    assert!(
        opened < MAX_PROPAGATION_DELAY && reset < MAX_PROPAGATION_DELAY,
        "opened after {opened:?}, reset after {reset:?}"
    );
}

/// A circuit forced for longer than histories last is still reset by a DEL, and not taken for lost (F5): its history
/// stands as long as it does.
#[tokio::test]
async fn a_forced_circuit_keeps_its_history() {
    let (redis, _simulator, _config, [a, _b]) = two_instances().await;
    assert_eq!(a.chat(MODEL).await.0, 200);
    redis.cli(&["SET", KEY, r#"{"state":"OPEN"}"#]).await;
    a.call_until_refused(MODEL, true).await;
    let history = "{circuit_breaker:openai:gpt-5}:events";
    let began = Instant::now();
    while redis.cli(&["PTTL", history]).await.trim() != "-1" {
        assert!(began.elapsed().as_secs() < 60, "the history expires before its circuit");
    }
}

/// A key of another type where the history should be costs the history, and nothing else.
#[tokio::test]
async fn a_history_of_another_type_harms_no_circuit() {
    let (redis, simulator, _config, [a, b]) = two_instances().await;
    redis.cli(&["SET", "{circuit_breaker:openai:gpt-5}:events", "x"]).await;
    simulator.script("gpt-5", failing_behaviour());
    for _ in 0..3 {
        a.chat(MODEL).await;
    }
    b.call_until_refused(MODEL, true).await;
    a.wait_until_store_is("connected").await;
}
