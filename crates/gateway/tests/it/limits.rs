//! A provider that sends without end costs bounded memory, counts as failed, and is replaced.

use std::time::Duration;

use manager::BufferLimit;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::support::{Setup, World, header};

const MAX_BYTES: usize = 256 * 1024;

/// A provider that sends keep-alives and never an event.
async fn keepalive_only_provider() -> (String, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let piece = format!(": {}\n\n", "still here ".repeat(1_000));
    let sending = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = socket.read(&mut request).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        while socket.write_all(piece.as_bytes()).await.is_ok() {
            sent += piece.len();
        }
        sent
    });
    (url, sending)
}

#[tokio::test]
async fn endless_keepalives_are_no_response() {
    let (url, provider) = keepalive_only_provider().await;
    let setup = Setup { first_url: Some(url), buffer_limit: BufferLimit(MAX_BYTES), ..Setup::default() };
    let world = World::with(setup).await;
    let response = world.chat("chat", true).send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("backup:m"));
    assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let sent = tokio::time::timeout(Duration::from_secs(30), provider).await.expect("it is aborted").unwrap();
    assert!(sent < MAX_BYTES + 16 * 1024 * 1024, "socket buffers add to the limit: {sent}");
    let too_large = "switchboard_attempts_total{model=\"openai:m\",outcome=\"too_large\"}";
    assert_eq!(world.metric(too_large).await, Some(1.0));
    world.manager.circuits().flush().await;
    let report = world.manager.circuits().report(&"openai:m".parse().unwrap()).unwrap();
    assert_eq!(report.state, breaker::State::Open, "it counts as a failure");
}
