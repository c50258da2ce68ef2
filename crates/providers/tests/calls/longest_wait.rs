//! [`Provider::longest_wait`] covers all that there is to wait for: a caller that relies on it sets no timer of its own. Time
//! is virtual here.

use std::net::SocketAddr;
use std::time::Duration;

use dialects::{Endpoint, OpenAiCall};
use http::HeaderMap;
use providers::{
    AwsSettings, Provider, ProviderConfig, ProviderError, ProviderErrorKind, ProviderKind, ProviderResponse,
    Timeouts,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

use crate::setup::{KEY, body, request};

const SECOND: Duration = Duration::from_secs(1);

/// A timer of the runtime is late by less than this.
const LATE: Duration = Duration::from_millis(10);

const PLAIN_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const ERROR_HEAD: &str = "HTTP/1.1 503 x\r\ncontent-type: application/json\r\n\r\n{";
const EMPTY_CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n";
const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// Where a provider stops: it sends this, and then this again and again, as often as it likes.
type Stall = (&'static str, &'static str);

/// How calls without a stream stall.
const PLAIN: [Stall; 7] = [
    ("", ""),
    ("HTTP/1.1 200 OK\r\nx: ", "a"),
    ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", " "),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "2\r\n{}\r\n"),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "0"),
    (ERROR_HEAD, " "),
];

/// How streams stall before their first token.
const STREAMS: [Stall; 11] = [
    ("", ""),
    ("HTTP/1.1 200 OK\r\nx: ", "a"),
    ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    (STREAM_HEAD, ""),
    (STREAM_HEAD, ": a comment\n\n"),
    (STREAM_HEAD, "d"),
    (STREAM_HEAD, EMPTY_CHUNK),
    ("HTTP/1.1 200 OK\r\n\r\n", " "),
    ("HTTP/1.1 200 OK\r\n\r\n{", " "),
    (PLAIN_HEAD, "\r\n"),
    (ERROR_HEAD, " "),
];

/// Timeouts of which each is the shortest once.
fn timeouts() -> impl Iterator<Item = Timeouts> {
    [[5, 9, 3], [9, 5, 3], [3, 9, 20], [20, 9, 5], [9, 30, 4]].into_iter().map(
        |[first_byte, first_token, idle]| Timeouts {
            connect: 60 * SECOND,
            first_byte: first_byte * SECOND,
            first_token: first_token * SECOND,
            idle: idle * SECOND,
            response: 7 * SECOND,
            total: 600 * SECOND,
        },
    )
}

fn provider(address: SocketAddr) -> Provider {
    let url = format!("http://{address}/v1").parse().unwrap();
    let config = ProviderConfig {
        api_key: Some(KEY.to_owned().into()),
        ..ProviderConfig::new("stalling", ProviderKind::OpenAi, url)
    };
    Provider::new(config, 60 * SECOND).unwrap()
}

async fn read_request(socket: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"}]}") {
        assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
    }
}

/// A provider that stalls so, sending something at these intervals.
async fn stalling((first, then): Stall, interval: Duration) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(first.as_bytes()).await.unwrap();
        loop {
            sleep(interval).await;
            if socket.write_all(then.as_bytes()).await.is_err() {
                break;
            }
        }
    });
    provider(address)
}

/// Makes a call as the manager does: until its response, its first token or its error. Returns how long that took, and how long
/// it may take.
async fn wait(
    provider: &Provider,
    stream: bool,
    timeouts: &Timeouts,
) -> (Result<(), ProviderError>, Duration, Duration) {
    let (headers, body) = (HeaderMap::new(), body(stream));
    let call = request(Endpoint::ChatCompletions, &body, stream, &headers, timeouts);
    let longest = provider.longest_wait(&call).unwrap();
    let start = Instant::now();
    let opened = async {
        if let ProviderResponse::Streaming(mut stream) = provider.call(&call).await? {
            while stream.next().await?.is_some_and(|event| !event.has_content) {}
        }
        Ok(())
    };
    (opened.await, start.elapsed(), longest)
}

