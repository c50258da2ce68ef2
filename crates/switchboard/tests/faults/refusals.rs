//! Redis is there, and will not.

use std::time::Duration;

use testbed::RedisServer;
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{Fleet, HEALTHY_MODEL, ROUTE},
    load::{CallOrigin, Load},
    trial::Trial,
};

const FAULT_DURATION: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full() {
    let mut trial = Trial::begin("maxmemory reached", Fleet::start().await).await;
    trial.begin_fault();
    trial.fleet.redis.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    trial.wait_until_degraded("the store refused: OOM").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("memory", "noeviction").await;
    sleep(FAULT_DURATION).await;
    trial.fleet.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only() {
    let mut trial = Trial::begin("read-only replica", Fleet::start().await).await;
    trial.begin_fault();
    // Nobody listens on port 1, so it stays a replica without a primary.
    trial.fleet.redis.cli(&["REPLICAOF", "127.0.0.1", "1"]).await;
    trial.wait_until_degraded("the store refused: READONLY").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("role", "a replica").await;
    sleep(FAULT_DURATION).await;
    trial.fleet.redis.cli(&["REPLICAOF", "NO", "ONE"]).await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_password() {
    let redis = RedisServer::start().await;
    redis.cli(&["ACL", "SETUSER", "app", "on", ">right", "~*", "&*", "+@all"]).await;
    let url = format!("redis://app:right@127.0.0.1:{}", redis.port());
    let fleet = Fleet::start_with(redis, url, &[&[], &[], &[]]).await;
    let mut trial = Trial::begin("password changed", fleet).await;
    trial.begin_fault();
    trial.fleet.redis.cli(&["ACL", "SETUSER", "app", "resetpass", ">other"]).await;
    trial.fleet.redis.cli(&["CLIENT", "KILL", "USER", "app"]).await;
    trial.wait_until_degraded("").await;
    trial.wait_until_each_has_opened().await;
    trial.assert_doctor_finds("authentication", "authentication failed").await;
    sleep(FAULT_DURATION).await;
    trial.wait_until_degraded("the store refused").await;
    trial.fleet.redis.cli(&["ACL", "SETUSER", "app", ">right"]).await;
    trial.end_fault();
    trial.assert_recovered(1).await;
}

/// Without RESP3 there is no word of changes. Circuits are not shared then, and the user is told why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocol_2_only() {
    let redis = RedisServer::start_with(&["--rename-command", "HELLO", ""]).await;
    let fleet = Fleet::start_on(redis).await;
    let load = Load::start(
        fleet.instances.iter().map(|instance| (CallOrigin::Fleet, instance)),
        &[HEALTHY_MODEL, ROUTE],
    );
    let began = Instant::now();
    fleet.fail_model();
    fleet.wait_until_all_are("degraded").await;
    fleet.wait_until_open(1).await;
    let health = fleet.instances[0].health().await;
    let error = health["store"]["error"].as_str().unwrap();
    assert!(error.contains("RESP3"), "{health}");
    let report = fleet.doctor().await.json();
    let findings = report["checks"].as_array().unwrap();
    let tracking = findings.iter().find(|finding| finding["check"] == "tracking").unwrap();
    assert_eq!(tracking["verdict"], "failed", "{tracking}");
    let calls = load.calls_between(began, Instant::now());
    let lost = calls.iter().filter(|call| call.status != 200).count();
    println!(
        "| protocol 2 only | {} calls | {lost} lost | degraded: {error} | tracking failed: {} |",
        calls.len(),
        tracking["found"]
    );
    assert_eq!(lost, 0, "{calls:?}");
}

/// A user with no more rights than the manual gives is all that is needed, whatever is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_of_the_manual() {
    let manual = include_str!("../../../../docs/redis.md");
    let line = manual.lines().find(|line| line.starts_with("ACL SETUSER switchboard")).unwrap();
    let redis = RedisServer::start().await;
    assert_eq!(redis.cli(&line.split(' ').collect::<Vec<_>>()).await, "OK");
    let url = format!("redis://switchboard:password@127.0.0.1:{}", redis.port());
    let fleet = Fleet::start_with(redis, url, &[&[], &[], &[]]).await;
    let mut trial = Trial::begin("a user with the manual's rights", fleet).await;
    trial.begin_fault();
    trial.fleet.wait_until_open(1).await;
    let opened = trial.fleet.run(&["circuits", "open", "openai:manual", "--reason", "test"]).await;
    assert_eq!(opened.code, Some(0), "{}", opened.stderr);
    for arguments in [["circuits", "close", "openai:manual"], ["circuits", "reset", "openai:manual"]] {
        let ended = trial.fleet.run(&arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    }
    let doctor = trial.fleet.doctor().await;
    assert_eq!(doctor.code, Some(0), "{}", doctor.stdout);
    sleep(FAULT_DURATION).await;
    trial.end_fault();
    trial.assert_recovered(0).await;
}
