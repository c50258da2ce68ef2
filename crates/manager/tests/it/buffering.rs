//! Buffered streams: after a truncation or a stall, the next model takes over without the caller's notice
//! (`stream = "buffer"`).

use std::time::Duration;

use futures_util::StreamExt;
use manager::{BufferLimit, StreamMode};
use providers::Timeouts;
use simulator::{Behaviour, Fault, ProviderError, Script};
use tokio::time::Instant;

use crate::support::{
    Fixture, TEST_TIMEOUT, TestConfig, chat, collect_events, messages, never_trips, text_of,
};

fn config() -> TestConfig {
    TestConfig { stream: StreamMode::Buffer, ..TestConfig::default() }
}

/// Faults in the middle of a stream.
fn faults() -> [Fault; 5] {
    [
        Fault::Cut { after: 4 },
        Fault::End { after: 4 },
        Fault::Garbage { after: 4 },
        Fault::Silence { after: 4 },
        Fault::ErrorEvent { after: 4, error: ProviderError::overloaded() },
    ]
}

#[tokio::test]
async fn a_buffered_stream_that_fails_is_replaced_by_the_next_models() {
    let timeouts = Timeouts { idle: Duration::from_millis(500), ..TestConfig::default().timeouts };
    for fault in faults() {
        let world = Fixture::with(TestConfig { timeouts, ..config() }).await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        world.second.script("m", Behaviour::ok().words(4));
        let events = collect_events(world.buffered(chat("chat", true)).await).await;
        let text = events.concat();
        assert!(!text.contains("\"error\""), "{fault:?}: {text}");
        assert_eq!(text.matches("\"role\"").count(), 1, "{fault:?}: {text}");
        assert_eq!(events.last().unwrap(), "data: [DONE]\n\n", "{fault:?}");
        assert_eq!(world.second.traffic().calls("m"), 1, "{fault:?}");
        world.refusal("openai:m").await;

        let world = Fixture::with(TestConfig { timeouts, ..config() }).await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        let text = collect_events(world.buffered(messages("messages", true)).await).await.concat();
        assert_eq!(text.matches("event: message_start").count(), 1, "{fault:?}: {text}");
        assert_eq!(text.matches("event: message_stop").count(), 1, "{fault:?}: {text}");
        assert!(!text.contains("event: error"), "{fault:?}: {text}");
    }
}

#[tokio::test]
async fn a_truncated_stream_is_retried_on_the_same_model_first() {
    let world = Fixture::with(TestConfig { policy: never_trips(), ..config() }).await;
    world.first.script("m", Script::first(1, Behaviour::ok().words(9).with(Fault::Cut { after: 4 })));
    let events = collect_events(world.buffered(chat("chat", true)).await).await;
    assert_eq!(text_of(&events), "Hello from m.");
    assert_eq!(world.calls(), (2, 0));
}

#[tokio::test]
async fn nothing_is_sent_before_the_stream_is_complete() {
    let world = Fixture::with(config()).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let mut events = world.buffered(chat("chat", true)).await;
    let first = tokio::spawn(async move { (events.next().await, events) });
    world.first.wait_until(|seen| seen.in_flight() == 1).await;
    first.abort();
    world.first.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
    assert!(world.until_admission_known("openai:m").await, "a client that disconnects is no failure");
}

#[tokio::test]
async fn a_final_failure_is_sent_as_an_error_event() {
    let world = Fixture::with(TestConfig { policy: never_trips(), ..config() }).await;
    for sim in [&world.first, &world.second] {
        sim.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 4 }));
    }
    let events = collect_events(world.buffered(chat("chat", true)).await).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.starts_with("data: {\"error\":") && event.contains("attempts_exhausted"), "{event}");
    assert!(event.contains("openai:m") && event.contains("backup:m"), "{event}");

    world.first.script("m", ProviderError::content_policy());
    let events = collect_events(world.buffered(chat("chat", true)).await).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.starts_with("data: {\"error\":") && event.contains("content_filter"), "{event}");

    world.first.script("m", ProviderError::content_policy());
    let events = collect_events(world.buffered(messages("messages", true)).await).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.starts_with("event: error\ndata: {\"type\":\"error\""), "{event}");
}

#[tokio::test]
async fn the_caller_gets_keep_alive_events_meanwhile() {
    let timeouts = Timeouts { total: TEST_TIMEOUT * 2, ..Timeouts::default() };
    let world = Fixture::with(TestConfig { timeouts, ..config() }).await;
    // One keep-alive event, not two.
    world.first.script("m", Behaviour::ok().latency(Duration::from_millis(5_300)));
    let (openai, anthropic) =
        tokio::join!(async { collect_events(world.buffered(chat("chat", true)).await).await }, async {
            collect_events(world.buffered(messages("messages", true)).await).await
        },);
    assert!(openai[0].starts_with(": "), "{openai:?}");
    assert_eq!(openai.iter().filter(|event| event.starts_with(": ")).count(), 1);
    assert!(anthropic[0].starts_with("event: ping\n"), "{anthropic:?}");
    assert_eq!(text_of(&openai), "Hello from m.");
}

#[tokio::test]
async fn a_trickling_stream_ends_with_total() {
    let timeouts = Timeouts::default();
    let world = Fixture::with(TestConfig { timeouts, ..config() }).await;
    let gap = timeouts.idle / 6;
    world.first.script("m", Behaviour::ok().words(1_000).gap(gap));
    let events = tokio::spawn(world.buffered(chat("chat", true)).await.collect::<Vec<_>>());
    world.first.wait_until(|seen| seen.in_flight() == 1).await;
    tokio::time::pause();
    let started = Instant::now();
    let events = tokio::time::timeout(timeouts.total * 2, events).await.expect("it ends with total").unwrap();
    assert!(started.elapsed() <= timeouts.total, "{:?}", started.elapsed());
    tokio::time::resume();
    let events: Vec<_> = events.into_iter().map(Result::unwrap).collect();
    let (last, keepalives) = events.split_last().unwrap();
    let last = std::str::from_utf8(last).unwrap();
    assert!(last.starts_with("data: {\"error\":") && last.contains("deadline_exceeded"), "{last}");
    assert!(last.contains("timeouts.total"), "{last}");
    assert!(keepalives.iter().all(|event| event.starts_with(b": ")), "the caller gets no part of it");
    assert_eq!(world.calls(), (1, 0));
    assert!(!world.until_admission_known("openai:m").await, "it had all of total");
}

#[tokio::test]
async fn a_response_beyond_the_buffer_limit_is_passed_through() {
    let world = Fixture::with(TestConfig { buffer_limit: BufferLimit(2_000), ..config() }).await;
    world.first.script("m", Behaviour::ok().words(99).with(Fault::Silence { after: 50 }));
    let mut events = world.buffered(chat("chat", true)).await;
    for _ in 0..50 {
        tokio::time::timeout(TEST_TIMEOUT, events.next()).await.expect("passed through").unwrap().unwrap();
    }
    drop(events);
    world.first.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
}

#[tokio::test]
async fn an_error_in_a_buffered_stream_returns_the_providers_error() {
    let world = Fixture::with(config()).await;
    let rejected = Fault::ErrorEvent { after: 3, error: ProviderError::content_policy() };
    world.first.script("m", rejected);
    let events = collect_events(world.buffered(chat("chat", true)).await).await;
    assert_eq!(events.len(), 1, "the caller gets no earlier event: {events:?}");
    assert!(events[0].contains("\"content_filter\""), "{events:?}");
    assert_eq!(world.calls(), (1, 0));
    assert!(world.until_admission_known("openai:m").await, "a rejected request is no failure");
}