#[tokio::test(start_paused = true)]
async fn wherever_a_provider_stalls_its_call_ends_in_time() {
    for timeouts in timeouts() {
        for (stream, stalls) in [(false, &PLAIN[..]), (true, &STREAMS[..])] {
            for stall in stalls {
                let provider = stalling(*stall, SECOND).await;
                let (result, took, longest) = wait(&provider, stream, &timeouts).await;
                let error = result.unwrap_err();
                assert!(took <= longest + LATE, "{stall:?} {timeouts:?}: {took:?}, {error}");
                // What it waited for has not come, so it ended by a timeout, or by the status that had come.
                let is_timeout = matches!(error.kind, ProviderErrorKind::Timeout(_));
                assert!(is_timeout || stall.0 == ERROR_HEAD, "{stall:?} {timeouts:?}: {error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_the_end_of_a_stream_is_not_waited_for() {
    for timeouts in timeouts() {
        for then in ["", ": a comment\n\n", "data: {}\n\n"] {
            let first = [STREAM_HEAD, FINISH].concat().leak();
            let provider = stalling((first, then), Duration::from_millis(30)).await;
            let (result, took, longest) = wait(&provider, true, &timeouts).await;
            result.unwrap();
            assert!(took <= Duration::from_millis(100) && took < longest, "{then:?}: {took:?}");
        }
    }
}

/// A stream may finish without content just before its first token is due. Then its end is waited for, too.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_without_content_may_come_last() {
    let timeouts = timeouts().next().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = provider(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket.write_all(STREAM_HEAD.as_bytes()).await.unwrap();
        for _ in 0..4 {
            socket.write_all(EMPTY_CHUNK.as_bytes()).await.unwrap();
            sleep(timeouts.first_token / 4 - Duration::from_millis(1)).await;
        }
        socket.write_all(FINISH.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let (result, took, longest) = wait(&provider, true, &timeouts).await;
    result.unwrap();
    assert!((timeouts.first_token..=longest).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn connecting_takes_no_longer() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Nothing accepts, so this fills the queue of one.
    let _first = TcpStream::connect(address).await.unwrap();
    for timeouts in timeouts() {
        for stream in [false, true] {
            let (result, took, longest) = wait(&provider(address), stream, &timeouts).await;
            assert!(matches!(result.unwrap_err().kind, ProviderErrorKind::Timeout(_)), "{stream}");
            assert!(took <= longest + LATE, "{stream} {timeouts:?}: {took:?}");
        }
    }
}

/// A kept connection that turns out to be closed: the second request has no time of its own.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_sent_once_more_takes_no_longer() {
    for timeouts in timeouts() {
        for stream in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let provider = provider(listener.local_addr().unwrap());
            tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                read_request(&mut socket).await;
                let answer = "{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}";
                let answer = format!("{PLAIN_HEAD}content-length: {}\r\n\r\n{answer}", answer.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
                read_request(&mut socket).await;
                sleep(2 * SECOND).await;
                drop(socket);
                let (_open, _) = listener.accept().await.unwrap();
                std::future::pending::<()>().await;
            });
            wait(&provider, false, &timeouts).await.0.unwrap();
            let (result, took, longest) = wait(&provider, stream, &timeouts).await;
            assert!(matches!(result.unwrap_err().kind, ProviderErrorKind::Timeout(_)), "{stream}");
            assert!(took > 2 * SECOND && took <= longest + LATE, "{stream} {timeouts:?}: {took:?}");
        }
    }
}

#[test]
fn some_waits_have_no_end_that_the_timeouts_say() {
    let (headers, body, timeouts) = (HeaderMap::new(), body(false), Timeouts::default());
    let wait = |provider: &Provider, endpoint| {
        provider.longest_wait(&request(endpoint, &body, false, &headers, &timeouts))
    };
    let openai = provider("127.0.0.1:1".parse().unwrap());
    assert_eq!(wait(&openai, Endpoint::ChatCompletions), Some(timeouts.response));
    assert_eq!(wait(&openai, Endpoint::OpenAi(OpenAiCall::Speech)), None, "it comes for as long as it is");
    let aws = ProviderConfig {
        aws: Some(AwsSettings {
            region: "eu-west-1".to_owned(),
            profile: None,
            environment: Default::default(),
        }),
        ..ProviderConfig::new("aws", ProviderKind::Bedrock, "http://127.0.0.1:1".parse().unwrap())
    };
    let aws = Provider::new(aws, SECOND).unwrap();
    assert_eq!(wait(&aws, Endpoint::Messages), None, "credentials may have to be fetched");
}
