//! Streams: until their first content, after it, and to their end (C1, C3).

use std::time::Duration;

use breaker::{Failure, Policy, State};
use futures_util::StreamExt;
use manager::Body;
use providers::Timeouts;
use simulator::{Behaviour, Fault, ProviderError};

use crate::support::{Knobs, SOON, World, chat, events, messages, said};

#[tokio::test]
async fn a_good_stream_is_passed_on_whole() {
    let world = World::new().await;
    let events = events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(said(&events), "Hello from m.");
    assert_eq!(events.last().unwrap(), "data: [DONE]\n\n");
    assert!(events[0].contains("\"role\""), "{events:?}");

    let events = crate::support::events(world.call(messages("messages", true)).await.unwrap()).await;
    assert!(events[0].starts_with("event: message_start\n"), "{events:?}");
    assert!(events.last().unwrap().starts_with("event: message_stop\n"), "{events:?}");
    assert!(world.admits("openai:m").await && world.admits("anthropic:m").await);
}

#[tokio::test]
async fn before_the_first_content_the_next_model_takes_it_up_unseen() {
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
    let timeouts = Timeouts { idle: Duration::from_millis(500), ..Knobs::default().timeouts };
    for (fault, dialect) in faults(1)
        .into_iter()
        .map(|fault| (fault, "chat"))
        .chain(faults(2).into_iter().map(|fault| (fault, "messages")))
    {
        let world = World::with(Knobs { timeouts, ..Knobs::default() }).await;
        world.first.script("m", fault.clone());
        world.second.script("m", Behaviour::ok().words(4));
        let (call, key) = match dialect {
            "chat" => (chat("chat", true), "openai:m"),
            _ => (messages("messages", true), "anthropic:m"),
        };
        let reply = world.call(call).await.unwrap();
        assert_ne!(reply.answered_by.as_str(), key, "{fault:?} {dialect}");
        let all = events(reply).await.concat();
        let begins = all.matches(if dialect == "chat" { "\"role\"" } else { "event: message_start" }).count();
        assert_eq!(begins, 1, "{fault:?} {dialect}: {all}");
        assert!(!all.contains("\"error\""), "{fault:?} {dialect}: {all}");
        world.refusal(key).await;
    }
}

#[tokio::test]
async fn after_the_first_content_a_failure_is_told_and_counts() {
    let timeouts = Timeouts { idle: Duration::from_millis(500), ..Knobs::default().timeouts };
    for fault in [
        Fault::Cut { after: 3 },
        Fault::End { after: 3 },
        Fault::Garbage { after: 3 },
        Fault::Silence { after: 3 },
        Fault::ErrorEvent { after: 3, error: ProviderError::overloaded() },
    ] {
        let world = World::with(Knobs { timeouts, ..Knobs::default() }).await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        let reply = world.call(chat("chat", true)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), "openai:m", "{fault:?}");
        let events = events(reply).await;
        let last = events.last().unwrap();
        assert!(
            last.starts_with("data: {\"error\":") && last.contains("stream_interrupted"),
            "{fault:?}: {last}"
        );
        assert!(last.contains("openai:m"), "{fault:?}: {last}");
        assert!(!events.concat().contains("[DONE]"), "{fault:?}: {events:?}");
        world.refusal("openai:m").await;
        assert_eq!(world.second.seen().calls("m"), 0, "{fault:?}: the second model was called");
    }
}

#[tokio::test]
async fn an_anthropic_stream_that_fails_ends_with_its_error_event() {
    let world = World::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 5 }));
    let events = events(world.call(messages("messages", true)).await.unwrap()).await;
    let last = events.last().unwrap();
    assert!(last.starts_with("event: error\n") && last.contains("\"type\":\"error\""), "{last}");
    assert!(!events.concat().contains("message_stop"), "{events:?}");
    world.refusal("anthropic:m").await;
}

#[tokio::test]
async fn a_refusal_after_the_first_content_is_told_in_the_providers_words_and_counts_not() {
    let world = World::new().await;
    world.first.script("m", Fault::ErrorEvent { after: 3, error: ProviderError::content_policy() });
    let events = events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(said(&events), "Hello from");
    assert!(events.last().unwrap().contains("\"content_filter\""), "{events:?}");
    assert!(world.admits("openai:m").await);
}

#[tokio::test]
async fn a_missing_end_marker_alone_is_mended() {
    let world = World::new().await;
    world.first.script("m", Fault::NoDone);
    let events = events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(events.last().unwrap().trim_end(), "data: [DONE]");
    assert_eq!(events.concat().matches("[DONE]").count(), 1);
    assert!(world.admits("openai:m").await);
}

#[tokio::test]
async fn events_are_passed_on_as_they_come() {
    let world = World::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 3 }));
    let reply = world.call(chat("chat", true)).await.unwrap();
    let Body::Stream { mut events, .. } = reply.body else { panic!("no stream") };
    for _ in 0..3 {
        let event = tokio::time::timeout(SOON, events.next()).await.expect("before the next one was sent");
        assert!(event.is_some());
    }
    drop(events);
    world.first.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0).await;
    assert!(world.admits("openai:m").await, "a client that leaves is no failure");
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_stops_the_providers_call() {
    for stream in [false, true] {
        let world = World::new().await;
        world.first.script("m", Fault::Hang);
        let manager = std::sync::Arc::clone(&world.manager);
        let call = tokio::spawn(async move { manager.call(chat("chat", stream)).await });
        world.first.until(|seen| seen.in_flight() == 1).await;
        call.abort();
        world.first.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0).await;
        assert!(world.admits("openai:m").await, "a client that leaves is no failure");
    }
}

#[tokio::test]
async fn a_probe_has_its_verdict_at_first_content_and_a_later_cut_counts() {
    let brief = Duration::from_millis(1);
    let policy = Policy { open_duration: brief, ..Knobs::default().policy };
    let world = World::with(Knobs { policy, ..Knobs::default() }).await;
    let key = "openai:m".parse().unwrap();
    world.circuits.admit(&key).await.unwrap().failed(Failure::status(503));
    world.circuits.quiet(&key).await;
    tokio::time::sleep(brief * 5).await;
    let (go, wait) = (Behaviour::ok().words(9), Duration::from_millis(500));
    world.first.script("m", go.gap(wait).with(Fault::Cut { after: 4 }));
    let reply = world.call(chat("openai:m", true)).await.unwrap();
    assert!(world.admits("openai:m").await, "the first content closed it");
    assert!(events(reply).await.concat().contains("stream_interrupted"));
    world.circuits.quiet(&key).await;
    let report = &world.circuits.reports()[0];
    assert_eq!((report.state == State::Closed, report.trips), (false, 2), "{report:?}");
}

#[tokio::test]
async fn a_stream_that_has_spoken_may_outlast_total() {
    let timeouts = Timeouts { total: Duration::from_secs(1), ..Timeouts::default() };
    let world = World::with(Knobs { timeouts, ..Knobs::default() }).await;
    world.first.script("m", Behaviour::ok().words(6).gap(Duration::from_millis(250)));
    let began = tokio::time::Instant::now();
    let events = events(world.call(chat("chat", true)).await.unwrap()).await;
    assert_eq!(events.last().unwrap(), "data: [DONE]\n\n");
    assert!(began.elapsed() > timeouts.total, "{:?}", began.elapsed());
}
