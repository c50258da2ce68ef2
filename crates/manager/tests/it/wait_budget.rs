//! Waits: for cooldowns, for circuits that admit calls soon, and within `timeouts.total`.

use std::time::Duration;

use breaker::{Failure, Policy};
use manager::Retry;
use providers::Timeouts;
use simulator::{Behaviour, Fault, ProviderError, Script};
use tokio::time::Instant;

use crate::support::{Fixture, TestConfig, chat, never_trips, reply_of};

const ONE_MS: Duration = Duration::from_millis(1);

fn with_open_duration(period: Duration) -> TestConfig {
    let policy = Policy {
        open_duration: period,
        max_open_duration: period,
        open_jitter: 0.0,
        ..TestConfig::default().policy
    };
    TestConfig { policy, ..TestConfig::default() }
}

/// Waits at most this long.
fn with_max_retry_after(max_retry_after: Duration) -> TestConfig {
    let retry = Retry { max_retry_after, ..TestConfig::default().retry };
    TestConfig { retry, ..TestConfig::default() }
}

#[tokio::test]
async fn a_short_cooldown_is_waited_out_by_the_call_that_got_it() {
    let world = Fixture::new().await;
    world.first.script("m", Script::first(1, ProviderError::rate_limited().retry_after_ms(100 * ONE_MS)));
    let started = Instant::now();
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts, world.calls()), ("openai:m", 2, (2, 0)));
    let times: Vec<_> = world.first.traffic().received().iter().map(|received| received.at).collect();
    assert!(times[1] - times[0] >= 100 * ONE_MS, "{:?}", times[1] - times[0]);
    assert!(started.elapsed() < 5_000 * ONE_MS, "{:?}", started.elapsed());
    assert!(world.until_admission_known("openai:m").await, "the probe closed it");
}

#[tokio::test]
async fn other_calls_skip_a_model_in_cooldown() {
    let world = Fixture::with(with_max_retry_after(5_000 * ONE_MS)).await;
    world.first.script("m", Script::first(1, ProviderError::rate_limited().retry_after_ms(2_500 * ONE_MS)));
    let manager = std::sync::Arc::clone(&world.manager);
    let waiting = tokio::spawn(async move { manager.call(chat("chat", false)).await });
    world.refusal("openai:m").await;
    let started = Instant::now();
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), "backup:m");
    assert!(started.elapsed() < 2_000 * ONE_MS, "{:?}", started.elapsed());
    assert_eq!(reply_of(waiting.await.unwrap().unwrap()).answered_by.as_str(), "openai:m");
}

#[tokio::test]
async fn a_cooldown_longer_than_max_retry_after_means_the_next_model() {
    let world = Fixture::with(with_max_retry_after(3_999 * ONE_MS)).await;
    world.first.script("m", ProviderError::rate_limited().retry_after_ms(4_000 * ONE_MS));
    let started = Instant::now();
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), world.calls()), ("backup:m", (1, 1)));
    assert!(started.elapsed() < 3_000 * ONE_MS, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_failure_with_retry_after_is_retried_then_and_counted() {
    let world =
        Fixture::with(TestConfig { policy: never_trips(), ..with_max_retry_after(3_999 * ONE_MS) }).await;
    world.first.script("m", Script::first(1, ProviderError::overloaded().retry_after_ms(100 * ONE_MS)));
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), world.calls()), ("openai:m", (2, 0)));
    let times: Vec<_> = world.first.traffic().received().iter().map(|received| received.at).collect();
    assert!(times[1] - times[0] >= 100 * ONE_MS, "{:?}", times[1] - times[0]);
    world.first.script("m", ProviderError::overloaded().retry_after_ms(4_000 * ONE_MS));
    let started = Instant::now();
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), world.calls()), ("backup:m", (3, 1)));
    assert!(started.elapsed() < 3_000 * ONE_MS, "{:?}", started.elapsed());
    assert!(world.until_admission_known("openai:m").await, "only a 429 is a cooldown");
}

#[tokio::test]
async fn a_cooldown_too_long_to_wait_out_is_reported_with_its_end() {
    let world = Fixture::new().await;
    world.first.script("m", ProviderError::rate_limited().retry_after(Duration::from_secs(40)));
    let error = world.call(chat("openai:m", false)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.status(), error.retry_in()),
        ("attempts_exhausted", 429, Some(40_000 * ONE_MS))
    );
}

