//! An error that is ready before the request's body has come reaches also those who send everything before they read.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{TEST_TIMEOUT, World};

const MIB: usize = 1024 * 1024;

/// Sends a request with a body of this size, and only then reads the response's head.
async fn send_then_read(world: &World, socket: &mut TcpStream, path: &str, key: &str, size: usize) -> String {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nx-api-key: {key}\r\ncontent-length: {size}\r\n\r\n",
        world.address
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b' '; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let sent = left.min(chunk.len());
        socket.write_all(&chunk[..sent]).await.unwrap_or_else(|error| panic!("{path}, {left} left: {error}"));
        left -= sent;
    }
    let mut response = vec![0; 64 * 1024];
    let length = timeout(TEST_TIMEOUT, socket.read(&mut response)).await.expect("an answer").unwrap();
    response.truncate(length);
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn an_early_error_reaches_who_sends_everything_first() {
    let world = World::with_keys().await;
    for (path, key, size, status) in [
        ("/v1/messages", "wrong", 5 * MIB, 401),
        ("/v1/nothing", "caller", 5 * MIB, 404),
        ("/livez", "caller", 5 * MIB, 405),
        ("/v1/chat/completions", "caller", 40 * MIB, 413),
        ("/circuits/openai:m/open", "boss", 5 * MIB, 413),
    ] {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        let response = send_then_read(&world, &mut socket, path, key, size).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {response}");
    }
    assert_eq!(world.manager.memory_budget().used(), 0);
}

#[tokio::test]
async fn the_connection_serves_the_next_request() {
    let world = World::with_keys().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    for _ in 0..3 {
        let response = send_then_read(&world, &mut socket, "/v1/messages", "wrong", MIB).await;
        assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    }
}

#[tokio::test]
async fn who_waits_for_the_response_has_it_soon() {
    let world = World::with_keys().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\na part";
    let began = Instant::now();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    let _ = timeout(TEST_TIMEOUT, socket.read_to_string(&mut response)).await.expect("it closes");
    assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_never_ends_is_not_listened_to() {
    let world = World::with_keys().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 64 * 1024], b"\r\n".to_vec()].concat();
    let sending = async {
        let mut sent = 0;
        while socket.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    };
    let sent = timeout(TEST_TIMEOUT, sending).await.expect("it closes");
    assert!((60 * MIB..90 * MIB).contains(&sent), "{sent}");
}
