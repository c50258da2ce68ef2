//! Streamed answers through real HTTP.

use std::time::Duration;

use reqwest::Response;
use simulator::{Behaviour, Fault};

use crate::support::{SOON, World, header};

/// Reads until `text` has come.
async fn read_until(response: &mut Response, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let chunk = tokio::time::timeout(SOON, response.chunk()).await.expect("more comes soon").unwrap();
        read.push_str(std::str::from_utf8(&chunk.unwrap_or_else(|| panic!("ended after {read}"))).unwrap());
    }
    read
}

#[tokio::test]
async fn a_stream_comes_whole_and_unbuffered() {
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
    assert_eq!(world.first.seen().in_flight(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_providers_call() {
    for fault in [Fault::Silence { after: 3 }, Fault::Hang] {
        let world = World::new().await;
        world.first.script("m", Behaviour::ok().words(9).with(fault.clone()));
        let call = world.chat("chat", true).send();
        let client = tokio::spawn(async move {
            let response = call.await;
            std::future::pending::<()>().await;
            drop(response);
        });
        world.first.until(|seen| seen.in_flight() == 1).await;
        client.abort();
        let stopped = world.first.until(|seen| seen.abandoned() == 1 && seen.in_flight() == 0);
        tokio::time::timeout(SOON, stopped).await.unwrap_or_else(|_| panic!("{fault:?}: the call goes on"));
    }
}

#[tokio::test]
async fn a_stream_that_fails_says_so_and_the_connection_lives() {
    let world = World::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 4 }));
    let response = world.chat("chat", true).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(text.contains("stream_interrupted") && !text.contains("[DONE]"), "{text}");
    let response = world.messages("messages", true).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(text.contains("event: error\n") && !text.contains("message_stop"), "{text}");
}

#[tokio::test]
async fn the_orderly_end_lets_streams_finish() {
    let world = World::new().await;
    world.first.script("m", Behaviour::ok().words(6).gap(Duration::from_millis(30)));
    let mut response = world.chat("chat", true).send().await.unwrap();
    read_until(&mut response, "Hello").await;
    world.stop.send(()).unwrap();
    read_until(&mut response, "[DONE]").await;
    tokio::time::timeout(SOON, world.served).await.expect("it ends soon").unwrap();
    assert!(
        world.client.get(format!("http://{}/livez", world.address)).send().await.is_err(),
        "nobody listens"
    );
}
