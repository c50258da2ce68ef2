//! Held streams: a cut or a stall after the first content is mended by the next model, unseen (`stream = "buffer"`).

use std::time::Duration;

use futures_util::StreamExt;
use manager::{LargestHeld, StreamMode};
use providers::Timeouts;
use simulator::{Behaviour, Fault, ProviderError, Script};
use tokio::time::Instant;

use crate::support::{Knobs, SOON, World, all, chat, messages, patient, said};

fn knobs() -> Knobs {
    Knobs { stream: StreamMode::Hold, ..Knobs::default() }
}

/// What a fault in the middle of a stream looks like.
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
async fn a_stream_that_fails_after_content_is_mended_by_the_next_model_unseen() {
    let timeouts = Timeouts { idle: Duration::from_millis(500), ..Knobs::default().timeouts };
    for fault in faults() {
        let world = World::with(Knobs { timeouts, ..knobs() }).await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        world.second.script("m", Behaviour::ok().words(4));
        let events = all(world.held(chat("chat", true)).await).await;
        let text = events.concat();
        assert!(!text.contains("\"error\""), "{fault:?}: {text}");
        assert_eq!(text.matches("\"role\"").count(), 1, "{fault:?}: {text}");
        assert_eq!(events.last().unwrap(), "data: [DONE]\n\n", "{fault:?}");
        assert_eq!(world.second.seen().calls("m"), 1, "{fault:?}");
        world.refusal("openai:m").await;

        let world = World::with(Knobs { timeouts, ..knobs() }).await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        let text = all(world.held(messages("messages", true)).await).await.concat();
        assert_eq!(text.matches("event: message_start").count(), 1, "{fault:?}: {text}");
        assert_eq!(text.matches("event: message_stop").count(), 1, "{fault:?}: {text}");
        assert!(!text.contains("event: error"), "{fault:?}: {text}");
    }
}

#[tokio::test]
async fn a_cut_stream_is_tried_again_on_the_same_model_first() {
    let world = World::with(Knobs { policy: patient(), ..knobs() }).await;
    world.first.script("m", Script::first(1, Behaviour::ok().words(9).with(Fault::Cut { after: 4 })));
    let events = all(world.held(chat("chat", true)).await).await;
    assert_eq!(said(&events), "Hello from m.");
    assert_eq!(world.calls(), (2, 0));
}

#[tokio::test]
async fn nothing_is_told_before_all_is_here() {
    let world = World::with(knobs()).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let mut events = world.held(chat("chat", true)).await;
    let first = tokio::spawn(async move { (events.next().await, events) });
    world.first.until(|seen| seen.in_flight() == 1).await;
    first.abort();
    world.first.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0).await;
    assert!(world.admits("openai:m").await, "a client that leaves is no failure");
}

#[tokio::test]
async fn what_cannot_be_mended_comes_as_an_event() {
    let world = World::with(Knobs { policy: patient(), ..knobs() }).await;
    for sim in [&world.first, &world.second] {
        sim.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 4 }));
    }
    let events = all(world.held(chat("chat", true)).await).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.starts_with("data: {\"error\":") && event.contains("attempts_exhausted"), "{event}");
    assert!(event.contains("openai:m") && event.contains("backup:m"), "{event}");

    world.first.script("m", ProviderError::content_policy());
    let events = all(world.held(chat("chat", true)).await).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.starts_with("data: {\"error\":") && event.contains("content_filter"), "{event}");

    world.first.script("m", ProviderError::content_policy());
    let events = all(world.held(messages("messages", true)).await).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert!(event.starts_with("event: error\ndata: {\"type\":\"error\""), "{event}");
}

#[tokio::test]
async fn the_caller_hears_signs_of_life_meanwhile() {
    let timeouts = Timeouts { total: SOON * 2, ..Timeouts::default() };
    let world = World::with(Knobs { timeouts, ..knobs() }).await;
    // Longer than one sign of life, and no more.
    world.first.script("m", Behaviour::ok().latency(Duration::from_millis(5_300)));
    let (openai, anthropic) =
        tokio::join!(async { all(world.held(chat("chat", true)).await).await }, async {
            all(world.held(messages("messages", true)).await).await
        },);
    assert!(openai[0].starts_with(": "), "{openai:?}");
    assert_eq!(openai.iter().filter(|event| event.starts_with(": ")).count(), 1);
    assert!(anthropic[0].starts_with("event: ping\n"), "{anthropic:?}");
    assert_eq!(said(&openai), "Hello from m.");
}

#[tokio::test]
async fn a_stream_that_drips_for_ever_ends_with_total() {
    let timeouts = Timeouts::default();
    let world = World::with(Knobs { timeouts, ..knobs() }).await;
    let gap = timeouts.idle / 6;
    world.first.script("m", Behaviour::ok().words(1_000).gap(gap));
    let events = tokio::spawn(world.held(chat("chat", true)).await.collect::<Vec<_>>());
    world.first.until(|seen| seen.in_flight() == 1).await;
    tokio::time::pause();
    let began = Instant::now();
    let events = tokio::time::timeout(timeouts.total * 2, events).await.expect("it ends with total").unwrap();
    assert!(began.elapsed() <= timeouts.total, "{:?}", began.elapsed());
    tokio::time::resume();
    let (last, signs) = events.split_last().unwrap();
    let last = std::str::from_utf8(last).unwrap();
    assert!(last.starts_with("data: {\"error\":") && last.contains("deadline_exceeded"), "{last}");
    assert!(last.contains("timeouts.total"), "{last}");
    assert!(signs.iter().all(|event| event.starts_with(b": ")), "nobody sees a part of it");
    assert_eq!(world.calls(), (1, 0));
    assert!(!world.admits("openai:m").await, "it had all the time there was");
}

#[tokio::test]
async fn an_answer_too_large_to_be_held_is_relayed_from_there_on() {
    let world = World::with(Knobs { largest_held: LargestHeld(2_000), ..knobs() }).await;
    world.first.script("m", Behaviour::ok().words(99).with(Fault::Silence { after: 50 }));
    let mut events = world.held(chat("chat", true)).await;
    for _ in 0..50 {
        tokio::time::timeout(SOON, events.next()).await.expect("relayed as it comes").unwrap();
    }
    drop(events);
    world.first.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0).await;
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_held_stream_is_told_in_the_providers_words() {
    let world = World::with(knobs()).await;
    let refused = Fault::ErrorEvent { after: 3, error: ProviderError::content_policy() };
    world.first.script("m", refused);
    let events = all(world.held(chat("chat", true)).await).await;
    assert_eq!(events.len(), 1, "nobody sees what came before: {events:?}");
    assert!(events[0].contains("\"content_filter\""), "{events:?}");
    assert_eq!(world.calls(), (1, 0));
    assert!(world.admits("openai:m").await, "a request that is refused is no failure");
}