#[tokio::test]
async fn a_circuit_that_admits_calls_soon_is_waited_for() {
    let world = Fixture::with(TestConfig {
        retry: with_max_retry_after(5_000 * ONE_MS).retry,
        ..with_open_duration(1_000 * ONE_MS)
    })
    .await;
    let key = "openai:m".parse().unwrap();
    world.circuits.admit(&key).await.unwrap().failed(Failure::status(503));
    world.refusal("openai:m").await;
    let reply = world.call(chat("openai:m", false)).await.unwrap();
    assert_eq!((reply.attempts, world.calls()), (1, (1, 0)));
}

#[tokio::test]
async fn a_probes_outcome_is_waited_for() {
    let world = Fixture::with(TestConfig {
        retry: with_max_retry_after(5_000 * ONE_MS).retry,
        ..with_open_duration(ONE_MS)
    })
    .await;
    let key = "openai:m".parse().unwrap();
    world.circuits.admit(&key).await.unwrap().failed(Failure::status(503));
    world.circuits.wait_idle(&key).await;
    tokio::time::sleep(10 * ONE_MS).await;
    let probe = world.circuits.admit(&key).await.unwrap();
    assert!(probe.is_probe());
    let manager = std::sync::Arc::clone(&world.manager);
    let call = tokio::spawn(async move { manager.call(chat("openai:m", false)).await });
    tokio::time::sleep(50 * ONE_MS).await;
    assert_eq!(world.calls(), (0, 0), "it waits for the probe");
    probe.succeeded();
    assert_eq!(reply_of(call.await.unwrap().unwrap()).attempts, 1);
}

#[tokio::test]
async fn the_wait_for_a_probes_outcome_is_bounded() {
    let world = Fixture::with(with_open_duration(ONE_MS)).await;
    let key = "openai:m".parse().unwrap();
    world.circuits.admit(&key).await.unwrap().failed(Failure::status(503));
    world.circuits.wait_idle(&key).await;
    tokio::time::sleep(10 * ONE_MS).await;
    let probe = world.circuits.admit(&key).await.unwrap();
    let started = Instant::now();
    let error = world.call(chat("openai:m", false)).await.unwrap_err();
    assert_eq!(error.code(), "circuit_open");
    assert!((400 * ONE_MS..5_000 * ONE_MS).contains(&started.elapsed()), "{:?}", started.elapsed());
    drop(probe);
}

#[tokio::test]
async fn everything_keeps_within_total() {
    let timeouts = Timeouts { total: 200 * ONE_MS, ..Timeouts::default() };
    for stream in [false, true] {
        let world = Fixture::with(TestConfig { timeouts, ..TestConfig::default() }).await;
        world.first.script("m", Fault::Hang);
        let started = Instant::now();
        let error = world.call(chat("chat", stream)).await.unwrap_err();
        assert_eq!((error.code(), error.status()), ("deadline_exceeded", 504));
        assert!((200 * ONE_MS..5_000 * ONE_MS).contains(&started.elapsed()), "{:?}", started.elapsed());
        world.refusal("openai:m").await;
    }
}

#[tokio::test]
async fn a_model_with_less_than_its_share_of_total_is_not_counted() {
    let timeouts = Timeouts { total: 2_000 * ONE_MS, ..Timeouts::default() };
    let world = Fixture::with(TestConfig { timeouts, ..TestConfig::default() }).await;
    world.first.script("m", Behaviour::status(http::StatusCode::BAD_GATEWAY).latency(1_300 * ONE_MS));
    world.second.script("m", Fault::Hang);
    let error = world.call(chat("chat", false)).await.unwrap_err();
    assert_eq!(error.code(), "deadline_exceeded");
    assert!(error.to_string().contains("openai:m: "), "{error}");
    world.refusal("openai:m").await;
    assert!(world.until_admission_known("backup:m").await);
}

#[tokio::test]
async fn a_backoff_that_exceeds_total_is_not_started() {
    let retry = Retry { max_attempts: 2, initial_backoff: Duration::from_secs(60), max_retry_after: ONE_MS };
    let world = Fixture::with(TestConfig { retry, policy: never_trips(), ..TestConfig::default() }).await;
    world.first.script("m", Fault::Reset);
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), world.calls()), ("backup:m", (1, 1)));
}
