//! The timeouts. The clock is paused once the simulator has nothing more to do, so that a minute takes no time: a paused
//! clock jumps to the next deadline when all tasks are idle.

use std::net::TcpStream;
use std::time::Duration;

use providers::{ConnectCause, FailureClass, ProviderErrorKind, ProviderKind, TimeoutKind, Timeouts};
use simulator::{Behaviour, Fault};
use tokio::net::TcpSocket;
use tokio::time::{Instant, advance, pause};

use crate::setup::{KINDS, MODEL, open, open_with_timeouts, plain, provider, read_all, simulated};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_response_has_until_response() {
    for after in [None, Some(Fault::Silence { after: 0 })] {
        let (simulator, provider) = simulated(ProviderKind::OpenAi, after.unwrap_or(Fault::Hang)).await;
        let call = tokio::spawn(async move { plain(&provider).await });
        simulator.wait_until(|seen| seen.calls(MODEL) == 1).await;
        let start = Instant::now();
        pause();
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind, error.class),
            (ProviderErrorKind::Timeout(TimeoutKind::Response), FailureClass::Provider)
        );
        assert_eq!(start.elapsed().as_secs().div_ceil(10) * 10, 300);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stream_has_until_first_byte_for_its_first_event() {
    for kind in KINDS {
        for stall in [Fault::Hang, Fault::Silence { after: 0 }] {
            let (simulator, provider) = simulated(kind, stall).await;
            let call = tokio::spawn(async move {
                match open(&provider).await {
                    Ok(mut stream) => read_all(&mut stream).await.1.unwrap_err(),
                    Err(error) => error,
                }
            });
            simulator.wait_until(|seen| seen.calls(MODEL) == 1).await;
            pause();
            assert_eq!(
                call.await.unwrap().kind,
                ProviderErrorKind::Timeout(TimeoutKind::FirstByte),
                "{kind:?}"
            );
            tokio::time::resume();
        }
    }
}

#[tokio::test]
async fn a_stream_has_until_first_token_for_its_first_token() {
    for kind in KINDS {
        let (_simulator, provider) = simulated(kind, Fault::Silence { after: 1 }).await;
        let timeouts = Timeouts { first_token: 30 * SECOND, ..Timeouts::default() };
        let mut stream = open_with_timeouts(&provider, &timeouts).await.unwrap();
        stream.next().await.unwrap();
        pause();
        let error = stream.next().await.unwrap_err();
        assert_eq!(
            (error.kind, error.class),
            (ProviderErrorKind::Timeout(TimeoutKind::FirstToken), FailureClass::Provider)
        );
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stream_has_until_idle_for_its_next_event() {
    for after in [1, 5] {
        let (_simulator, provider) = simulated(ProviderKind::Anthropic, Fault::Silence { after }).await;
        let mut stream = open(&provider).await.unwrap();
        for _ in 0..after {
            stream.next().await.unwrap();
        }
        pause();
        let start = Instant::now();
        let error = stream.next().await.unwrap_err();
        assert_eq!(error.kind, ProviderErrorKind::Timeout(TimeoutKind::Idle));
        assert_eq!(start.elapsed().as_secs(), 60);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn dropping_a_wait_does_not_restart_its_timeout() {
    let (_simulator, provider) = simulated(ProviderKind::OpenAi, Fault::Silence { after: 2 }).await;
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap();
    stream.next().await.unwrap();
    pause();
    let start = Instant::now();
    for _ in 0..3 {
        assert!(tokio::time::timeout(15 * SECOND, stream.next()).await.is_err());
    }
    assert_eq!(stream.next().await.unwrap_err().kind, ProviderErrorKind::Timeout(TimeoutKind::Idle));
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn a_slow_reader_does_not_trip_the_idle_timeout() {
    let (simulator, provider) = simulated(ProviderKind::OpenAi, Behaviour::ok()).await;
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap();
    simulator.wait_until(|seen| seen.in_flight() == 0).await;
    pause();
    advance(600 * SECOND).await;
    let (_, end) = read_all(&mut stream).await;
    end.unwrap();
}

#[tokio::test]
async fn the_connect_timeout_is_a_connection_failure() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Nothing accepts, so this fills the queue of one.
    let _first = TcpStream::connect(address).unwrap();
    let provider = provider(ProviderKind::OpenAi, &format!("http://{address}/v1"));
    pause();
    let start = Instant::now();
    let error = plain(&provider).await.unwrap_err();
    assert_eq!(
        (error.kind, error.class),
        (ProviderErrorKind::Connection(ConnectCause::Timeout), FailureClass::Provider)
    );
    assert_eq!(start.elapsed().as_secs(), 5);
}
