//! A client that sends the head of a request and then nothing.

use std::time::Duration;

use gateway::ShutdownMode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{TEST_TIMEOUT, World};

const CHAT_PATH: &str = "/v1/chat/completions";

/// Longer than any timeout; the paused clock of these tests skips it.
const LONGER_THAN_ANY_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends a head and the start of a body, and returns once the gateway waits for more.
async fn send_partial_request(world: &World, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999\r\n");
    socket.write_all(format!("{head}expect: 100-continue\r\n\r\n{{\"model\":").as_bytes()).await.unwrap();
    // The gateway sends it when it starts to read the body.
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut received = vec![0; expected.len()];
    timeout(TEST_TIMEOUT, socket.read_exact(&mut received)).await.expect("the body is waited for").unwrap();
    assert_eq!(received, expected);
    socket
}

/// The response, up to the end of the connection.
async fn read_response(socket: &mut TcpStream) -> String {
    let mut response = String::new();
    socket.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn a_stalled_body_times_out() {
    for (path, kind) in [
        (CHAT_PATH, r#""type":"invalid_request_error""#),
        ("/v1/messages", r#""type":"timeout_error""#),
        ("/circuits/openai:m/permits", r#""type":"invalid_request_error""#),
    ] {
        let world = World::new().await;
        let mut socket = send_partial_request(&world, path).await;
        tokio::time::pause();
        let response =
            timeout(LONGER_THAN_ANY_TIMEOUT, read_response(&mut socket)).await.expect("it gets a response");
        tokio::time::resume();
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
        assert!(response.contains("\r\nx-switchboard-error: request_timeout\r\n"), "{response}");
        assert!(
            response.contains(kind) && response.contains("timed out reading the request body"),
            "{response}"
        );
        assert_eq!(world.first.traffic().all_calls(), 0);
        assert!(world.manager.circuits().reports().is_empty(), "it counts on no circuit");
    }
}

#[tokio::test]
async fn a_stalled_body_does_not_delay_the_shutdown() {
    let world = World::new().await;
    let (mut call, mut operation) = (
        send_partial_request(&world, CHAT_PATH).await,
        send_partial_request(&world, "/circuits/openai:m/open").await,
    );
    world.stop.send(ShutdownMode::Immediate).unwrap();
    timeout(TEST_TIMEOUT, world.server).await.expect("it ends long before the shutdown timeout").unwrap();
    for socket in [&mut call, &mut operation] {
        let response = read_response(socket).await;
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("\r\nx-switchboard-error: shutting_down\r\n"), "{response}");
    }
}
