//! HTTP/1.1 as it is on the wire: which requests follow one another, and where each response ends.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{TEST_TIMEOUT, World};

/// Sends this in pieces of at most so many bytes, and reads until the connection ends.
async fn exchange(world: &World, sent: &str, piece: usize) -> String {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let (mut reading, mut writing) = socket.split();
    let writing = async {
        for piece in sent.as_bytes().chunks(piece) {
            if writing.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut received = Vec::new();
    let reading = async {
        let _ = timeout(TEST_TIMEOUT, reading.read_to_end(&mut received)).await.expect("the connection ends");
    };
    tokio::join!(writing, reading);
    String::from_utf8(received).unwrap()
}

/// The statuses of all responses in this.
fn statuses(received: &str) -> Vec<&str> {
    let heads = received.split("HTTP/1.").skip(1);
    heads.filter_map(|head| head.split(' ').nth(1)).filter(|status| status.parse::<u16>().is_ok()).collect()
}

fn chat() -> String {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": "hi" }] }).to_string()
}

/// A call with this in its head, and its body so.
fn call(fields: &str, body: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n{body}")
}

#[tokio::test]
async fn requests_follow_one_another_however_they_arrive() {
    let world = World::new().await;
    let body = chat();
    let length = format!("content-length: {}\r\n", body.len());
    let chunks: String = body
        .as_bytes()
        .chunks(7)
        .map(|chunk| format!("{:X};a=b\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)))
        .collect();
    let chunked = format!("{chunks}0\r\nx-trailer: a\r\n\r\n");
    let live = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let all = [
        call(&length, &body),
        live.to_owned(),
        call("transfer-encoding: chunked\r\n", &chunked),
        "\r\n".to_owned(),
        call("transfer-encoding: chunked\r\nexpect: 100-continue\r\n", &chunked),
        "HEAD /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        call(&length, &body),
        "GET /nothing HTTP/1.1\r\nhost: localhost\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n".to_owned(),
        last.to_owned(),
        live.to_owned(),
    ]
    .concat();
    for piece in [usize::MAX, 1_000, 100, 1] {
        let received = exchange(&world, &all, piece).await;
        let expected = ["200", "200", "200", "100", "200", "200", "200", "404", "200"];
        assert_eq!(statuses(&received), expected, "{piece}: {received}");
        assert!(received.ends_with("alive\n"), "{received}");
    }
    assert_eq!(world.first.traffic().all_calls(), 4 * 4);
}

#[tokio::test]
async fn an_end_that_is_not_certain_is_the_last_of_its_connection() {
    let world = World::new().await;
    let body = chat();
    let last = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (first, status, code) in [
        (call("content-length: 2\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"), "400", "invalid_request"),
        (call("content-length: 2\r\ncontent-length: 3\r\n", "abc"), "400", "invalid_request"),
        (call("content-length: +2\r\n", "{}"), "400", "invalid_request"),
        (call("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"), "400", "invalid_request"),
        (call("transfer-encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n"), "400", "invalid_request"),
        (call("transfer-encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"), "400", "invalid_request"),
        (call("transfer-encoding : chunked\r\n", "0\r\n\r\n"), "400", "invalid_request"),
        (call("a: b\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"), "400", "invalid_request"),
        (call(&format!("connection: close\r\ncontent-length: {}\r\n", body.len()), &body), "200", ""),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "400", "invalid_request"),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), "400", "invalid_request"),
    ] {
        let received = exchange(&world, &format!("{first}{last}"), usize::MAX).await;
        assert_eq!(statuses(&received), [status], "{first}: {received}");
        assert!(received.contains("\r\nconnection: close\r\n"), "{first}: {received}");
        assert!(!received.contains("ended early"), "{first}: {received}");
        assert_eq!(
            received.contains(&format!("x-switchboard-error: {code}")),
            !code.is_empty(),
            "{received}"
        );
    }
}

#[tokio::test]
async fn http_1_0_gets_no_chunks() {
    let world = World::new().await;
    let body = json!({ "model": "chat", "stream": true, "messages": [] }).to_string();
    let request = |fields: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.0\r\nhost: localhost\r\n{fields}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for fields in ["", "connection: keep-alive\r\n"] {
        let received = exchange(&world, &request(fields), usize::MAX).await;
        assert!(received.starts_with("HTTP/1.0 200 "), "{received}");
        assert!(
            !received.contains("transfer-encoding") && received.contains("connection: close"),
            "{received}"
        );
        assert!(received.contains("\r\n\r\ndata: ") && received.ends_with("data: [DONE]\n\n"), "{received}");
    }
    let live = "GET /livez HTTP/1.0\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n";
    let received = exchange(&world, &format!("{live}{live}GET /livez HTTP/1.0\r\n\r\n"), usize::MAX).await;
    assert_eq!(statuses(&received), ["200"; 3], "{received}");
    assert_eq!(received.matches("connection: keep-alive").count(), 2, "{received}");
}

#[tokio::test]
async fn head_says_how_long_the_response_would_be() {
    let world = World::new().await;
    let text = "HEAD /livez HTTP/1.1\r\nhost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let received = exchange(&world, text, usize::MAX).await;
    assert_eq!(received.matches("content-length: 6").count(), 2, "{received}");
    assert_eq!(received.matches("alive\n").count(), 1, "{received}");
}

#[tokio::test]
async fn a_large_answer_and_a_large_request_are_whole() {
    let world = World::new().await;
    let content = "word ".repeat(200_000);
    let body = json!({ "model": "chat", "messages": [{ "role": "user", "content": content }] }).to_string();
    let fields = format!("connection: close\r\ncontent-length: {}\r\n", body.len());
    for piece in [usize::MAX, 100_000, 5_000] {
        let received = exchange(&world, &call(&fields, &body), piece).await;
        assert_eq!(statuses(&received), ["200"], "{received}");
    }
    let page =
        exchange(&world, "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 9)
            .await;
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
}

#[tokio::test]
async fn a_body_that_a_client_ends_early_is_no_request() {
    let world = World::new().await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(call("content-length: 999\r\n", "{").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    socket.shutdown().await.unwrap();
    let mut received = String::new();
    timeout(TEST_TIMEOUT, socket.read_to_string(&mut received)).await.expect("it ends").unwrap();
    assert!(received.contains("the request body ended early"), "{received}");
    assert_eq!(world.first.traffic().all_calls(), 0);
}

/// Else the kernel would reset the connection, and throw the response away with it.
#[tokio::test]
async fn who_goes_on_after_what_is_no_request_can_read_why() {
    let world = World::new().await;
    let body = chat();
    let fields = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());
    for (first, expected) in [(String::new(), &["400"][..]), (call(&fields, &body), &["200", "400"])] {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        socket.write_all(format!("{first}\u{16}\u{3}\u{1}").as_bytes()).await.unwrap();
        let mut received = String::new();
        timeout(TEST_TIMEOUT, socket.read_to_string(&mut received)).await.expect("it ends").unwrap();
        assert_eq!(statuses(&received), expected, "{received}");
        for _ in 0..3 {
            socket.write_all(b"more").await.unwrap_or_else(|error| panic!("{expected:?}: {error}"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
