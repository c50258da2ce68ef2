//! Hedging: a model that stays silent gets the next one beside it, and the first to speak wins (`hedge_after`).

use std::time::Duration;

use manager::StreamMode;
use providers::Timeouts;
use simulator::{Behaviour, Fault};
use tokio::time::Instant;

use crate::support::{CHAT, Knobs, SOON, World, all, chat, events, said, whole};

const BRIEF: Duration = Duration::from_millis(60);

fn knobs() -> Knobs {
    Knobs { hedge_after: Some(BRIEF), ..Knobs::default() }
}

#[tokio::test]
async fn a_silent_model_gets_the_next_one_beside_it_and_is_not_blamed() {
    for (stream, silence) in [(true, Fault::Hang), (true, Fault::Silence { after: 1 }), (false, Fault::Hang)]
    {
        let world = World::with(knobs()).await;
        world.first.script("m", silence.clone());
        let reply = world.call(chat("chat", stream)).await.unwrap();
        assert_eq!((reply.answered_by.as_str(), reply.attempts), ("backup:m", 2), "{silence:?}");
        if stream {
            assert_eq!(said(&events(reply).await), "Hello from m.");
        } else {
            assert_eq!(whole(reply).0, 200);
        }
        world.first.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0).await;
        assert!(world.admits("openai:m").await, "{silence:?}: the slower one was blamed");
    }
}

#[tokio::test]
async fn the_first_model_wins_if_it_speaks_first_after_all() {
    let world = World::with(knobs()).await;
    world.first.script("m", Behaviour::ok().latency(BRIEF * 3));
    world.second.script("m", Fault::Hang);
    let reply = world.call(chat("chat", true)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("openai:m", 2));
    assert_eq!(said(&events(reply).await), "Hello from m.");
    world.second.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0).await;
    assert!(world.admits("backup:m").await);
}

#[tokio::test]
async fn a_model_that_speaks_in_time_is_left_alone() {
    let wait = Duration::from_secs(1);
    let world = World::with(Knobs { hedge_after: Some(wait), ..Knobs::default() }).await;
    world.first.script("m", Behaviour::ok().words(6).gap(wait / 4));
    let reply = world.call(chat("chat", true)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("openai:m", 1));
    assert_eq!(events(reply).await.last().unwrap(), "data: [DONE]\n\n");
    assert_eq!(world.calls(), (1, 0));
}

#[tokio::test]
async fn when_the_hedge_fails_the_first_one_is_still_waited_for() {
    let world = World::with(knobs()).await;
    world.first.script("m", Behaviour::ok().latency(BRIEF * 4));
    world.second.script("m", Fault::Reset);
    let reply = world.call(chat("chat", true)).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), "openai:m");
    world.refusal("backup:m").await;
}

/// C4: neither an open circuit nor a failure of the hedge costs another `hedge_after`.
#[tokio::test]
async fn when_the_hedge_does_not_answer_the_next_one_is_started_at_once() {
    let wait = Duration::from_secs(2);
    for is_open in [true, false] {
        let world = World::with(Knobs { hedge_after: Some(wait), ..Knobs::default() }).await;
        world.first.script("m", Fault::Hang);
        world.second.script("m", Fault::Reset);
        if is_open {
            let key = "backup:m".parse().unwrap();
            world.circuits.open(&key, None, None).await.unwrap();
        }
        let began = Instant::now();
        let reply = world.call(chat("three", true)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), "backup:last");
        assert!(began.elapsed() < wait * 19 / 10, "open: {is_open}, {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn all_silent_ends_with_total_and_all_are_blamed() {
    let timeouts = Timeouts { total: BRIEF * 5, ..Timeouts::default() };
    let world = World::with(Knobs { timeouts, ..knobs() }).await;
    for sim in [&world.first, &world.second] {
        sim.script("m", Fault::Hang);
    }
    let began = Instant::now();
    let error = world.call(chat("chat", true)).await.unwrap_err();
    assert_eq!((error.code(), error.status(), world.calls()), ("deadline_exceeded", 504, (1, 1)));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    for key in CHAT {
        world.refusal(key).await;
    }
}

#[tokio::test]
async fn a_held_stream_is_hedged_until_its_first_content() {
    let world = World::with(Knobs { stream: StreamMode::Hold, ..knobs() }).await;
    world.first.script("m", Fault::Hang);
    // Its first content stops the other; the cut behind that is mended by the one that was stopped.
    // The cut comes late enough for the first to have got well before it is asked again.
    let cut = Behaviour::ok().words(9).gap(Duration::from_millis(300)).with(Fault::Cut { after: 4 });
    world.second.script("m", simulator::Script::first(9, cut));
    let held = tokio::spawn(all(world.held(chat("chat", true)).await));
    world.first.until(|seen| seen.abandoned() == 1).await;
    world.first.script("m", Behaviour::ok());
    assert_eq!(said(&held.await.unwrap()), "Hello from m.");
}
