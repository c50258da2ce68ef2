//! A key of another type under a circuit's name: the operator learns that the override is not shared.

use std::sync::Arc;

use breaker::InstanceId;
use circuits::{Circuits, OperateError, RedisStore, Settings};
use testbed::RedisServer;

#[tokio::test]
async fn a_manual_override_is_not_shared_through_it() {
    let redis = RedisServer::start().await;
    redis.cli(&["LPUSH", "circuit_breaker:openai:m", "x"]).await;
    let store = RedisStore::start(redis.url().parse().unwrap());
    let circuits = Circuits::start(Arc::new(store), Settings::new(InstanceId::new("a")));
    circuits.ready().await;
    let key = "openai:m".parse().unwrap();
    circuits.admit(&key).await.unwrap().succeeded();
    let result = circuits.open(&key, None, None, None).await;
    assert!(matches!(&result, Err(OperateError::NotShared(why)) if why.contains("list")), "{result:?}");
    circuits.admit(&key).await.expect_err("this instance obeys");
    assert_eq!(redis.cli(&["TYPE", "circuit_breaker:openai:m"]).await, "list");
}
