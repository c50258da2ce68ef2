//! Connections that the provider closes between two calls (C1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use providers::{Provider, ProviderErrorKind, ProviderKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::setup::{open, plain, provider, read_all};

const BODY: &str = r#"{"choices":[{"message":{"content":"Hi"}}]}"#;

/// How a server treats its connections.
#[derive(Clone, Copy)]
struct Closing {
    /// It closes a connection after so many responses, without announcing it.
    responses: usize,
    /// It closes a connection that was idle for so long.
    idle: Duration,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    responses: AtomicUsize,
}

async fn serve(closing: Closing) -> (Provider, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let counts = Arc::<Counts>::default();
    let counted = Arc::clone(&counts);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            counted.connections.fetch_add(1, SeqCst);
            tokio::spawn(serve_connection(socket, closing, Arc::clone(&counted)));
        }
    });
    (provider(ProviderKind::OpenAi, &format!("http://{address}/v1")), counts)
}

async fn serve_connection(mut socket: TcpStream, closing: Closing, counts: Arc<Counts>) {
    for _ in 0..closing.responses {
        let request = timeout(closing.idle, read_request(&mut socket)).await;
        if !matches!(request, Ok(Some(()))) {
            return;
        }
        counts.responses.fetch_add(1, SeqCst);
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
        socket.write_all(response.as_bytes()).await.unwrap();
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"}]}") {
        if socket.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}

const FOREVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_connection_is_kept() {
    let (provider, counts) = serve(Closing { responses: 99, idle: FOREVER }).await;
    for _ in 0..20 {
        plain(&provider).await.unwrap();
    }
    assert_eq!(counts.connections.load(SeqCst), 1);
}

#[tokio::test]
async fn one_response_a_connection_fails_no_call() {
    let (provider, counts) = serve(Closing { responses: 1, idle: FOREVER }).await;
    for _ in 0..200 {
        plain(&provider).await.unwrap();
    }
    let calls = tokio::join!(plain(&provider), plain(&provider), plain(&provider));
    assert!(calls.0.is_ok() && calls.1.is_ok() && calls.2.is_ok());
    assert_eq!(counts.responses.load(SeqCst), 203, "each was answered once");
}

/// The calls come just when the server closes: some before, some after, some meanwhile.
async fn calls_around(idle: Duration, calls: u32) {
    let (provider, counts) = serve(Closing { responses: usize::MAX, idle }).await;
    plain(&provider).await.unwrap();
    for number in 1..calls {
        // From 5 ms before to 5 ms after.
        sleep(idle - Duration::from_millis(5) + Duration::from_micros(u64::from(number * 10_000 / calls)))
            .await;
        plain(&provider).await.unwrap();
    }
    assert_eq!(counts.responses.load(SeqCst), calls as usize);
}

#[tokio::test]
async fn idle_connections_that_are_closed_fail_no_call() {
    let times = [(Duration::from_millis(20), 100), (Duration::from_secs(1), 4), (Duration::from_secs(5), 2)];
    let tasks = times.map(|(idle, calls)| tokio::spawn(calls_around(idle, calls)));
    for task in tasks {
        task.await.unwrap();
    }
}

/// A server that reads a request on a kept connection and then closes it, every time.
#[tokio::test]
async fn a_request_is_sent_once_more_and_not_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut requests = 0;
        for answered in [1, 0] {
            let (mut socket, _) = listener.accept().await.unwrap();
            for _ in 0..answered {
                read_request(&mut socket).await.unwrap();
                let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
                socket.write_all(response.as_bytes()).await.unwrap();
            }
            read_request(&mut socket).await.unwrap();
            requests += 1;
        }
        requests
    });
    let provider = provider(ProviderKind::OpenAi, &format!("http://{address}/v1"));
    plain(&provider).await.unwrap();
    assert_eq!(plain(&provider).await.unwrap_err().kind, ProviderErrorKind::Truncated);
    assert_eq!(server.await.unwrap(), 2);
}

/// Half a head is an answer that was cut off.
#[tokio::test]
async fn nothing_is_sent_again_once_a_byte_has_come() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await.unwrap();
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
        socket.write_all(response.as_bytes()).await.unwrap();
        read_request(&mut socket).await.unwrap();
        socket.write_all(b"HTTP/1.1 2").await.unwrap();
        drop(socket);
        timeout(Duration::from_millis(100), listener.accept()).await.is_err()
    });
    let provider = provider(ProviderKind::OpenAi, &format!("http://{address}/v1"));
    plain(&provider).await.unwrap();
    assert_eq!(plain(&provider).await.unwrap_err().kind, ProviderErrorKind::Truncated);
    assert!(server.await.unwrap(), "there is no other connection");
}

#[tokio::test]
async fn a_dropped_stream_closes_its_connection_and_a_complete_one_keeps_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let event = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8);
        let content = event(r#"{"choices":[{"index":0,"delta":{"content":"Hi"}}]}"#);
        let end = event("[DONE]") + "0\r\n\r\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        for end in [end.as_str(), ""] {
            read_request(&mut socket).await.unwrap();
            for part in [head, &content, end] {
                socket.write_all(part.as_bytes()).await.unwrap();
                sleep(Duration::from_millis(2)).await;
            }
        }
        timeout(Duration::from_secs(5), socket.read(&mut [0; 9])).await.unwrap().unwrap_or(0)
    });
    let provider = provider(ProviderKind::OpenAi, &format!("http://{address}/v1"));
    read_all(&mut open(&provider).await.unwrap()).await.1.unwrap();
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(server.await.unwrap(), 0, "it was closed");
}

/// The end of the body is waited for a moment, however often the wait is taken up again. Then the connection is closed.
#[tokio::test]
async fn a_complete_stream_without_the_end_of_its_body_ends_soon() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await.unwrap();
        let content = r#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
        let body = format!("data: {content}\n\ndata: [DONE]\n\n");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let response = format!("{head}{:x}\r\n{body}\r\n", body.len());
        socket.write_all(response.as_bytes()).await.unwrap();
        socket.read(&mut [0; 9]).await.unwrap_or(0)
    });
    let provider = provider(ProviderKind::OpenAi, &format!("http://{address}/v1"));
    let mut stream = open(&provider).await.unwrap();
    while !stream.next().await.unwrap().unwrap().is_last {}
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    for _ in 0..3 {
        assert!(timeout(Duration::from_millis(15), stream.next()).await.is_err());
    }
    assert!(stream.next().await.unwrap().is_none());
    assert!((50..55).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(server.await.unwrap(), 0, "it was closed");
}
