//! Streams: before their first token, after it, and to their end (C1, C3).

use std::time::Duration;

use breaker::{Failure, Policy, State};
use futures_util::StreamExt;
use manager::Body;
use providers::Timeouts;
use simulator::{Behaviour, Fault, ProviderError};

use crate::support::{Fixture, TEST_TIMEOUT, TestConfig, chat, messages, stream_events, text_of};

#[tokio::test]
async fn a_good_stream_is_passed_on_completely() {
    let world = Fixture::new().await;
    let events = stream_events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(text_of(&events), "Hello from m.");
    assert_eq!(events.last().unwrap(), "data: [DONE]\n\n");
    assert!(events[0].contains("\"role\""), "{events:?}");

    let events = crate::support::stream_events(world.call(messages("messages", true)).await.unwrap()).await;
    assert!(events[0].starts_with("event: message_start\n"), "{events:?}");
    assert!(events.last().unwrap().starts_with("event: message_stop\n"), "{events:?}");
    assert!(
        world.until_admission_known("openai:m").await && world.until_admission_known("anthropic:m").await
    );
}

#[tokio::test]
async fn before_the_first_token_failover_is_invisible() {
    // The role chunk, or message_start and block start, come before the fault.
    let faults = |after: usize| {
        [
            Fault::Cut { after },
            Fault::End { after },
            Fault::Garbage { after },
            Fault::Silence { after },
            Fault::ErrorEvent { after, error: ProviderError::overloaded() },
        ]
    };
    let timeouts = Timeouts { idle: Duration::from_millis(500), ..TestConfig::default().timeouts };
    for (fault, dialect) in faults(1)
        .into_iter()
        .map(|fault| (fault, "chat"))
        .chain(faults(2).into_iter().map(|fault| (fault, "messages")))
    {
        let world = Fixture::with(TestConfig { timeouts, ..TestConfig::default() }).await;
        world.first.script("m", fault.clone());
        world.second.script("m", Behaviour::ok().words(4));
        let (call, key) = match dialect {
            "chat" => (chat("chat", true), "openai:m"),
            _ => (messages("messages", true), "anthropic:m"),
        };
        let reply = world.call(call).await.unwrap();
        assert_ne!(reply.answered_by.as_str(), key, "{fault:?} {dialect}");
        let all = stream_events(reply).await.concat();
        let starts = all.matches(if dialect == "chat" { "\"role\"" } else { "event: message_start" }).count();
        assert_eq!(starts, 1, "{fault:?} {dialect}: {all}");
        assert!(!all.contains("\"error\""), "{fault:?} {dialect}: {all}");
        world.refusal(key).await;
    }
}

#[tokio::test]
async fn after_the_first_token_a_failure_is_sent_and_counted() {
    let timeouts = Timeouts { idle: Duration::from_millis(500), ..TestConfig::default().timeouts };
    for fault in [
        Fault::Cut { after: 3 },
        Fault::End { after: 3 },
        Fault::Garbage { after: 3 },
        Fault::Silence { after: 3 },
        Fault::ErrorEvent { after: 3, error: ProviderError::overloaded() },
    ] {
        let world = Fixture::with(TestConfig { timeouts, ..TestConfig::default() }).await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        let reply = world.call(chat("chat", true)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), "openai:m", "{fault:?}");
        let events = stream_events(reply).await;
        let last = events.last().unwrap();
        assert!(
            last.starts_with("data: {\"error\":") && last.contains("stream_interrupted"),
            "{fault:?}: {last}"
        );
        assert!(last.contains("openai:m"), "{fault:?}: {last}");
        assert!(!events.concat().contains("[DONE]"), "{fault:?}: {events:?}");
        world.refusal("openai:m").await;
        assert_eq!(world.second.traffic().calls("m"), 0, "{fault:?}: the second model was called");
    }
}

