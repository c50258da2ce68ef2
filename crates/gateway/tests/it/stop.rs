//! Graceful shutdown, with a gateway in this process; the fleet tests of `switchboard` cover the program.

use std::time::Duration;

use gateway::ShutdownMode;
use manager::StreamMode;
use serde_json::Value;
use simulator::{Behaviour, Fault};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use crate::support::{Setup, TEST_TIMEOUT, World, anthropic_error, header, openai_error, read_until};

#[tokio::test]
async fn calls_in_flight_drain_and_new_ones_are_rejected() {
    let world = World::new().await;
    let slow = Behaviour::ok().words(12).gap(Duration::from_millis(400));
    world.first.script("m", slow.latency(Duration::from_millis(500)));
    let plain = tokio::spawn(world.chat("chat", false).send());
    let mut stream = world.messages("messages", true).send().await.unwrap();
    read_until(&mut stream, "Hello").await;
    assert_eq!(world.get("/readyz").send().await.unwrap().status(), 200);
    // As behind a load balancer, so that the listener stays open while this test still calls.
    world.stop.send(ShutdownMode::WaitForLb).unwrap();

    let ready = async { while world.get("/readyz").send().await.unwrap().status() == 200 {} };
    timeout(TEST_TIMEOUT, ready).await.expect("readiness fails");
    for path in ["/readyz", "/health/readiness"] {
        let response = world.get(path).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &*response.text().await.unwrap()), (503, "shutting_down\n"));
    }
    assert_eq!(world.get("/livez").send().await.unwrap().status(), 200);
    let health: Value = world.get("/health").send().await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "shutting_down");

    let rejected = world.chat("chat", false).send().await.unwrap();
    assert_eq!(header(&rejected, "retry-after"), Some("1"));
    assert_eq!(header(&rejected, "connection"), Some("close"));
    assert_eq!(header(&rejected, "x-should-retry"), None, "another instance may respond");
    let (status, code, kind, _) = openai_error(rejected).await;
    assert_eq!((status, code.as_str(), kind.as_str()), (503, "shutting_down", "server_error"));
    let rejected = world.messages("messages", true).send().await.unwrap();
    let (status, code, ..) = anthropic_error(rejected).await;
    assert_eq!((status, code.as_str()), (503, "shutting_down"));

    read_until(&mut stream, "message_stop").await;
    assert_eq!(plain.await.unwrap().unwrap().status(), 200);
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends soon").unwrap();
    assert_eq!(world.first.traffic().all_calls(), 2, "no rejected call reached a provider");
    assert!(world.client.get(format!("http://{}/livez", world.address)).send().await.is_err());
}

#[tokio::test]
async fn what_has_not_ended_in_time_is_aborted_with_an_error() {
    let world = World::with(Setup { shutdown_timeout: Duration::from_millis(300), ..Setup::default() }).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let mut chat = world.chat("chat", true).send().await.unwrap();
    let mut messages = world.messages("messages", true).send().await.unwrap();
    read_until(&mut chat, "Hello").await;
    read_until(&mut messages, "Hello").await;
    let plain = tokio::spawn(world.chat("chat", false).send());
    world.first.wait_until(|seen| seen.in_flight() == 3).await;
    world.stop.send(ShutdownMode::Immediate).unwrap();

    let tail = chat.text().await.expect("the body ends as HTTP wants it");
    assert!(tail.contains("\"stream_interrupted\"") && tail.contains("is shutting down"), "{tail}");
    assert!(!tail.contains("[DONE]"), "{tail}");
    let tail = messages.text().await.unwrap();
    assert!(tail.contains("event: error\n") && !tail.contains("message_stop"), "{tail}");
    let (status, code, ..) = openai_error(plain.await.unwrap().unwrap()).await;
    assert_eq!((status, code.as_str()), (503, "shutting_down"));
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends").unwrap();
    timeout(TEST_TIMEOUT, world.first.wait_until(|seen| seen.in_flight() == 0))
        .await
        .expect("the attempts are cancelled");
    assert_eq!(world.first.traffic().disconnected(), 3);
}

#[tokio::test]
async fn a_buffered_stream_without_a_response_gets_a_retryable_error() {
    let setup = Setup {
        shutdown_timeout: Duration::from_millis(100),
        stream: StreamMode::Buffer,
        ..Setup::default()
    };
    let world = World::with(setup).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let buffered = world.chat("chat", true).send().await.unwrap();
    world.first.wait_until(|seen| seen.in_flight() == 1).await;
    world.stop.send(ShutdownMode::Immediate).unwrap();
    let text = buffered.text().await.unwrap();
    assert!(
        text.contains("\"shutting_down\"") && !text.contains("[DONE]") && !text.contains("Hello"),
        "{text}"
    );
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_second_request_aborts_immediately() {
    let world = World::new().await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let mut stream = world.chat("chat", true).send().await.unwrap();
    read_until(&mut stream, "Hello").await;
    for _ in 0..2 {
        world.stop.send(ShutdownMode::WaitForLb).unwrap();
    }
    assert!(stream.text().await.unwrap().contains("\"stream_interrupted\""));
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn who_has_no_key_and_takes_no_response_holds_it_up_for_a_moment_only() {
    let world = World::with_keys().await;
    let mut stranger = TcpStream::connect(world.address).await.unwrap();
    let requests = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200_000);
    // Not all of it is taken, since the responses are not.
    timeout(Duration::from_secs(2), stranger.write_all(requests.as_bytes())).await.unwrap_err();
    world.stop.send(ShutdownMode::Immediate).unwrap();
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends soon").unwrap();
}
