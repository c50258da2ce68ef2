//! What a provider can make the process keep. It is a program of its own, since it reads the memory of the whole process.

use std::{fs, sync::Arc};

use circuits::{Circuits, Policies};
use dialects::{Endpoint, Request};
use http::HeaderMap;
use manager::{BufferLimit, Call, ModelManager, Response, Retry, Settings, StreamMode};
use providers::{ProviderConfig, ProviderKind, Timeouts};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const MIB: usize = 1024 * 1024;

/// Each blank line was kept as a piece of its own: 50 bytes for one.
#[tokio::test]
async fn blank_lines_before_the_first_token_take_a_factor_of_their_size() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            socket.read_buf(&mut request).await.unwrap();
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..64 {
            socket.write_all(&vec![b'\n'; 2 * MIB / 64]).await.unwrap();
        }
        let events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n";
        socket.write_all(events.as_bytes()).await.unwrap();
    });
    let provider = ProviderConfig::new("openai", ProviderKind::OpenAi, base_url.parse().unwrap());
    let settings = Settings {
        providers: vec![provider],
        routes: [].into(),
        retry: Retry::default(),
        timeouts: Timeouts::default(),
        stream: StreamMode::PassThrough,
        buffer_limit: BufferLimit::default(),
    };
    let manager = Arc::new(ModelManager::new(settings, Circuits::in_memory(Policies::default())).unwrap());
    let body = r#"{"model":"openai:m","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let call = Call {
        allowed_models: None,
        caller: None,
        id: "id-1".into(),
        request: Request::parse(Endpoint::ChatCompletions, body.into()).unwrap(),
        headers: HeaderMap::new(),
        fallback: true,
        beta: false,
        client_timeout: None,
        injected_fault: None,
    };
    let peak_memory = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    };
    let before = peak_memory();
    let response = manager.call(call).await.unwrap();
    assert!(matches!(response, Response::Reply(_)), "{response:?}");
    let grown = peak_memory() - before;
    assert!(grown < 20 * MIB, "2 MiB of blank lines took {} MiB", grown / MIB);
}
