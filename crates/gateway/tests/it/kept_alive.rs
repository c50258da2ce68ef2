//! Connections between requests: they are kept, take little, and are closed in the end.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::support::{TEST_TIMEOUT, World};

const REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Reads one response to [`REQUEST`].
async fn read_response(socket: &mut TcpStream) {
    let mut response = Vec::new();
    while !response.ends_with(b"alive\n") {
        let read = timeout(TEST_TIMEOUT, socket.read_buf(&mut response)).await.expect("a response").unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&response));
    }
    assert!(response.starts_with(b"HTTP/1.1 200 "));
}

/// Waits for so long on a clock that need not be waited for.
async fn skip(time: Duration) {
    tokio::time::pause();
    sleep(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_connection_serves_on_after_a_rest() {
    let world = World::new().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    for pause in [0, 1, 20, 20, 60] {
        socket.write_all(REQUEST).await.unwrap();
        read_response(&mut socket).await;
        skip(Duration::from_secs(pause)).await;
    }
    // A head in pieces, and a request before the response to the one before it.
    let (begin, end) = REQUEST.split_at(20);
    socket.write_all(begin).await.unwrap();
    skip(Duration::from_secs(5)).await;
    socket.write_all(&[end, REQUEST, begin].concat()).await.unwrap();
    read_response(&mut socket).await;
    socket.write_all(end).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let world = World::new().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(REQUEST).await.unwrap();
    read_response(&mut socket).await;
    tokio::time::pause();
    let began = Instant::now();
    let read = timeout(Duration::from_secs(3600), socket.read_u8()).await.expect("it is closed");
    assert!(read.is_err());
    let waited = began.elapsed();
    assert!((Duration::from_secs(70)..Duration::from_secs(85)).contains(&waited), "{waited:?}");
}
