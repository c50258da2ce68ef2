//! Bytes that no correct server sends.

use std::net::SocketAddr;

use dialects::events::end_marker;
use providers::{FailureClass, Provider, ProviderError, ProviderErrorKind, ProviderKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::setup::{open, plain, provider, read_all, text};

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\nconnection: close\r\n\r\n";
const CONTENT_CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi, é\"}}]}";
const FINISH_CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}";

/// A server that reads one request, writes these chunks, each in a packet of its own, and closes.
async fn serve_chunks(chunks: Vec<Vec<u8>>) -> (Provider, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        read_request(&mut socket).await;
        for chunk in chunks {
            socket.write_all(&chunk).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    (provider(ProviderKind::OpenAi, &format!("http://{address}/v1/")), server)
}

async fn read_request(socket: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"}]}") {
        assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
    }
}

async fn read_stream_of(body: &str) -> (String, Result<(), ProviderError>) {
    let (provider, server) = serve_chunks(vec![STREAM_HEAD.into(), body.into()]).await;
    let (events, end) = read_all(&mut open(&provider).await.unwrap()).await;
    server.await.unwrap();
    (text(&events), end)
}

async fn plain_error_of(response: &str) -> ProviderError {
    let (provider, server) = serve_chunks(vec![response.into()]).await;
    let error = plain(&provider).await.unwrap_err();
    server.await.unwrap();
    error
}

#[tokio::test]
async fn a_stream_in_single_bytes_with_odd_line_ends_is_passed_on_unchanged() {
    let body = format!("\u{feff}: hello\n\n{CONTENT_CHUNK}\r\n\r\n\n{FINISH_CHUNK}\n\ndata: [DONE]\n\n");
    let mut chunks = vec![STREAM_HEAD.as_bytes().to_vec()];
    chunks.extend(body.bytes().map(|byte| vec![byte]));
    let (provider, server) = serve_chunks(chunks).await;
    let (events, end) = read_all(&mut open(&provider).await.unwrap()).await;
    end.unwrap();
    assert_eq!(text(&events), body);
    server.await.unwrap();
}

#[tokio::test]
async fn a_missing_last_blank_line_is_added() {
    let (text, end) = read_stream_of(&format!("{CONTENT_CHUNK}\n\n{FINISH_CHUNK}\n\ndata: [DONE]")).await;
    end.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let (text, end) = read_stream_of(&format!("{CONTENT_CHUNK}\n\n{FINISH_CHUNK}\n")).await;
    end.unwrap();
    assert!(text.as_bytes().ends_with(&end_marker(dialects::Dialect::OpenAiChat)), "{text}");
}

#[tokio::test]
async fn an_end_marker_without_a_finish_is_enough_only_behind_content() {
    let whole = format!("{CONTENT_CHUNK}\n\ndata: [DONE]\n\n");
    let (text, end) = read_stream_of(&whole).await;
    end.unwrap();
    assert_eq!(text, whole, "some vendors never send a finish reason");

    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    for before in ["", role] {
        let (text, end) = read_stream_of(&format!("{before}data: [DONE]\n\n")).await;
        assert_eq!(end.unwrap_err().kind, ProviderErrorKind::Truncated, "{before}");
        assert_eq!(text, before, "the end marker is withheld");
    }
}

#[tokio::test]
async fn half_an_event_is_a_truncation() {
    let (text, end) = read_stream_of(&format!("{CONTENT_CHUNK}\n\n{}", &FINISH_CHUNK[..40])).await;
    assert_eq!(end.unwrap_err().kind, ProviderErrorKind::Truncated);
    assert_eq!(text, format!("{CONTENT_CHUNK}\n\n"));
}

#[tokio::test]
async fn all_choices_must_finish_where_the_end_marker_is_missing() {
    let other = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"Ho\"}}]}";
    let (_, end) = read_stream_of(&format!("{CONTENT_CHUNK}\n\n{other}\n\n{FINISH_CHUNK}\n\n")).await;
    assert_eq!(end.unwrap_err().kind, ProviderErrorKind::Truncated);
    let (_, end) =
        read_stream_of(&format!("{CONTENT_CHUNK}\n\n{other}\n\n{FINISH_CHUNK}\n\ndata: [DONE]\n\n")).await;
    end.unwrap();
}

#[tokio::test]
async fn a_complete_response_to_a_streaming_request_is_invalid() {
    let body = r#"{"choices":[{"message":{"content":"Hi"}}]}"#;
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (provider, server) = serve_chunks(vec![response.into()]).await;
    assert_eq!(open(&provider).await.unwrap_err().kind, ProviderErrorKind::Invalid);
    server.await.unwrap();
}

#[tokio::test]
async fn a_stream_is_known_by_its_first_bytes_where_its_type_does_not_say_so() {
    let events = format!("{CONTENT_CHUNK}\n\n{FINISH_CHUNK}\n\ndata: [DONE]\n\n");
    for content_type in ["", "content-type: text/plain\r\n", "content-type: application/json\r\n"] {
        for before in ["", "\n", ": hello\n\n", "\u{feff}", "event: message\n"] {
            let head = format!("HTTP/1.1 200 OK\r\n{content_type}connection: close\r\n\r\n");
            let body = format!("{before}{events}");
            let mut chunks = vec![head.into_bytes()];
            chunks.extend(body.bytes().map(|byte| vec![byte]));
            let (provider, server) = serve_chunks(chunks).await;
            let mut stream = open(&provider).await.unwrap();
            assert_eq!(stream.headers()["content-type"], "text/event-stream", "{content_type}");
            let (got, end) = read_all(&mut stream).await;
            end.unwrap();
            assert_eq!(text(&got), body, "{content_type}");
            server.await.unwrap();
        }
    }
}

