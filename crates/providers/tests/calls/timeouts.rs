//! The limits. The clock is stopped once the simulator has done what it will do, so that a minute takes no time: a
//! stopped clock jumps to the next deadline when nothing else is left to do.

use std::net::TcpStream;
use std::time::Duration;

use providers::{Blame, FaultKind, Kind, Limit, Timeouts};
use simulator::{Behaviour, Fault};
use tokio::net::TcpSocket;
use tokio::time::{Instant, advance, pause};

use crate::setup::{BOTH, MODEL, open, open_within, plain, provider, read, simulated};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_plain_answer_has_until_answer() {
    for after in [None, Some(Fault::Silence { after: 0 })] {
        let (simulator, provider) = simulated(Kind::OpenAi, after.unwrap_or(Fault::Hang)).await;
        let call = tokio::spawn(async move { plain(&provider).await });
        simulator.until(|seen| seen.calls(MODEL) == 1).await;
        let start = Instant::now();
        pause();
        let fault = call.await.unwrap().unwrap_err();
        assert_eq!((fault.kind, fault.blame), (FaultKind::Timeout(Limit::Answer), Blame::Provider));
        assert_eq!(start.elapsed().as_secs().div_ceil(10) * 10, 300);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stream_has_until_first_byte_to_show_itself() {
    for kind in BOTH {
        for silence in [Fault::Hang, Fault::Silence { after: 0 }] {
            let (simulator, provider) = simulated(kind, silence).await;
            let call = tokio::spawn(async move {
                match open(&provider).await {
                    Ok(mut stream) => read(&mut stream).await.1.unwrap_err(),
                    Err(fault) => fault,
                }
            });
            simulator.until(|seen| seen.calls(MODEL) == 1).await;
            pause();
            assert_eq!(call.await.unwrap().kind, FaultKind::Timeout(Limit::FirstByte), "{kind:?}");
            tokio::time::resume();
        }
    }
}

#[tokio::test]
async fn a_stream_has_until_first_content_to_say_something() {
    for kind in BOTH {
        let (_simulator, provider) = simulated(kind, Fault::Silence { after: 1 }).await;
        let timeouts = Timeouts { first_token: 30 * SECOND, ..Timeouts::default() };
        let mut stream = open_within(&provider, &timeouts).await.unwrap();
        stream.next().await.unwrap();
        pause();
        let fault = stream.next().await.unwrap_err();
        assert_eq!((fault.kind, fault.blame), (FaultKind::Timeout(Limit::FirstContent), Blame::Provider));
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stream_has_until_idle_for_its_next_event() {
    for after in [1, 5] {
        let (_simulator, provider) = simulated(Kind::Anthropic, Fault::Silence { after }).await;
        let mut stream = open(&provider).await.unwrap();
        for _ in 0..after {
            stream.next().await.unwrap();
        }
        pause();
        let start = Instant::now();
        let fault = stream.next().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout(Limit::Idle));
        assert_eq!(start.elapsed().as_secs(), 60);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn giving_up_a_wait_does_not_start_its_limit_anew() {
    let (_simulator, provider) = simulated(Kind::OpenAi, Fault::Silence { after: 2 }).await;
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap();
    stream.next().await.unwrap();
    pause();
    let start = Instant::now();
    for _ in 0..3 {
        assert!(tokio::time::timeout(15 * SECOND, stream.next()).await.is_err());
    }
    assert_eq!(stream.next().await.unwrap_err().kind, FaultKind::Timeout(Limit::Idle));
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn a_caller_that_reads_slowly_is_not_the_providers_silence() {
    let (simulator, provider) = simulated(Kind::OpenAi, Behaviour::ok()).await;
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap();
    simulator.until(|seen| seen.in_flight() == 0).await;
    pause();
    advance(600 * SECOND).await;
    let (_, end) = read(&mut stream).await;
    end.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_none() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts, so a queue of one is full with this.
    let _first = TcpStream::connect(address).unwrap();
    let provider = provider(Kind::OpenAi, &format!("http://{address}/v1"));
    pause();
    let start = Instant::now();
    let fault = plain(&provider).await.unwrap_err();
    assert_eq!((fault.kind, fault.blame), (FaultKind::Connection, Blame::Provider));
    assert_eq!(start.elapsed().as_secs(), 5);
}
