//! How long a call waits for a Redis that hangs: not at all, or 100 ms for a probe (F3).

use std::{sync::Arc, time::Duration};

use breaker::{Failure, FailureKind, InstanceId, Policy};
use circuits::{Circuits, Policies, RedisStore, Settings};
use futures_util::FutureExt as _;
use testbed::RedisServer;
use tokio::time::{Instant, sleep};

/// Delay that the machine may add.
const SLACK: Duration = Duration::from_millis(250);

#[tokio::test]
async fn a_closed_circuits_call_waits_for_nothing_and_a_probe_100_ms() {
    let redis = RedisServer::start().await;
    let policy = Policy {
        failure_threshold: 1,
        min_failure_span: Duration::ZERO,
        open_duration: Duration::from_millis(50),
        ..Policy::default()
    };
    let settings = Settings {
        policies: Policies { default: policy, ..Policies::default() },
        ..Settings::new(InstanceId::new("a"))
    };
    let store = RedisStore::start(redis.url().parse().unwrap());
    let circuits = Circuits::start(Arc::new(store), settings);
    circuits.ready().await;
    let (healthy, failing) = ("openai:healthy".parse().unwrap(), "openai:failing".parse().unwrap());
    circuits.admit(&healthy).await.unwrap().succeeded();
    circuits.admit(&failing).await.unwrap().failed(Failure::new(FailureKind::Truncated));
    circuits.wait_idle(&failing).await;
    assert!(circuits.admit(&failing).await.is_err(), "it is open");

    redis.pause();
    sleep(Duration::from_millis(200)).await;
    // At the first poll, so without waiting at all.
    circuits.admit(&healthy).now_or_never().expect("it waited").unwrap().succeeded();
    let asked = Instant::now();
    let probe = circuits.admit(&failing).await;
    assert!(asked.elapsed() < Duration::from_millis(100) + SLACK, "a probe waited for {:?}", asked.elapsed());
    assert!(probe.is_ok_and(|permit| permit.is_probe()), "it probes on its own (S1)");
    circuits
        .admit(&healthy)
        .now_or_never()
        .expect("it waited")
        .unwrap()
        .failed(Failure::new(FailureKind::Truncated));
    let asked = Instant::now();
    drop(circuits.admit(&"openai:unknown".parse().unwrap()).await.unwrap());
    assert!(asked.elapsed() < Duration::from_millis(100) + SLACK, "{:?}", asked.elapsed());
    redis.resume();
}
