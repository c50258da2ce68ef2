//! Clients that ask for more than their share: what they can make the gateway keep has an end (Q6), and what a provider
//! would choke on does not reach it.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use crate::support::{Setup, TEST_TIMEOUT, World, endless_sse, keys, openai_error};

/// Longer than any timeout; the paused clock of these tests skips it.
const LONGER_THAN_ANY_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends this, and reads until the connection ends.
async fn exchange(world: &World, sent: &[u8]) -> String {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    // It may be closed before all of it is read.
    let _ = socket.write_all(sent).await;
    let mut received = Vec::new();
    let _ = timeout(TEST_TIMEOUT, socket.read_to_end(&mut received)).await.expect("the connection ends");
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let world = World::new().await;
    let address = world.address;
    for head in [
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nhost: {address}\r\n"),
        format!("POST http://example.com/v1/chat/completions HTTP/1.1\r\nhost: {address}\r\n"),
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: gzip, chunked\r\n"
        ),
    ] {
        let body = if head.contains("chunked") { "0\r\n\r\n" } else { "" };
        let response = exchange(&world, format!("{head}\r\n{body}").as_bytes()).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{head}: {response}");
        assert!(response.contains("x-switchboard-error: invalid_request"), "{head}: {response}");
        assert!(response.contains("x-request-id: "), "{head}: {response}");
    }
    let good = format!("GET http://{address}/livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    assert!(exchange(&world, good.as_bytes()).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_asked_for() {
    let world = World::new().await;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n";
    let response = exchange(&world, format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    assert!(response.contains("connection: close") && response.contains("request_too_large"), "{response}");
}

#[tokio::test]
async fn a_head_is_bounded() {
    let world = World::new().await;
    let of_size = |bytes: usize| {
        let head = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: ";
        format!("{head}{}\r\n\r\n", "x".repeat(bytes - head.len() - 4))
    };
    assert!(exchange(&world, of_size(63 * 1024).as_bytes()).await.starts_with("HTTP/1.1 200 "));
    assert!(exchange(&world, of_size(65 * 1024).as_bytes()).await.starts_with("HTTP/1.1 431 "));

    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    while world.metric("switchboard_connections").await < Some(2.0) {}
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let end = timeout(LONGER_THAN_ANY_TIMEOUT, socket.read_u8()).await.expect("it is not waited for");
    assert!(end.is_err() && began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    tokio::time::resume();
    let closed = "switchboard_connections_closed_total{reason=\"head_timeout\"}";
    assert_eq!(world.metric(closed).await, Some(1.0));
}

#[tokio::test]
async fn what_no_provider_can_read_reaches_none() {
    let world = World::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = |content: &[u8]| {
        let parts: [&[u8]; 3] =
            [br#"{"model":"chat","messages":[{"role":"user","content":"#, content, b"}],\"contents\":[]}"];
        parts.concat()
    };
    for (body, words) in [(body(b"\"\xff\xfe\""), "UTF-8"), (body(deep.as_bytes()), "nested")] {
        let response = world.post("/v1/chat/completions").body(body.clone()).send().await.unwrap();
        let (status, code, _, message) = openai_error(response).await;
        assert_eq!((status, code.as_str()), (400, "invalid_request"));
        assert!(message.contains(words), "{message}");
        for (path, shape) in [
            ("/v1/messages", json!({ "type": "error" })),
            ("/v1beta/models/m:generateContent", json!({ "error": { "code": 400 } })),
        ] {
            let response = world.post(path).body(body.clone()).send().await.unwrap();
            assert_eq!(response.status(), 400, "{path}");
            let error: serde_json::Value = response.json().await.unwrap();
            match shape["type"].as_str() {
                Some(kind) => assert_eq!(error["type"], kind, "{path}"),
                None => assert_eq!(error["error"]["code"], shape["error"]["code"], "{path}"),
            }
        }
    }
    assert_eq!(world.first.traffic().all_calls() + world.second.traffic().all_calls(), 0);
    assert!(world.manager.circuits().reports().is_empty(), "no circuit hears of it");
}

/// A provider that streams for as long as anybody takes it. It returns how much that was.
async fn endless_provider() -> (String, JoinHandle<usize>) {
    let content = "word ".repeat(2_000);
    endless_sse(format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n"
    ))
    .await
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_stream_has_left() {
    let (url, provider) = endless_provider().await;
    let world = World::with(Setup { first_url: Some(url), ..Setup::default() }).await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let body = json!({ "model": "chat", "messages": [], "stream": true }).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    socket.readable().await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let sent = timeout(LONGER_THAN_ANY_TIMEOUT, provider).await.expect("its provider is let go").unwrap();
    let waited = began.elapsed();
    tokio::time::resume();
    assert!((Duration::from_secs(55)..Duration::from_secs(75)).contains(&waited), "{waited:?}");
    assert!(sent < 32 * 1024 * 1024, "the kernel's buffers are full by then: {sent}");
    let closed = "switchboard_connections_closed_total{reason=\"write_timeout\"}";
    assert_eq!(world.metric(closed).await, Some(1.0));
    let outcome = "switchboard_calls_total{route=\"chat\",outcome=\"client_disconnected\",caller=\"\"}";
    assert_eq!(world.metric(outcome).await, Some(1.0));
    drop(socket);
}

#[tokio::test]
async fn beyond_the_budget_a_body_has_to_wait() {
    let world = World::with(Setup { memory_budget: Some(300 * 1024), ..Setup::default() }).await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 260000\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&[b' '; 250_000]).await.unwrap();
    while world.metric("switchboard_request_memory_bytes").await < Some(200_000.0) {}

    let prompt = "x".repeat(250_000);
    let call = || {
        let messages = json!([{ "role": "user", "content": prompt }]);
        world.post("/v1/chat/completions").json(&json!({ "model": "chat", "messages": messages }))
    };
    let response = call().send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    let (status, code, _, _) = openai_error(response).await;
    assert_eq!((status, code.as_str()), (503, "overloaded"));
    assert_eq!(world.chat("chat", false).send().await.unwrap().status(), 200, "small ones go on");
    drop(socket);
    while world.metric("switchboard_request_memory_bytes").await != Some(0.0) {}
    assert_eq!(call().send().await.unwrap().status(), 200);
    world.wait_until_idle().await;
    while world.metric("switchboard_request_memory_bytes").await != Some(0.0) {}
}

/// Begins a call with the key `caller`. Returns the begin of the answer: 100, since its body is waited for, or 503.
async fn begin_call(world: &World) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    socket.write_all(b"authorization: Bearer caller\r\nexpect: 100-continue\r\n").await.unwrap();
    socket.write_all(b"content-length: 999\r\n\r\n").await.unwrap();
    let mut received = vec![0; 12];
    timeout(TEST_TIMEOUT, socket.read_exact(&mut received)).await.unwrap().unwrap();
    (socket, String::from_utf8(received).unwrap())
}

#[tokio::test]
async fn when_all_are_busy_a_new_connection_is_told_so() {
    let keys = keys(&["caller"]);
    let world = World::with(Setup { keys, max_connections: Some(2), ..Setup::default() }).await;
    // Strangers have no say.
    let mut strangers = Vec::new();
    for _ in 0..5 {
        strangers.push(TcpStream::connect(world.address).await.unwrap());
    }
    let (first, answer) = begin_call(&world).await;
    assert_eq!(answer, "HTTP/1.1 100");
    let (_second, answer) = begin_call(&world).await;
    assert_eq!(answer, "HTTP/1.1 100");
    let (_third, answer) = begin_call(&world).await;
    assert_eq!(answer, "HTTP/1.1 503");
    drop(first);
    timeout(TEST_TIMEOUT, async { while begin_call(&world).await.1 != "HTTP/1.1 100" {} })
        .await
        .expect("there is room");
}

#[tokio::test]
async fn who_has_no_key_keeps_no_connection_from_a_caller() {
    let head = "HTTP/1.1\r\nhost: localhost\r\n";
    for (what, sent) in [
        ("a body that nobody wants", format!("POST /v1/messages {head}content-length: 999\r\n\r\n")),
        ("responses that are not read", format!("GET /metrics {head}\r\n").repeat(4_000)),
        ("no HTTP", "\u{16}\u{3}\u{1}".to_owned()),
    ] {
        let keys = keys(&["caller"]);
        let world = World::with(Setup { keys, max_connections: Some(2), ..Setup::default() }).await;
        let mut strangers = Vec::new();
        for _ in 0..2 {
            let mut socket = TcpStream::connect(world.address).await.unwrap();
            // Not all of it is taken.
            let _ = timeout(Duration::from_millis(100), socket.write_all(sent.as_bytes())).await;
            strangers.push(socket);
        }
        let (_socket, answer) = begin_call(&world).await;
        assert_eq!(answer, "HTTP/1.1 100", "{what}");
    }
}

#[tokio::test]
async fn a_caller_that_waits_for_no_model_keeps_no_connection_from_another() {
    let head = "HTTP/1.1\r\nhost: localhost\r\nx-api-key: other\r\n\r\n";
    for (what, rest) in [
        ("responses that are not read", format!("GET /metrics {head}").repeat(4_000)),
        ("errors that are not read", format!("POST /v1/messages {head}").repeat(20_000)),
        ("events of circuits", format!("GET /circuits/events {head}")),
        (
            "half a body",
            format!("POST /circuits/openai:m/permits {head}")
                .replace("\r\n\r\n", "\r\ncontent-length: 9\r\n\r\n"),
        ),
    ] {
        let keys = keys(&["caller", "other"]);
        let world = World::with(Setup { keys, max_connections: Some(2), ..Setup::default() }).await;
        let mut others = Vec::new();
        for _ in 0..2 {
            let mut socket = TcpStream::connect(world.address).await.unwrap();
            socket.write_all(format!("GET /v1/models {head}").as_bytes()).await.unwrap();
            let mut received = vec![0; 12];
            timeout(TEST_TIMEOUT, socket.read_exact(&mut received)).await.unwrap().unwrap();
            // Not all of it is taken.
            let _ = timeout(Duration::from_millis(500), socket.write_all(rest.as_bytes())).await;
            others.push(socket);
        }
        // Less than the time that any of this has.
        timeout(TEST_TIMEOUT, async { while begin_call(&world).await.1 != "HTTP/1.1 100" {} })
            .await
            .unwrap_or_else(|_| panic!("{what}: there is no room"));
    }
}