fn compressed(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_answer_that_nobody_asked_for_is_read() {
    let events = format!("{CONTENT_CHUNK}\n\n{FINISH_CHUNK}\n\ndata: [DONE]\n\n");
    let head = STREAM_HEAD.trim_end().to_owned() + "\r\ncontent-encoding: gzip\r\n\r\n";
    let (provider, server) = serve_chunks(vec![head.into_bytes(), compressed(&events)]).await;
    let mut stream = open(&provider).await.unwrap();
    assert!(!stream.headers().contains_key("content-encoding"));
    let (got, end) = read_all(&mut stream).await;
    end.unwrap();
    assert_eq!(text(&got), events);
    server.await.unwrap();

    let answer = r#"{"choices":[{"message":{"content":"Hi"}}]}"#;
    let error = r#"{"error":{"message":"Request too large for m on tokens: Limit 5, Requested 6","code":"rate_limit_exceeded"}}"#;
    for (status, body) in [("200 OK", answer), ("429 Too Many", error)] {
        let head = format!("HTTP/1.1 {status}\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n");
        let (provider, server) = serve_chunks(vec![head.into_bytes(), compressed(body)]).await;
        match plain(&provider).await {
            Ok(response) => {
                assert_eq!(response.body, answer);
                assert!(!response.headers.contains_key("content-encoding"));
            }
            Err(error) => assert_eq!(error.class, FailureClass::ContextTooLong),
        }
        server.await.unwrap();
    }
}

#[tokio::test]
async fn an_error_object_with_a_200_to_a_streaming_request_is_an_error() {
    let body = r#"{"error":{"code":400,"message":"no"}}"#;
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (provider, server) = serve_chunks(vec![response.into()]).await;
    let error = open(&provider).await.unwrap_err();
    assert_eq!(
        (error.kind, error.class, error.status),
        (ProviderErrorKind::ErrorInBody, FailureClass::InvalidRequest, Some(400))
    );
    let response = error.response.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (400, body.as_bytes()));
    server.await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let error =
        plain_error_of("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
            .await;
    assert_eq!(
        (error.kind, error.class, error.status),
        (ProviderErrorKind::Status, FailureClass::Provider, Some(302))
    );
}

#[tokio::test]
async fn an_error_response_with_a_truncated_body_keeps_its_status() {
    let error =
        plain_error_of("HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 50\r\n\r\n{\"err").await;
    assert_eq!((error.kind, error.status), (ProviderErrorKind::Status, Some(429)));
    assert!(
        matches!(error.class, FailureClass::RateLimited { retry_after } if retry_after.as_secs() == 7),
        "{:?}",
        error.class
    );
    assert!(error.response.is_none());
}

#[tokio::test]
async fn bytes_that_are_not_http_are_a_truncation() {
    assert_eq!(plain_error_of("SSH-2.0-OpenSSH_9.2\r\n").await.kind, ProviderErrorKind::Truncated);
    assert_eq!(plain_error_of("").await.kind, ProviderErrorKind::Truncated);
}

#[tokio::test]
async fn a_pooled_connection_that_was_closed_meanwhile_costs_no_call() {
    let body = r#"{"choices":[{"message":{"content":"Hi"}}]}"#;
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = provider(ProviderKind::OpenAi, &format!("http://{}/v1", listener.local_addr().unwrap()));
    let (closed, first_is_closed) = oneshot::channel();
    let server = tokio::spawn(async move {
        let mut closed = Some(closed);
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            socket.write_all(response.as_bytes()).await.unwrap();
            drop(socket);
            closed.take().map(|closed| closed.send(()));
        }
    });
    plain(&provider).await.unwrap();
    first_is_closed.await.unwrap();
    // Each lets the runtime poll its sockets once: the client reads the end there, and then acts on it.
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    plain(&provider).await.unwrap();
    server.await.unwrap();
}

/// A server that never ends its response.
async fn serve_endless(head: &'static str, chunk: Vec<u8>) -> (Provider, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        while socket.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    });
    (provider(ProviderKind::OpenAi, &format!("http://{address}/v1/")), server)
}

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn an_endless_response_is_aborted() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"x\":\"";
    let (provider, server) = serve_endless(head, vec![b'x'; MIB]).await;
    let error = plain(&provider).await.unwrap_err();
    assert_eq!((error.kind, error.class), (ProviderErrorKind::TooLarge(64 * MIB), FailureClass::Provider));
    assert_eq!(error.to_string(), "the provider sent more than 67108864 bytes in one piece");
    let sent = server.await.unwrap();
    assert!(sent < 80 * MIB, "it sent {sent} bytes");
}

#[tokio::test]
async fn an_endless_event_is_aborted() {
    let (provider, server) = serve_endless(STREAM_HEAD, vec![b'x'; MIB]).await;
    let (events, end) = read_all(&mut open(&provider).await.unwrap()).await;
    let error = end.unwrap_err();
    assert!(events.is_empty());
    assert_eq!((error.kind, error.class), (ProviderErrorKind::TooLarge(16 * MIB), FailureClass::Provider));
    let sent = server.await.unwrap();
    assert!(sent < 32 * MIB, "it sent {sent} bytes");
}
