//! A client that disconnects cancels its call, in any phase: the provider sees it immediately, no provider gets another
//! request, and it is not counted (C1, C2).

use std::time::Duration;

use breaker::State;
use manager::{Retry, StreamMode};
use reqwest::RequestBuilder;
use simulator::{Behaviour, Fault, ProviderError, TrafficSnapshot};
use tokio::time::{sleep, timeout};

use crate::support::{Setup, TEST_TIMEOUT, World, never_trips};

/// The limit for cancelling an attempt after the client has disconnected. It takes milliseconds; the machine may be
/// busy.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The delays between two attempts in these tests.
const PROVIDER_DELAY: Duration = Duration::from_secs(1);

fn setup() -> Setup {
    let retry = Retry { max_attempts: 3, initial_backoff: PROVIDER_DELAY, max_retry_after: TEST_TIMEOUT };
    Setup { retry, policy: never_trips(), ..Setup::default() }
}

/// Sends a request and disconnects as soon as the providers' traffic is as `phase` expects.
async fn disconnect_when(
    world: &World,
    request: RequestBuilder,
    phase: impl Fn(&TrafficSnapshot, &TrafficSnapshot) -> bool,
) {
    let client = tokio::spawn(async move {
        let mut response = request.send().await.unwrap();
        while let Ok(Some(_)) = response.chunk().await {}
        panic!("the response completed");
    });
    let reached = async {
        while !phase(&world.first.traffic(), &world.second.traffic()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(TEST_TIMEOUT, reached).await.expect("the call reaches the phase");
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
}

/// After a client has disconnected: `calls` to each provider, none of them in flight or counted.
async fn assert_cancelled(world: &World, calls: (usize, usize), what: &str) {
    for provider in [&world.first, &world.second] {
        let cancelled = provider.wait_until(|seen| seen.in_flight() == 0);
        timeout(CANCEL_TIMEOUT, cancelled).await.unwrap_or_else(|_| panic!("{what}: the attempt continues"));
    }
    timeout(CANCEL_TIMEOUT, world.wait_until_idle())
        .await
        .unwrap_or_else(|_| panic!("{what}: the call continues"));
    // Any delayed attempt would have been made by then.
    sleep(PROVIDER_DELAY * 3 / 2).await;
    let seen = (world.first.traffic().calls("m"), world.second.traffic().calls("m"));
    assert_eq!(seen, calls, "{what}: an attempt was made after the disconnect");
    for outcome in ["answered", "attempts_exhausted", "deadline_exceeded"] {
        let series = format!("switchboard_calls_total{{route=\"chat\",outcome=\"{outcome}\",caller=\"\"}}");
        assert_eq!(world.metric(&series).await, None, "{what}");
    }
    let disconnected = world
        .metric("switchboard_calls_total{route=\"chat\",outcome=\"client_disconnected\",caller=\"\"}")
        .await;
    assert_eq!(disconnected, Some(1.0), "{what}");
}

fn assert_not_counted(world: &World, what: &str) {
    for report in world.manager.circuits().reports() {
        assert_eq!((report.state, report.failure_count), (State::Closed, 0), "{what}: {report:?}");
    }
}

#[tokio::test]
async fn before_the_head_of_the_response() {
    for stream in [false, true] {
        let world = World::with(setup()).await;
        world.first.script("m", Fault::Hang);
        disconnect_when(&world, world.chat("chat", stream), |first, _| first.in_flight() == 1).await;
        assert_cancelled(&world, (1, 0), &format!("stream: {stream}")).await;
        assert_not_counted(&world, "before the head");
    }
}

#[tokio::test]
async fn during_a_backoff() {
    let world = World::with(setup()).await;
    world.first.script("m", Fault::Reset);
    disconnect_when(&world, world.chat("chat", true), |first, _| {
        first.calls("m") == 1 && first.in_flight() == 0
    })
    .await;
    assert_cancelled(&world, (1, 0), "in a backoff").await;
}

#[tokio::test]
async fn during_a_cooldown() {
    let world = World::with(setup()).await;
    world.first.script("m", ProviderError::rate_limited().retry_after(PROVIDER_DELAY));
    disconnect_when(&world, world.chat("chat", false), |first, _| {
        first.calls("m") == 1 && first.in_flight() == 0
    })
    .await;
    assert_cancelled(&world, (1, 0), "in a cooldown").await;
}

#[tokio::test]
async fn in_a_stream() {
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
async fn in_a_buffered_stream() {
    let world = World::with(Setup { stream: StreamMode::Buffer, ..setup() }).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    disconnect_when(&world, world.chat("chat", true), |first, _| first.in_flight() == 1).await;
    assert_cancelled(&world, (1, 0), "in a buffered stream").await;
    assert_eq!(world.first.traffic().disconnected(), 1);
    assert_not_counted(&world, "in a buffered stream");
}

#[tokio::test]
async fn during_a_hedged_call() {
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
        let series = format!("switchboard_attempts_total{{model=\"{model}\",outcome=\"cancelled\"}}");
        assert_eq!(world.metric(&series).await, Some(1.0), "{model}");
    }
}
