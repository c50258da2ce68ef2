//! A client that leaves stops its call, in whatever phase: the provider sees it at once, nothing more reaches any
//! provider, and it counts as nothing (C1, C2).

use std::time::Duration;

use breaker::State;
use manager::{Retry, StreamMode};
use reqwest::RequestBuilder;
use simulator::{Behaviour, Fault, ProviderError, TrafficSnapshot};
use tokio::time::{sleep, timeout};

use crate::support::{Setup, TEST_TIMEOUT, World, never_trips};

/// A provider's call stops so soon after its client left. A few milliseconds as a rule; the machine may be busy.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The waits in these tests, between two calls.
const PROVIDER_DELAY: Duration = Duration::from_secs(1);

fn setup() -> Setup {
    let retry = Retry { max_attempts: 3, initial_backoff: PROVIDER_DELAY, max_retry_after: TEST_TIMEOUT };
    Setup { retry, policy: never_trips(), ..Setup::default() }
}

/// Sends a request and leaves as soon as the providers have seen what `phase` tells.
async fn disconnect_when(
    world: &World,
    request: RequestBuilder,
    phase: impl Fn(&TrafficSnapshot, &TrafficSnapshot) -> bool,
) {
    let client = tokio::spawn(async move {
        let mut response = request.send().await.unwrap();
        while let Ok(Some(_)) = response.chunk().await {}
        panic!("the answer came to its end");
    });
    let reached = async {
        while !phase(&world.first.traffic(), &world.second.traffic()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(TEST_TIMEOUT, reached).await.expect("the call comes so far");
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
}

/// What holds after a client has left: `calls` to each provider, and none of them goes on or counts.
async fn assert_cancelled(world: &World, calls: (usize, usize), what: &str) {
    for provider in [&world.first, &world.second] {
        let stopped = provider.wait_until(|seen| seen.in_flight() == 0);
        timeout(CANCEL_TIMEOUT, stopped)
            .await
            .unwrap_or_else(|_| panic!("{what}: the provider's call goes on"));
    }
    timeout(CANCEL_TIMEOUT, world.wait_until_idle())
        .await
        .unwrap_or_else(|_| panic!("{what}: the gateway goes on"));
    // Whatever was waited for would have come by then.
    sleep(PROVIDER_DELAY * 3 / 2).await;
    let seen = (world.first.traffic().calls("m"), world.second.traffic().calls("m"));
    assert_eq!(seen, calls, "{what}: a call was made for nobody");
    for outcome in ["answered", "attempts_exhausted", "deadline_exceeded"] {
        let series = format!("switchboard_calls_total{{route=\"chat\",outcome=\"{outcome}\"}}");
        assert_eq!(world.metric(&series).await, None, "{what}");
    }
    let left = world.metric("switchboard_calls_total{route=\"chat\",outcome=\"client_disconnected\"}").await;
    assert_eq!(left, Some(1.0), "{what}");
}

fn assert_not_counted(world: &World, what: &str) {
    for report in world.manager.circuits().reports() {
        assert_eq!((report.state, report.failure_count), (State::Closed, 0), "{what}: {report:?}");
    }
}

#[tokio::test]
async fn before_the_answers_head() {
    for stream in [false, true] {
        let world = World::with(setup()).await;
        world.first.script("m", Fault::Hang);
        disconnect_when(&world, world.chat("chat", stream), |first, _| first.in_flight() == 1).await;
        assert_cancelled(&world, (1, 0), &format!("stream: {stream}")).await;
        assert_not_counted(&world, "before the head");
    }
}

#[tokio::test]
async fn while_a_backoff_is_waited() {
    let world = World::with(setup()).await;
    world.first.script("m", Fault::Reset);
    disconnect_when(&world, world.chat("chat", true), |first, _| {
        first.calls("m") == 1 && first.in_flight() == 0
    })
    .await;
    assert_cancelled(&world, (1, 0), "in a backoff").await;
}

#[tokio::test]
async fn while_a_rest_is_waited_out() {
    let world = World::with(setup()).await;
    world.first.script("m", ProviderError::rate_limited().retry_after(PROVIDER_DELAY));
    disconnect_when(&world, world.chat("chat", false), |first, _| {
        first.calls("m") == 1 && first.in_flight() == 0
    })
    .await;
    assert_cancelled(&world, (1, 0), "in a rest").await;
}

#[tokio::test]
async fn in_the_stream() {
    let world = World::with(setup()).await;
    world.first.script("m", Behaviour::ok().words(50).gap(Duration::from_millis(100)));
    let mut response = world.chat("chat", true).send().await.unwrap();
    crate::support::read_until(&mut response, "Hello").await;
    drop(response);
    assert_cancelled(&world, (1, 0), "in the stream").await;
    assert_eq!(world.first.traffic().disconnected(), 1);
    assert_not_counted(&world, "in the stream");
}

#[tokio::test]
async fn in_a_held_stream() {
    let world = World::with(Setup { stream: StreamMode::Buffer, ..setup() }).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    disconnect_when(&world, world.chat("chat", true), |first, _| first.in_flight() == 1).await;
    assert_cancelled(&world, (1, 0), "in a held stream").await;
    assert_eq!(world.first.traffic().disconnected(), 1);
    assert_not_counted(&world, "in a held stream");
}

#[tokio::test]
async fn while_two_models_are_asked_side_by_side() {
    let world = World::with(Setup { hedge_after: Some(Duration::from_millis(20)), ..setup() }).await;
    for provider in [&world.first, &world.second] {
        provider.script("m", Fault::Hang);
    }
    let both =
        |first: &TrafficSnapshot, second: &TrafficSnapshot| first.in_flight() == 1 && second.in_flight() == 1;
    disconnect_when(&world, world.chat("chat", true), both).await;
    assert_cancelled(&world, (1, 1), "in a hedge").await;
    assert_not_counted(&world, "in a hedge");
    for model in ["openai:m", "backup:m"] {
        let series = format!("switchboard_attempts_total{{model=\"{model}\",outcome=\"stopped\"}}");
        assert_eq!(world.metric(&series).await, Some(1.0), "{model}");
    }
}