#[tokio::test]
async fn an_anthropic_stream_that_fails_ends_with_its_error_event() {
    let world = Fixture::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 5 }));
    let events = stream_events(world.call(messages("messages", true)).await.unwrap()).await;
    let last = events.last().unwrap();
    assert!(last.starts_with("event: error\n") && last.contains("\"type\":\"error\""), "{last}");
    assert!(!events.concat().contains("message_stop"), "{events:?}");
    world.refusal("anthropic:m").await;
}

#[tokio::test]
async fn an_error_of_the_request_after_the_first_token_is_passed_on_and_not_counted() {
    let world = Fixture::new().await;
    world.first.script("m", Fault::ErrorEvent { after: 3, error: ProviderError::content_policy() });
    let events = stream_events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(text_of(&events), "Hello from");
    assert!(events.last().unwrap().contains("\"content_filter\""), "{events:?}");
    assert!(world.until_admission_known("openai:m").await);
}

#[tokio::test]
async fn a_missing_end_marker_is_added() {
    let world = Fixture::new().await;
    world.first.script("m", Fault::NoDone);
    let events = stream_events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(events.last().unwrap().trim_end(), "data: [DONE]");
    assert_eq!(events.concat().matches("[DONE]").count(), 1);
    assert!(world.until_admission_known("openai:m").await);
}

#[tokio::test]
async fn events_are_passed_on_immediately() {
    let world = Fixture::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 3 }));
    let reply = world.call(chat("chat", true)).await.unwrap();
    let Body::Stream { mut events, .. } = reply.body else { panic!("no stream") };
    for _ in 0..3 {
        let event =
            tokio::time::timeout(TEST_TIMEOUT, events.next()).await.expect("before the next one was sent");
        assert!(event.is_some());
    }
    drop(events);
    world.first.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
    assert!(world.until_admission_known("openai:m").await, "a client that disconnects is no failure");
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_the_providers_call() {
    for stream in [false, true] {
        let world = Fixture::new().await;
        world.first.script("m", Fault::Hang);
        let manager = std::sync::Arc::clone(&world.manager);
        let call = tokio::spawn(async move { manager.call(chat("chat", stream)).await });
        world.first.wait_until(|seen| seen.in_flight() == 1).await;
        call.abort();
        world.first.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
        assert!(world.until_admission_known("openai:m").await, "a client that disconnects is no failure");
    }
}

#[tokio::test]
async fn a_probe_succeeds_at_the_first_token_and_a_later_truncation_counts() {
    let brief = Duration::from_millis(1);
    let policy = Policy { open_duration: brief, ..TestConfig::default().policy };
    let world = Fixture::with(TestConfig { policy, ..TestConfig::default() }).await;
    let key = "openai:m".parse().unwrap();
    world.circuits.admit(&key).await.unwrap().failed(Failure::status(503));
    world.circuits.wait_idle(&key).await;
    tokio::time::sleep(brief * 5).await;
    let (go, wait) = (Behaviour::ok().words(9), Duration::from_millis(500));
    world.first.script("m", go.gap(wait).with(Fault::Cut { after: 4 }));
    let reply = world.call(chat("openai:m", true)).await.unwrap();
    assert!(world.until_admission_known("openai:m").await, "the first token closed it");
    assert!(stream_events(reply).await.concat().contains("stream_interrupted"));
    world.circuits.wait_idle(&key).await;
    let report = &world.circuits.reports()[0];
    assert_eq!((report.state == State::Closed, report.trips), (false, 2), "{report:?}");
}

#[tokio::test]
async fn a_started_stream_may_outlast_total() {
    let timeouts = Timeouts { total: Duration::from_secs(1), ..Timeouts::default() };
    let world = Fixture::with(TestConfig { timeouts, ..TestConfig::default() }).await;
    world.first.script("m", Behaviour::ok().words(6).gap(Duration::from_millis(250)));
    let started = tokio::time::Instant::now();
    let events = stream_events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(events.last().unwrap(), "data: [DONE]\n\n");
    assert!(started.elapsed() > timeouts.total, "{:?}", started.elapsed());
}
