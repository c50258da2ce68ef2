//! A provider that closes connections between two calls (C1): no caller, count of attempts or circuit hears of it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Value, json};
use testbed::Program;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi"}}]}"#;

/// How a server treats its connections.
#[derive(Clone, Copy)]
struct Closing {
    /// It closes one after so many answers, without announcing it.
    answers: usize,
    /// It closes one that was idle for so long.
    idle: Duration,
}

/// A server that closes its connections so; its address and the number of requests that it answered.
async fn serve(closing: Closing) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answered = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&answered);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                for _ in 0..closing.answers {
                    let mut request = Vec::new();
                    while !request.ends_with(b"}") {
                        match timeout(closing.idle, socket.read_buf(&mut request)).await {
                            Ok(Ok(1..)) => {}
                            _ => return,
                        }
                    }
                    counted.fetch_add(1, SeqCst);
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
                    let response = format!("{head}{}\r\n\r\n{ANSWER}", ANSWER.len());
                    _ = socket.write_all(response.as_bytes()).await;
                }
            });
        }
    });
    (address, answered)
}

/// Calls in rounds with this pause between them, 8 at once; each has to be answered at the first attempt.
async fn call_in_rounds(closing: Closing, rounds: usize, pause: Duration) {
    let (provider, answered) = serve(closing).await;
    let base_url = format!("http://{provider}/v1");
    let variables = [("REDIS_URL", "memory:"), ("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", &*base_url)];
    let program =
        Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve", "--listen", "127.0.0.1:0"], variables);
    let line = program.wait_for_line("listening").await;
    let url = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
    let client = reqwest::Client::new();
    for _ in 0..rounds {
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            let body = json!({ "model": "openai:m", "messages": [{ "role": "user", "content": "hi" }] });
            let call = client.post(format!("{url}/v1/chat/completions")).json(&body).send();
            calls.spawn(async move {
                let response = call.await.unwrap();
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers()["x-switchboard-attempts"], "1");
                response.bytes().await.unwrap();
            });
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap();
        }
        sleep(pause).await;
    }
    assert_eq!(answered.load(SeqCst), rounds * 8, "none was sent to an answer twice");
    let circuit = client.get(format!("{url}/circuits/openai:m")).send().await.unwrap();
    let circuit: Value = circuit.json().await.unwrap();
    assert_eq!((&circuit["state"], &circuit["failureCount"]), (&"CLOSED".into(), &0.into()), "{circuit}");
}

#[tokio::test]
async fn one_answer_a_connection() {
    call_in_rounds(Closing { answers: 1, idle: Duration::from_secs(600) }, 40, Duration::ZERO).await;
}

/// The pause ends just when the server closes.
#[tokio::test]
async fn idle_for_a_second() {
    let idle = Duration::from_secs(1);
    call_in_rounds(Closing { answers: usize::MAX, idle }, 4, idle - Duration::from_millis(2)).await;
}

#[tokio::test]
async fn idle_for_five_seconds() {
    let idle = Duration::from_secs(5);
    call_in_rounds(Closing { answers: usize::MAX, idle }, 2, idle - Duration::from_millis(2)).await;
}
