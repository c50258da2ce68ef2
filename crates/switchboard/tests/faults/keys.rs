//! What others leave under the prefix.

use std::time::Duration;

use serde_json::Value;
use testbed::RedisServer;
use tokio::time::{Instant, sleep};

use crate::{fleet::Fleet, trial::Trial};

/// In use by the traffic of every test.
const KEY: &str = "circuit_breaker:openai:sick";

/// So many keys of others.
const FOREIGN_KEY_COUNT: u32 = 10_000;

/// An instance starts, and `/health` and `circuits` answer, within this among so many keys: a debug build on a machine
/// with more work than cores.
const MANY_KEYS_TIMEOUT: Duration = Duration::from_secs(60);

/// A key of another type in a circuit's place: that circuit is kept by each instance for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_type() {
    let mut trial = Trial::begin("key of another type", Fleet::start().await).await;
    trial.begin_fault();
    // In one step, as the instances write a deleted circuit anew.
    let replace = "redis.call('DEL', KEYS[1]) redis.call('LPUSH', KEYS[1], 'x')";
    trial.fleet.redis.cli(&["EVAL", replace, "1", KEY]).await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("circuits", "1 with an invalid value: \"circuit_breaker:openai:sick\"").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.fleet.redis.cli(&["TYPE", KEY]).await, "list", "it is left alone");
    trial.fleet.redis.cli(&["DEL", KEY]).await;
    trial.end_fault();
    trial.assert_recovered(0).await;
}

/// 5 MB in a circuit's place are told by their digest, and never copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_megabytes() {
    let mut trial = Trial::begin("5 MB of garbage as a value", Fleet::start().await).await;
    let before = bytes_sent(&trial.fleet.redis).await;
    let garbage = "return redis.call('SET', KEYS[1], string.rep('garbage!', 655360))";
    trial.fleet.redis.cli(&["EVAL", garbage, "1", "circuit_breaker:openai:large"]).await;
    trial.fleet.redis.cli(&["EVAL", garbage, "1", KEY]).await;
    trial.begin_fault();
    // The sick model's is overwritten at its next change, the other one is left alone.
    trial.fleet.wait_until_open(1).await;
    trial.assert_doctor_finds("circuits", "1 with an invalid value: \"circuit_breaker:openai:large\"").await;
    let listed = trial.fleet.circuits().await;
    assert!(listed.iter().any(|entry| entry["unreadable"].is_string()), "{listed:#?}");
    // Who starts now reads everything.
    drop(trial.fleet.start_another().await);
    sleep(Duration::from_secs(1)).await;
    let sent = bytes_sent(&trial.fleet.redis).await - before;
    // Each value is larger than this.
    assert!(sent < 5_000_000, "{sent} bytes were sent: somebody fetched the garbage");
    trial.fleet.redis.cli(&["DEL", "circuit_breaker:openai:large"]).await;
    trial.end_fault();
    trial.assert_recovered(0).await;
}

/// 10,000 names that are no model's, and as many keys that are no circuits: nothing is kept or said of them. Then 10,000
/// circuits of other models, and 10 that Open SWE wrote, each adopted once at most. Calls wait for none of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_of_each() {
    // One instance, and those that start later: reading so much keeps a small machine busy.
    let redis = RedisServer::start().await;
    let url = redis.url();
    let fleet = Fleet::start_with(redis, url, &[&[]]).await;
    let mut trial = Trial::begin("30,000 keys of others under the prefix", fleet).await;
    trial.begin_fault();
    let odd = "redis.call('SET', KEYS[1] .. 'odd ' .. i, 'x') redis.call('SET', KEYS[1] .. 'odd:' .. i, 'x')";
    run_for_each_key(&trial.fleet.redis, odd).await;
    let health = trial.check_among_many_keys("odd keys", 10_000).await;
    assert!(health["circuits"]["closed"].as_u64().unwrap() < 1_000, "they are kept: {health}");
    trial.assert_doctor_finds("circuits", "10000 with an invalid value").await;
    run_for_each_key(&trial.fleet.redis, "redis.call('DEL', KEYS[1] .. 'odd ' .. i, KEYS[1] .. 'odd:' .. i)")
        .await;

    let circuits = "local seal = {state = 'CLOSED', failureCount = 0, lastFailureTime = 0}
        redis.call('SET', KEYS[1] .. 'ours:' .. i, cjson.encode({state = 'CLOSED', failureCount = 0, lastFailureTime = 0,
          epoch = now, trips = 0, updatedBy = 'test', updatedAt = now, seal = seal}), 'EX', 86400)
        if i % 1000 == 0 then
          redis.call('SET', KEYS[1] .. 'swe:' .. i,
            cjson.encode({state = 'CLOSED', failureCount = 1, lastFailureTime = now}), 'EX', 86400)
        end";
    run_for_each_key(&trial.fleet.redis, circuits).await;
    let health = trial.check_among_many_keys("circuits", 10_010).await;
    // Of models that no configuration names an instance keeps 1,000 (Q6).
    let kept = health["circuits"]["closed"].as_u64().unwrap();
    assert!((1_000..2_000).contains(&kept), "{health}");
    for number in 1..=10 {
        let adopted = trial.fleet.history(&format!("swe:{number}000")).await;
        assert!(adopted.len() <= 1, "{adopted:#?}");
        assert!(adopted.iter().all(|entry| entry["reason"]["kind"] == "foreign"), "{adopted:#?}");
    }
    trial.end_fault();
    // What is late by 80 ms is taken for away, and on a busy machine much is.
    trial.assert_recovered_with_noise(6, 40.0).await;
}

impl Trial {
    /// A start, `circuits` and `/health` among so many keys.
    async fn check_among_many_keys(&self, what: &str, keys: usize) -> Value {
        let began = Instant::now();
        let another = self.fleet.start_another().await;
        while another.health().await["store"]["state"] != "connected" {
            assert!(began.elapsed() < MANY_KEYS_TIMEOUT, "it does not start: {}", another.health().await);
            sleep(Duration::from_millis(20)).await;
        }
        let started = began.elapsed();
        let asked = Instant::now();
        let listed = self.fleet.circuits().await.len();
        let list = asked.elapsed();
        assert!(listed >= keys, "{listed} of {keys}");
        let asked = Instant::now();
        let health = another.health().await;
        let answered = asked.elapsed();
        println!("among {keys} {what}: started in {started:?}, listed in {list:?}, health in {answered:?}");
        assert!(list < MANY_KEYS_TIMEOUT && answered < MANY_KEYS_TIMEOUT);
        let said = another.program.lines().len();
        assert!(said < 200, "{said} lines were said at the start");
        health
    }
}

/// Runs this for each `i` up to [`MANY`], a thousand at a time so that Redis is not held up by it.
async fn run_for_each_key(redis: &RedisServer, body: &str) {
    let script =
        format!("local now = redis.call('TIME')[1] * 1000 for i = ARGV[1], ARGV[1] + 999 do {body} end");
    for from in (1..FOREIGN_KEY_COUNT).step_by(1_000) {
        let result = redis.cli(&["EVAL", &script, "1", "circuit_breaker:", &from.to_string()]).await;
        assert!(result.is_empty(), "{result}");
    }
}

async fn bytes_sent(redis: &RedisServer) -> u64 {
    let stats = redis.cli(&["INFO", "stats"]).await;
    let sent = stats.lines().find_map(|line| line.trim().strip_prefix("total_net_output_bytes:"));
    sent.unwrap().parse().unwrap()
}
