//! Redis away at the start or later: calls go on, breaking is local, `/health` says so, it comes back by itself (F3).

use simulator::{Behaviour, Simulator};
use testbed::RedisServer;

use crate::support::{ConfigFile, Instance, TRIPS_AT_ONCE};

const MODEL: &str = "openai:gpt-5";

#[tokio::test]
async fn killed_and_back() {
    let mut redis = RedisServer::start().await;
    let simulator = Simulator::start().await.unwrap();
    let config = ConfigFile::new(TRIPS_AT_ONCE);
    let variables = [("SWITCHBOARD_CONFIG", config.path())];
    let instance = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    assert_eq!(instance.chat(MODEL).await.0, 200);
    instance.wait_until_store_is("connected").await;

    redis.kill();
    instance.wait_until_store_is("degraded").await;
    assert_eq!(instance.chat(MODEL).await.0, 200, "a good call went on");
    simulator.script("gpt-5", Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    for _ in 0..3 {
        assert_eq!(instance.chat(MODEL).await.0, 503);
    }
    // It breaks by itself. The answer to the third call may be there before the circuit has taken it in.
    instance.call_until_refused(MODEL, true).await;
    let calls = simulator.traffic().calls("gpt-5");
    assert_eq!(instance.chat(MODEL).await.2["error"]["code"], "circuit_open");
    assert_eq!(simulator.traffic().calls("gpt-5"), calls);

    redis.restart().await;
    instance.wait_until_store_is("connected").await;
    let value = redis.cli(&["GET", "circuit_breaker:openai:gpt-5"]).await;
    assert!(value.contains("\"OPEN\""), "what was learnt meanwhile is told: {value}");
    let away = instance.program.lines().into_iter().filter(|line| line.contains("Redis unreachable")).count();
    assert_eq!(away, 1, "said once, not per call");
}

#[tokio::test]
async fn away_at_the_start() {
    let mut redis = RedisServer::start().await;
    redis.kill();
    let simulator = Simulator::start().await.unwrap();
    let instance = Instance::start(Some(&redis.url()), &simulator).await;
    instance.wait_until_store_is("degraded").await;
    assert_eq!(instance.chat(MODEL).await.0, 200);
    redis.restart().await;
    instance.wait_until_store_is("connected").await;
    assert_eq!(instance.chat(MODEL).await.0, 200);
    assert_eq!(redis.cli(&["EXISTS", "circuit_breaker:openai:gpt-5"]).await.trim(), "1");
}

/// Nobody asked for a Redis, and none is at the default address: that is no fault. On a machine where one is, the
/// circuits are shared through it.
#[tokio::test]
async fn nobody_asked_for_one() {
    let simulator = Simulator::start().await.unwrap();
    let instance = Instance::start(None, &simulator).await;
    let redis_is_here = tokio::net::TcpStream::connect("127.0.0.1:6379").await.is_ok();
    let (state, line) = if redis_is_here {
        ("connected", "circuits are shared through redis")
    } else {
        ("embedded", "Redis not found; circuits are not shared")
    };
    instance.wait_until_store_is(state).await;
    instance.program.wait_for_line(line).await;
}

/// A Redis that refuses writes for a while: calls go on, and once it takes them again it is told all, soon.
#[tokio::test]
async fn read_only_for_a_while() {
    let redis = RedisServer::start().await;
    let simulator = Simulator::start().await.unwrap();
    let config = ConfigFile::new(TRIPS_AT_ONCE);
    let variables = [("SWITCHBOARD_CONFIG", config.path())];
    let instance = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    assert_eq!(instance.chat(MODEL).await.0, 200);
    // Nobody listens on port 1, so it stays a replica without a primary.
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    simulator.script("gpt-5", Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    for _ in 0..3 {
        assert_eq!(instance.chat(MODEL).await.0, 503);
    }
    instance.call_until_refused(MODEL, true).await;
    assert_eq!(instance.chat("openai:gpt-5-mini").await.0, 200, "a model that nobody knows yet");
    instance.wait_until_store_is("degraded").await;

    redis.cli(&["REPLICAOF", "NO", "ONE"]).await;
    let began = tokio::time::Instant::now();
    instance.wait_until_store_is("connected").await;
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
    let value = redis.cli(&["GET", "circuit_breaker:openai:gpt-5"]).await;
    assert!(value.contains("\"OPEN\""), "{value}");
}
