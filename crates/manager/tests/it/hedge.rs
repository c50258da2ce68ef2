//! Hedging: a model without a first token is joined by the next one, and the first token wins (`hedge_after`).

use std::time::Duration;

use manager::StreamMode;
use providers::Timeouts;
use simulator::{Behaviour, Fault};
use tokio::time::Instant;

use crate::support::{
    CHAT, Fixture, TEST_TIMEOUT, TestConfig, chat, collect_events, complete, stream_events, text_of,
};

const HEDGE_DELAY: Duration = Duration::from_millis(60);

fn config() -> TestConfig {
    TestConfig { hedge_after: Some(HEDGE_DELAY), ..TestConfig::default() }
}

#[tokio::test]
async fn a_slow_model_is_hedged_and_not_counted_as_failed() {
    for (stream, stall) in [(true, Fault::Hang), (true, Fault::Silence { after: 1 }), (false, Fault::Hang)] {
        let world = Fixture::with(config()).await;
        world.first.script("m", stall.clone());
        let reply = world.call(chat("chat", stream)).await.unwrap();
        assert_eq!((reply.answered_by.as_str(), reply.attempts), ("backup:m", 2), "{stall:?}");
        if stream {
            assert_eq!(text_of(&stream_events(reply).await), "Hello from m.");
        } else {
            assert_eq!(complete(reply).0, 200);
        }
        world.first.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
        assert!(world.until_admission_known("openai:m").await, "{stall:?}: the slower one was counted");
    }
}

#[tokio::test]
async fn the_first_model_wins_if_its_first_token_comes_first() {
    let world = Fixture::with(config()).await;
    world.first.script("m", Behaviour::ok().latency(HEDGE_DELAY * 3));
    world.second.script("m", Fault::Hang);
    let reply = world.call(chat("chat", true)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("openai:m", 2));
    assert_eq!(text_of(&stream_events(reply).await), "Hello from m.");
    world.second.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
    assert!(world.until_admission_known("backup:m").await);
}

#[tokio::test]
async fn a_model_that_streams_in_time_is_not_hedged() {
    let wait = Duration::from_secs(1);
    let world = Fixture::with(TestConfig { hedge_after: Some(wait), ..TestConfig::default() }).await;
    world.first.script("m", Behaviour::ok().words(6).gap(wait / 4));
    let reply = world.call(chat("chat", true)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("openai:m", 1));
    assert_eq!(stream_events(reply).await.last().unwrap(), "data: [DONE]\n\n");
    assert_eq!(world.calls(), (1, 0));
}

#[tokio::test]
async fn when_the_hedge_fails_the_first_model_may_still_win() {
    let world = Fixture::with(config()).await;
    world.first.script("m", Behaviour::ok().latency(HEDGE_DELAY * 4));
    world.second.script("m", Fault::Reset);
    let reply = world.call(chat("chat", true)).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), "openai:m");
    world.refusal("backup:m").await;
}

/// C4: neither an open circuit nor a failure of the hedge costs another `hedge_after`.
#[tokio::test]
async fn when_the_hedge_fails_the_next_model_is_called_immediately() {
    let wait = Duration::from_secs(2);
    for is_open in [true, false] {
        let world = Fixture::with(TestConfig { hedge_after: Some(wait), ..TestConfig::default() }).await;
        world.first.script("m", Fault::Hang);
        world.second.script("m", Fault::Reset);
        if is_open {
            let key = "backup:m".parse().unwrap();
            world.circuits.open(&key, None, None, None).await.unwrap();
        }
        let started = Instant::now();
        let reply = world.call(chat("three", true)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), "backup:last");
        assert!(started.elapsed() < wait * 19 / 10, "open: {is_open}, {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn when_all_stall_total_ends_the_call_and_all_are_counted() {
    let timeouts = Timeouts { total: HEDGE_DELAY * 5, ..Timeouts::default() };
    let world = Fixture::with(TestConfig { timeouts, ..config() }).await;
    for sim in [&world.first, &world.second] {
        sim.script("m", Fault::Hang);
    }
    let started = Instant::now();
    let error = world.call(chat("chat", true)).await.unwrap_err();
    assert_eq!((error.code(), error.status(), world.calls()), ("deadline_exceeded", 504, (1, 1)));
    assert!(started.elapsed() < TEST_TIMEOUT, "{:?}", started.elapsed());
    for key in CHAT {
        world.refusal(key).await;
    }
}

#[tokio::test]
async fn a_buffered_stream_is_hedged_until_its_first_token() {
    let world = Fixture::with(TestConfig { stream: StreamMode::Buffer, ..config() }).await;
    world.first.script("m", Fault::Hang);
    // Its first token cancels the other; after the truncation, the cancelled one takes over.
    // The truncation is late enough for the first model to recover before it is called again.
    let cut = Behaviour::ok().words(9).gap(Duration::from_millis(300)).with(Fault::Cut { after: 4 });
    world.second.script("m", simulator::Script::first(9, cut));
    let buffered = tokio::spawn(collect_events(world.buffered(chat("chat", true)).await));
    world.first.wait_until(|seen| seen.disconnected() == 1).await;
    world.first.script("m", Behaviour::ok());
    assert_eq!(text_of(&buffered.await.unwrap()), "Hello from m.");
}
