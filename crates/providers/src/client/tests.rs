//! A name server that hangs beside one that does not (C8), and the ways through proxies.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, coop};
use tokio::time::{Instant, timeout};

use super::transport::Transport;
use super::{Client, ClientError, Proxy, RequestBody, Resolver, tunnel};
use crate::cause::ConnectCause;

mod responses;
mod tunnels;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

async fn get(client: &Client) -> Result<u16, ClientError> {
    let uri = Uri::from_static("/");
    let response = client.send(&Method::GET, &uri, |_| {}, RequestBody::default()).await?;
    Ok(response.status.as_u16())
}

async fn serve(listener: TcpListener) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            socket.read_buf(&mut request).await.unwrap();
        }
        socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_server_that_hangs_fails_no_call_to_another_provider() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener));
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let resolver = Resolver::new(move |host| {
        if host == "hangs.example" {
            _ = released.lock().unwrap().recv();
        }
        Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
    });
    let client = |host: &str| {
        let url = format!("http://{host}:{port}/").parse().unwrap();
        Arc::new(Client::with(&url, None, CONNECT_TIMEOUT, resolver.clone(), None).unwrap())
    };
    let hanging = client("hangs.example");
    let mut calls = JoinSet::new();
    for _ in 0..600 {
        let hanging = Arc::clone(&hanging);
        calls.spawn(async move { get(&hanging).await });
    }
    let start = Instant::now();
    for number in 0..12 {
        assert_eq!(get(&client(&format!("good-{number}.example"))).await.unwrap(), 204);
    }
    assert!(start.elapsed() < CONNECT_TIMEOUT, "{:?}", start.elapsed());
    while let Some(result) = calls.join_next().await {
        let error = result.unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no name server answered for hangs.example within 0.5 s (timeouts.connect)"
        );
        assert!(matches!(error, ClientError::NotConnected { cause: ConnectCause::Timeout, .. }));
    }
    drop(release);
}

/// A request that is too large may be refused before all of it is sent. That is the caller's mistake, and no failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_to_half_a_request_is_read_though_the_rest_cannot_be_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.read_exact(&mut [0; 16]).await.unwrap();
            let head = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            socket.write_all(head.as_bytes()).await.unwrap();
            // Closed with unread bytes, so that the kernel resets the connection.
        }
    });
    let client = Client::with(&url, None, CONNECT_TIMEOUT, Resolver::system(), None).unwrap();
    let body = Bytes::from(vec![b'x'; 4 * 1024 * 1024]);
    for _ in 0..50 {
        let mut response =
            client.send(&Method::POST, &Uri::from_static("/"), |_| {}, (&body).into()).await.unwrap();
        assert_eq!(response.status, 413);
        assert_eq!(response.body.chunk().await.unwrap().unwrap(), "{}");
        assert_eq!(response.body.chunk().await.unwrap(), None);
    }
}

/// A server may answer while it still reads: the rest of the request is sent meanwhile, and the connection is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_may_begin_before_its_request_has_ended() {
    const LENGTH: usize = 4 * 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nHe").await.unwrap();
            let mut body = vec![0; LENGTH];
            socket.read_exact(&mut body).await.unwrap();
            assert!(body.iter().all(|byte| *byte == b'x'));
            socket.write_all(b"y!").await.unwrap();
        }
    });
    let client = Client::with(&url, None, CONNECT_TIMEOUT, Resolver::system(), None).unwrap();
    let body = Bytes::from(vec![b'x'; LENGTH]);
    for _ in 0..3 {
        let mut response =
            client.send(&Method::POST, &Uri::from_static("/"), |_| {}, (&body).into()).await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = response.body.chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert_eq!(read, b"Hey!");
    }
}

