//! Streams: what is whole, and what only looks like it.

use std::time::Duration;

use dialects::events::end_marker;
use http::StatusCode;
use providers::{Blame, FaultKind, Kind};
use simulator::{Behaviour, Fault, ProviderError as Refusal};

use crate::setup::{BOTH, open, read, simulated, text};

/// How many events come before the first content, as the simulator streams.
fn preamble(kind: Kind) -> usize {
    match kind {
        Kind::OpenAi => 1,
        _ => 3,
    }
}

#[tokio::test]
async fn a_whole_stream() {
    for kind in BOTH {
        let (_simulator, provider) = simulated(kind, Behaviour::ok()).await;
        let mut stream = open(&provider).await.unwrap();
        assert_eq!(
            stream.headers()["content-type"].to_str().unwrap().split(';').next(),
            Some("text/event-stream")
        );
        let (events, end) = read(&mut stream).await;
        end.unwrap();
        let first_token = events.iter().position(|event| event.class.content);
        assert_eq!(first_token, Some(preamble(kind)), "{kind:?}");
        assert!(events.iter().any(|event| event.class.finish()));
        let (last, others) = events.split_last().unwrap();
        assert!(last.class.done && others.iter().all(|event| !event.class.done), "{kind:?}");
        assert!(stream.next().await.unwrap().is_none(), "its end stays its end");
        if kind == Kind::Anthropic {
            assert_eq!(stream.usage().output, Some(3));
        }
    }
}

#[tokio::test]
async fn a_whole_stream_leaves_its_connection_to_the_next() {
    for kind in BOTH {
        let (simulator, provider) = simulated(kind, Behaviour::ok()).await;
        for _ in 0..3 {
            read(&mut open(&provider).await.unwrap()).await.1.unwrap();
        }
        assert_eq!(simulator.seen().open_connections(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_missing_end_marker_alone_is_mended() {
    for kind in BOTH {
        let (_simulator, provider) = simulated(kind, Behaviour::ok()).await;
        let (whole, _) = read(&mut open(&provider).await.unwrap()).await;
        let (_simulator, provider) = simulated(kind, Fault::NoDone).await;
        let (mended, end) = read(&mut open(&provider).await.unwrap()).await;
        end.unwrap();
        assert_eq!(mended.len(), whole.len());
        let last = mended.last().unwrap();
        assert!(last.class.done);
        assert_eq!(last.bytes, end_marker(provider.dialect().unwrap()));
    }
}

#[tokio::test]
async fn a_stream_that_stops_before_its_finish_is_cut() {
    for kind in BOTH {
        for after in [0, 1, preamble(kind) + 2] {
            for (fault, blamed_on) in [
                (Fault::End { after }, FaultKind::Cut),
                (Fault::Cut { after }, FaultKind::Cut),
                (Fault::Garbage { after }, FaultKind::Invalid),
            ] {
                let (_simulator, provider) = simulated(kind, fault.clone()).await;
                let mut stream = open(&provider).await.unwrap();
                let (events, end) = read(&mut stream).await;
                let told = end.unwrap_err();
                assert_eq!((told.kind, told.blame), (blamed_on, Blame::Provider), "{kind:?} {fault:?}");
                assert_eq!(events.len(), after, "what came before was given: {kind:?} {fault:?}");
                assert!(!text(&events).contains("[DONE]") && !text(&events).contains("message_stop"));
                assert_eq!(stream.next().await.unwrap_err().kind, blamed_on, "a fault is final");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_stream_is_cut_and_a_page_of_html_is_invalid() {
    for kind in BOTH {
        for (fault, expected) in [(Fault::Empty, FaultKind::Cut), (Fault::NotJson, FaultKind::Invalid)] {
            let (_simulator, provider) = simulated(kind, fault).await;
            let told = match open(&provider).await {
                Ok(mut stream) => read(&mut stream).await.1.unwrap_err(),
                Err(fault) => fault,
            };
            assert_eq!((told.kind, told.blame), (expected, Blame::Provider), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn an_error_event_can_be_told_before_and_after_content() {
    for kind in BOTH {
        for after in [preamble(kind), preamble(kind) + 1] {
            let error = Refusal::overloaded();
            let (_simulator, provider) = simulated(kind, Fault::ErrorEvent { after, error }).await;
            let (events, end) = read(&mut open(&provider).await.unwrap()).await;
            assert_eq!(events.len(), after);
            let told = end.unwrap_err();
            assert_eq!((told.kind, told.blame), (FaultKind::Reported, Blame::Provider), "{kind:?}");
            let status = told.status.unwrap();
            assert!(matches!(status, 503 | 529), "{kind:?} {status}");
            assert_eq!(told.answer.unwrap().status.as_u16(), status);
        }
    }
}

#[tokio::test]
async fn an_error_event_may_be_the_callers_own() {
    for kind in BOTH {
        let fault = Fault::ErrorEvent { after: 1, error: Refusal::context_too_long() };
        let (_simulator, provider) = simulated(kind, fault).await;
        let told = read(&mut open(&provider).await.unwrap()).await.1.unwrap_err();
        assert_eq!(told.blame, Blame::ContextTooLong, "{kind:?}");
        assert_eq!(told.answer.unwrap().status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_refused_stream_is_judged_like_any_call() {
    for kind in BOTH {
        let (_simulator, provider) = simulated(kind, Refusal::insufficient_quota()).await;
        let told = open(&provider).await.unwrap_err();
        assert_eq!((told.kind, told.blame), (FaultKind::Status, Blame::Spent), "{kind:?}");
        assert!(told.answer.is_some());
    }
}

#[tokio::test]
async fn a_dropped_stream_stops_the_providers_call() {
    let (simulator, provider) = simulated(Kind::OpenAi, Fault::Silence { after: 2 }).await;
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap();
    drop(stream);
    simulator.until(|seen| seen.abandoned() == 1 && seen.open_connections() == 0).await;
}

#[tokio::test]
async fn a_failed_streams_connection_is_closed_at_once() {
    // The simulator itself would keep it for an hour.
    let slow = Behaviour::ok().gap(Duration::from_secs(3600)).with(Fault::Garbage { after: 0 });
    let (simulator, provider) = simulated(Kind::OpenAi, slow).await;
    let mut stream = open(&provider).await.unwrap();
    read(&mut stream).await.1.unwrap_err();
    simulator.until(|seen| seen.open_connections() == 0).await;
    drop(stream);
}
