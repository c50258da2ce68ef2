//! The orderly end, with a gateway in this process; the program's own is in `switchboard`'s fleet tests.

use std::time::Duration;

use gateway::ShutdownMode;
use manager::StreamMode;
use serde_json::Value;
use simulator::{Behaviour, Fault};
use tokio::time::timeout;

use crate::support::{Setup, TEST_TIMEOUT, World, anthropic_error, header, openai_error, read_until};

#[tokio::test]
async fn calls_under_way_end_and_new_ones_are_refused() {
    let world = World::new().await;
    let slow = Behaviour::ok().words(12).gap(Duration::from_millis(400));
    world.first.script("m", slow.latency(Duration::from_millis(500)));
    let plain = tokio::spawn(world.chat("chat", false).send());
    let mut stream = world.messages("messages", true).send().await.unwrap();
    read_until(&mut stream, "Hello").await;
    assert_eq!(world.get("/readyz").send().await.unwrap().status(), 200);
    // Behind a load balancer, so that the listener is there as long as this test still calls.
    world.stop.send(ShutdownMode::WaitForLb).unwrap();

    let ready = async { while world.get("/readyz").send().await.unwrap().status() == 200 {} };
    timeout(TEST_TIMEOUT, ready).await.expect("readiness turns");
    for path in ["/readyz", "/health/readiness"] {
        let response = world.get(path).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &*response.text().await.unwrap()), (503, "stopping\n"));
    }
    assert_eq!(world.get("/livez").send().await.unwrap().status(), 200);
    let health: Value = world.get("/health").send().await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "stopping");

    let refused = world.chat("chat", false).send().await.unwrap();
    assert_eq!(header(&refused, "retry-after"), Some("1"));
    assert_eq!(header(&refused, "connection"), Some("close"));
    assert_eq!(header(&refused, "x-should-retry"), None, "another instance may answer");
    let (status, code, kind, _) = openai_error(refused).await;
    assert_eq!((status, code.as_str(), kind.as_str()), (503, "stopping", "server_error"));
    let refused = world.messages("messages", true).send().await.unwrap();
    let (status, code, ..) = anthropic_error(refused).await;
    assert_eq!((status, code.as_str()), (503, "stopping"));

    read_until(&mut stream, "message_stop").await;
    assert_eq!(plain.await.unwrap().unwrap().status(), 200);
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends soon").unwrap();
    assert_eq!(world.first.traffic().all_calls(), 2, "no refused call reached a provider");
    assert!(world.client.get(format!("http://{}/livez", world.address)).send().await.is_err());
}

#[tokio::test]
async fn what_has_not_ended_in_time_is_visibly_broken_off() {
    let world = World::with(Setup { shutdown_timeout: Duration::from_millis(300), ..Setup::default() }).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let mut chat = world.chat("chat", true).send().await.unwrap();
    let mut messages = world.messages("messages", true).send().await.unwrap();
    read_until(&mut chat, "Hello").await;
    read_until(&mut messages, "Hello").await;
    let plain = tokio::spawn(world.chat("chat", false).send());
    world.first.wait_until(|seen| seen.in_flight() == 3).await;
    world.stop.send(ShutdownMode::Immediate).unwrap();

    let rest = chat.text().await.expect("the body ends as HTTP wants it");
    assert!(rest.contains("\"stream_interrupted\"") && rest.contains("is stopping"), "{rest}");
    assert!(!rest.contains("[DONE]"), "{rest}");
    let rest = messages.text().await.unwrap();
    assert!(rest.contains("event: error\n") && !rest.contains("message_stop"), "{rest}");
    let (status, code, ..) = openai_error(plain.await.unwrap().unwrap()).await;
    assert_eq!((status, code.as_str()), (503, "stopping"));
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends").unwrap();
    timeout(TEST_TIMEOUT, world.first.wait_until(|seen| seen.in_flight() == 0))
        .await
        .expect("the providers' calls are stopped");
    assert_eq!(world.first.traffic().disconnected(), 3);
}

#[tokio::test]
async fn a_held_stream_that_got_nothing_is_told_to_come_again() {
    let setup = Setup {
        shutdown_timeout: Duration::from_millis(100),
        stream: StreamMode::Buffer,
        ..Setup::default()
    };
    let world = World::with(setup).await;
    world.first.script("m", Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    let held = world.chat("chat", true).send().await.unwrap();
    world.first.wait_until(|seen| seen.in_flight() == 1).await;
    world.stop.send(ShutdownMode::Immediate).unwrap();
    let text = held.text().await.unwrap();
    assert!(text.contains("\"stopping\"") && !text.contains("[DONE]") && !text.contains("Hello"), "{text}");
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn a_second_word_ends_it_at_once() {
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