/// What comes behind a response, now or later, is never taken for the next one.
#[tokio::test]
async fn bytes_that_nobody_asked_for_close_a_connection() {
    for is_later in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (go_on, written) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (may_write, has_written) = (Arc::clone(&go_on), Arc::clone(&written));
        tokio::spawn(async move {
            let mut open = Vec::new();
            for status in [201, 202] {
                let (mut socket, _) = listener.accept().await.unwrap();
                socket.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\n{{}}");
                let more = b"HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\n{}";
                if is_later {
                    socket.write_all(head.as_bytes()).await.unwrap();
                    may_write.acquire().await.unwrap().forget();
                    socket.write_all(more).await.unwrap();
                } else {
                    socket.write_all(&[head.as_bytes(), more].concat()).await.unwrap();
                    may_write.acquire().await.unwrap().forget();
                }
                has_written.add_permits(1);
                open.push(socket);
            }
        });
        let client = Client::with(&url, None, Duration::from_secs(5), Resolver::system(), None).unwrap();
        for status in [201, 202] {
            let uri = Uri::from_static("/");
            let mut response = client.send(&Method::GET, &uri, |_| {}, RequestBody::default()).await.unwrap();
            assert_eq!(response.status, status, "later: {is_later}");
            while response.body.chunk().await.unwrap().is_some() {}
            go_on.add_permits(1);
            written.acquire().await.unwrap().forget();
            // Each lets the runtime poll its sockets once.
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The runtime lets a task that has done much at once read no more in this turn. An idle connection is looked at all the same.
#[tokio::test]
async fn bytes_that_nobody_asked_for_are_seen_by_a_task_that_has_done_much() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for status in ["201 x", "202 x"] {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            socket
                .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
                .await
                .unwrap();
            tokio::task::yield_now().await;
            socket.write_all(b"HTTP/1.1 408 x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            open.push(socket);
        }
    });
    let client = Client::with(&url, None, Duration::from_secs(5), Resolver::system(), None).unwrap();
    for status in [201, 202] {
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        let uri = Uri::from_static("/");
        let mut response = client.send(&Method::GET, &uri, |_| {}, RequestBody::default()).await.unwrap();
        assert_eq!(response.status, status);
        assert_eq!(response.body.chunk().await.unwrap(), None);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

/// Calls `http://provider.example:81` through a proxy that sends these replies, one after each piece that it gets; the
/// result, and the pieces.
async fn through(scheme: &str, replies: &[&[u8]]) -> (Result<u16, ClientError>, Vec<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let replies: Vec<_> = replies.iter().map(|reply| reply.to_vec()).collect();
    let proxy = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut pieces = Vec::new();
        for reply in replies {
            let mut piece = Vec::with_capacity(4096);
            socket.read_buf(&mut piece).await.unwrap();
            pieces.push(piece);
            socket.write_all(&reply).await.unwrap();
        }
        pieces
    });
    let url = "http://provider.example:81/".parse().unwrap();
    let variable = |name: &str| (name == "ALL_PROXY").then(|| format!("{scheme}://u:p@127.0.0.1:{port}"));
    let resolver = Resolver::new(|_| Ok(vec![IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))]));
    let found = Proxy::find(&url, variable).unwrap();
    let client = Client::with(&url, None, Duration::from_secs(5), resolver, found).unwrap();
    let result = get(&client).await;
    (result, proxy.await.unwrap())
}

#[tokio::test]
async fn socks_connects_by_address_or_by_name() {
    let reply: &[u8] = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let replies = [b"\x05\x02", b"\x01\x00", reply, b"HTTP/1.1 204 No Content\r\n\r\n"];
    for (scheme, request) in [
        ("socks5", b"\x05\x01\x00\x01\x0a\x01\x02\x03\x00\x51".as_slice()),
        ("socks5h", b"\x05\x01\x00\x03\x10provider.example\x00\x51"),
    ] {
        let (result, pieces) = through(scheme, &replies).await;
        assert_eq!(result.unwrap(), 204);
        assert_eq!(pieces[..3], [b"\x05\x01\x02".as_slice(), b"\x01\x01u\x01p", request]);
        assert!(pieces[3].starts_with(b"GET / HTTP/1.1\r\n"), "{:?}", pieces[3]);
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_the_proxys_failure() {
    let cases: [(&[&[u8]], &str); 3] = [
        (&[b"\x05\xff"], "it does not accept this way to log in"),
        (&[b"\x05\x02", b"\x01\x01"], "it does not accept the user and password"),
        (
            &[b"\x05\x02", b"\x01\x00", b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"],
            "it refuses the connection (its rules do not allow it)",
        ),
    ];
    for (replies, words) in cases {
        let (result, _) = through("socks5", replies).await;
        let error = result.unwrap_err();
        assert!(matches!(error, ClientError::NotConnected { cause: ConnectCause::Proxy, .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("proxy 127.0.0.1:") && text.ends_with(words), "{text}");
    }
}

/// Proxies send a page with their refusal, in one piece with its head, and keep the connection.
#[tokio::test]
async fn a_proxy_that_refuses_with_a_page_is_understood_at_once() {
    for (status, words) in [
        (
            "407 Proxy Authentication Required",
            "it requires a user and password (HTTP 407); write them into its URL",
        ),
        ("502 Bad Gateway", "it does not reach provider.example:443 (HTTP 502)"),
        ("403 Forbidden", "it refuses the connection (HTTP 403)"),
    ] {
        let (ours, mut proxy) = connected().await;
        let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\n<html>");
        proxy.write_all(reply.as_bytes()).await.unwrap();
        let mut transport = Transport::Tcp(ours);
        let connecting = tunnel::connect_http(&mut transport, "provider.example:443", None);
        let error =
            timeout(Duration::from_secs(5), connecting).await.expect("it waits for nothing").unwrap_err();
        assert_eq!(error.to_string(), words);
    }
}

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (ours, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn a_request_without_tls_is_passed_on_by_an_http_proxy() {
    let (result, pieces) = through("http", &[b"HTTP/1.1 204 No Content\r\n\r\n"]).await;
    assert_eq!(result.unwrap(), 204);
    let request = String::from_utf8(pieces[0].clone()).unwrap().to_ascii_lowercase();
    assert!(request.contains("host: provider.example:81\r\n"), "{request}");
    assert!(request.contains("proxy-authorization: basic dtpw\r\n"), "{request}");
}
