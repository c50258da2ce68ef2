//! Streamed responses through real HTTP.

use simulator::{Behaviour, Fault};

use crate::support::{World, header, read_until};

#[tokio::test]
async fn a_stream_arrives_complete_and_unbuffered() {
    let world = World::new().await;
    let response = world.chat("chat", true).send().await.unwrap();
    assert_eq!(response.status(), 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("x-switchboard-model", "openai:m"),
        ("x-switchboard-attempts", "1"),
    ] {
        assert_eq!(header(&response, name), Some(value), "{name}");
    }
    assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));

    let response = world.messages("messages", true).send().await.unwrap();
    assert!(header(&response, "request-id").is_some());
    let text = response.text().await.unwrap();
    assert!(text.starts_with("event: message_start\n") && text.contains("event: message_stop\n"), "{text}");
}

#[tokio::test]
async fn an_event_arrives_before_the_next_is_sent() {
    let world = World::new().await;
    // The role and two words; the third word is never sent.
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 3 }));
    let mut response = world.chat("chat", true).send().await.unwrap();
    read_until(&mut response, "from").await;
    assert_eq!(world.first.traffic().in_flight(), 1);
}

#[tokio::test]
async fn a_failed_stream_ends_with_an_error_and_the_connection_stays_open() {
    let world = World::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 4 }));
    let response = world.chat("chat", true).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(text.contains("stream_interrupted") && !text.contains("[DONE]"), "{text}");
    let response = world.messages("messages", true).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(text.contains("event: error\n") && !text.contains("message_stop"), "{text}");
}
