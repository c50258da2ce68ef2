//! A client that leaves stops its call, in whatever phase: the provider sees it at once, nothing more reaches any
//! provider, and it counts as nothing (C1, C2).

use std::time::Duration;

use breaker::State;
use manager::{Retry, StreamMode};
use reqwest::RequestBuilder;
use simulator::{Behaviour, Fault, ProviderError, Seen};
use tokio::time::{sleep, timeout};

use crate::support::{SOON, Setup, World, patient};

/// A provider's call stops so soon after its client left. A few milliseconds as a rule; the machine may be busy.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The waits in these tests, between two calls.
const WAIT: Duration = Duration::from_secs(1);

fn setup() -> Setup {
    let retry = Retry { attempts: 3, backoff: WAIT, max_retry_after: SOON };
    Setup { retry, policy: patient(), ..Setup::default() }
}

/// Sends a request and leaves as soon as the providers have seen what `phase` tells.
async fn leave(world: &World, request: RequestBuilder, phase: impl Fn(&Seen, &Seen) -> bool) {
    let client = tokio::spawn(async move {
        let mut response = request.send().await.unwrap();
        while let Ok(Some(_)) = response.chunk().await {}
        panic!("the answer came to its end");
    });
    let reached = async {
        while !phase(&world.first.seen(), &world.second.seen()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, reached).await.expect("the call comes so far");
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
}

/// What holds after a client has left: `calls` to each provider, and none of them goes on or counts.
async fn assert_stopped(world: &World, calls: (usize, usize), what: &str) {
    for provider in [&world.first, &world.second] {
        let stopped = provider.until(|seen| seen.in_flight() == 0);
        timeout(AT_ONCE, stopped).await.unwrap_or_else(|_| panic!("{what}: the provider's call goes on"));
    }
    timeout(AT_ONCE, world.until_idle()).await.unwrap_or_else(|_| panic!("{what}: the gateway goes on"));
    // Whatever was waited for would have come by then.
    sleep(WAIT * 3 / 2).await;
    let seen = (world.first.seen().calls("m"), world.second.seen().calls("m"));
    assert_eq!(seen, calls, "{what}: a call was made for nobody");
    for outcome in ["answered", "attempts_exhausted", "deadline_exceeded"] {
        let series = format!("switchboard_calls_total{{route=\"chat\",outcome=\"{outcome}\"}}");
        assert_eq!(world.metric(&series).await, None, "{what}");
    }
    let left = world.metric("switchboard_calls_total{route=\"chat\",outcome=\"client_disconnected\"}").await;
    assert_eq!(left, Some(1.0), "{what}");
}

fn assert_blameless(world: &World, what: &str) {
    for report in world.manager.circuits().reports() {
        assert_eq!((report.state, report.failure_count), (State::Closed, 0), "{what}: {report:?}");
    }
}

#[tokio::test]
async fn before_the_answers_head() {
    for stream in [false, true] {
        let world = World::with(setup()).await;
        world.first.script("m", Fault::Hang);
        leave(&world, world.chat("chat", stream), |first, _| first.in_flight() == 1).await;
        assert_stopped(&world, (1, 0), &format!("stream: {stream}")).await;
        assert_blameless(&world, "before the head");
    }
}

#[tokio::test]
async fn while_a_backoff_is_waited() {
    let world = World::with(setup()).await;
    world.first.script("m", Fault::Reset);
    leave(&world, world.chat("chat", true), |first, _| first.calls("m") == 1 && first.in_flight() == 0).await;
    assert_stopped(&world, (1, 0), "in a backoff").await;
}

#[tokio::test]
async fn while_a_rest_is_waited_out() {
    let world = World::with(setup()).await;
    world.first.script("m", ProviderError::rate_limited().retry_after(WAIT));
    leave(&world, world.chat("chat", false), |first, _| first.calls("m") == 1 && first.in_flight() == 0)
        .await;
    assert_stopped(&world, (1, 0), "in a rest").await;
}

#[tokio::test]
async fn in_the_stream() {
    let world = World::with(setup()).await;
    world.first.script("m", Behaviour::ok().words(50).gap(Duration::from_millis(100)));
    let mut response = world.chat("chat", true).send().await.unwrap();
    crate::support::read_until(&mut response, "Hello").await;
    drop(response);
    assert_stopped(&world, (1, 0), "in the stream").await;
    assert_eq!(world.first.seen().abandoned(), 1);
    assert_blameless(&world, "in the stream");
}

#[tokio::test]
async fn in_a_held_stream() {
    let world = World::with(Setup { stream: StreamMode::Hold, ..setup() }).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    leave(&world, world.chat("chat", true), |first, _| first.in_flight() == 1).await;
    assert_stopped(&world, (1, 0), "in a held stream").await;
    assert_eq!(world.first.seen().abandoned(), 1);
    assert_blameless(&world, "in a held stream");
}

#[tokio::test]
async fn while_two_models_are_asked_side_by_side() {
    let world = World::with(Setup { hedge_after: Some(Duration::from_millis(20)), ..setup() }).await;
    for provider in [&world.first, &world.second] {
        provider.script("m", Fault::Hang);
    }
    let both = |first: &Seen, second: &Seen| first.in_flight() == 1 && second.in_flight() == 1;
    leave(&world, world.chat("chat", true), both).await;
    assert_stopped(&world, (1, 1), "in a hedge").await;
    assert_blameless(&world, "in a hedge");
    for model in ["openai:m", "backup:m"] {
        let series = format!("switchboard_attempts_total{{model=\"{model}\",outcome=\"stopped\"}}");
        assert_eq!(world.metric(&series).await, Some(1.0), "{model}");
    }
}
