//! Streams: which are complete, and which only look so.

use std::io::Write as _;
use std::time::Duration;

use dialects::events::end_marker;
use futures_util::FutureExt as _;
use http::StatusCode;
use providers::{FailureClass, ProviderErrorKind, ProviderKind};
use simulator::{Behaviour, Fault, ProviderError as InjectedError};

use crate::http_server::{HttpServer, Reply};
use crate::setup::{KINDS, open, provider, read_all, simulated, text};

/// The number of events before the first token in the simulator's streams.
fn preamble(kind: ProviderKind) -> usize {
    match kind {
        ProviderKind::OpenAi => 1,
        _ => 3,
    }
}

#[tokio::test]
async fn a_complete_stream() {
    for kind in KINDS {
        let (_simulator, provider) = simulated(kind, Behaviour::ok()).await;
        let mut stream = open(&provider).await.unwrap();
        assert_eq!(
            stream.headers()["content-type"].to_str().unwrap().split(';').next(),
            Some("text/event-stream")
        );
        let (events, end) = read_all(&mut stream).await;
        end.unwrap();
        let first_token = events.iter().position(|event| event.has_content);
        assert_eq!(first_token, Some(preamble(kind)), "{kind:?}");
        assert!(events.iter().any(|event| event.has_finish_reason));
        let (last, others) = events.split_last().unwrap();
        assert!(last.is_last && others.iter().all(|event| !event.is_last), "{kind:?}");
        assert!(stream.next().await.unwrap().is_none(), "the end is final");
        if kind == ProviderKind::Anthropic {
            assert_eq!(stream.usage().output, Some(3));
        }
    }
}

#[tokio::test]
async fn a_complete_stream_leaves_its_connection_to_the_next() {
    for kind in KINDS {
        let (simulator, provider) = simulated(kind, Behaviour::ok()).await;
        for _ in 0..3 {
            read_all(&mut open(&provider).await.unwrap()).await.1.unwrap();
        }
        assert_eq!(simulator.traffic().open_connections(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_missing_end_marker_is_added() {
    for kind in KINDS {
        let (_simulator, provider) = simulated(kind, Behaviour::ok()).await;
        let (complete, _) = read_all(&mut open(&provider).await.unwrap()).await;
        let (_simulator, provider) = simulated(kind, Fault::NoDone).await;
        let (repaired, end) = read_all(&mut open(&provider).await.unwrap()).await;
        end.unwrap();
        assert_eq!(repaired.len(), complete.len());
        let last = repaired.last().unwrap();
        assert!(last.is_last);
        assert_eq!(last.bytes, end_marker(provider.dialects()[0]));
    }
}

#[tokio::test]
async fn a_stream_that_stops_before_its_finish_is_truncated() {
    for kind in KINDS {
        for after in [0, 1, preamble(kind) + 2] {
            for (fault, expected_kind) in [
                (Fault::End { after }, ProviderErrorKind::Truncated),
                (Fault::Cut { after }, ProviderErrorKind::Truncated),
                (Fault::Garbage { after }, ProviderErrorKind::Invalid),
            ] {
                let (_simulator, provider) = simulated(kind, fault.clone()).await;
                let mut stream = open(&provider).await.unwrap();
                let (events, end) = read_all(&mut stream).await;
                let actual = end.unwrap_err();
                assert_eq!(
                    (actual.kind, actual.class),
                    (expected_kind, FailureClass::Provider),
                    "{kind:?} {fault:?}"
                );
                assert_eq!(events.len(), after, "events before the fault: {kind:?} {fault:?}");
                assert!(!text(&events).contains("[DONE]") && !text(&events).contains("message_stop"));
                assert_eq!(stream.next().await.unwrap_err().kind, expected_kind, "an error is final");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_stream_is_truncated_and_a_page_of_html_is_invalid() {
    for kind in KINDS {
        for (fault, expected) in
            [(Fault::Empty, ProviderErrorKind::Truncated), (Fault::NotJson, ProviderErrorKind::Invalid)]
        {
            let (_simulator, provider) = simulated(kind, fault).await;
            let actual = match open(&provider).await {
                Ok(mut stream) => read_all(&mut stream).await.1.unwrap_err(),
                Err(error) => error,
            };
            assert_eq!((actual.kind, actual.class), (expected, FailureClass::Provider), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn an_error_event_is_an_error_before_and_after_the_first_token() {
    for kind in KINDS {
        for after in [preamble(kind), preamble(kind) + 1] {
            let error = InjectedError::overloaded();
            let (_simulator, provider) = simulated(kind, Fault::ErrorEvent { after, error }).await;
            let (events, end) = read_all(&mut open(&provider).await.unwrap()).await;
            assert_eq!(events.len(), after);
            let actual = end.unwrap_err();
            assert_eq!(
                (actual.kind, actual.class),
                (ProviderErrorKind::ErrorInBody, FailureClass::Provider),
                "{kind:?}"
            );
            let status = actual.status.unwrap();
            assert!(matches!(status, 503 | 529), "{kind:?} {status}");
            assert_eq!(actual.response.unwrap().status.as_u16(), status);
        }
    }
}

#[tokio::test]
async fn an_error_event_may_concern_the_request() {
    for kind in KINDS {
        let fault = Fault::ErrorEvent { after: 1, error: InjectedError::context_too_long() };
        let (_simulator, provider) = simulated(kind, fault).await;
        let actual = read_all(&mut open(&provider).await.unwrap()).await.1.unwrap_err();
        assert_eq!(actual.class, FailureClass::ContextTooLong, "{kind:?}");
        assert_eq!(actual.response.unwrap().status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_rejected_stream_is_classified_like_any_call() {
    for kind in KINDS {
        let (_simulator, provider) = simulated(kind, InjectedError::insufficient_quota()).await;
        let actual = open(&provider).await.unwrap_err();
        assert_eq!(
            (actual.kind, actual.class),
            (ProviderErrorKind::Status, FailureClass::QuotaExhausted),
            "{kind:?}"
        );
        assert!(actual.response.is_some());
    }
}

#[tokio::test]
async fn dropping_a_stream_cancels_the_providers_call() {
    let (simulator, provider) = simulated(ProviderKind::OpenAi, Fault::Silence { after: 2 }).await;
    let mut stream = open(&provider).await.unwrap();
    stream.next().await.unwrap();
    drop(stream);
    simulator.wait_until(|seen| seen.disconnected() == 1 && seen.open_connections() == 0).await;
}

#[tokio::test]
async fn a_failed_streams_connection_is_closed_immediately() {
    // The simulator would keep it for an hour.
    let slow = Behaviour::ok().gap(Duration::from_secs(3600)).with(Fault::Garbage { after: 0 });
    let (simulator, provider) = simulated(ProviderKind::OpenAi, slow).await;
    let mut stream = open(&provider).await.unwrap();
    read_all(&mut stream).await.1.unwrap_err();
    simulator.wait_until(|seen| seen.open_connections() == 0).await;
    drop(stream);
}

#[tokio::test]
async fn events_of_a_compressed_stream_that_have_come_are_there_without_waiting() {
    // Larger than one read from the socket.
    let content = "x".repeat(2000);
    let event =
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n");
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let plain = event.repeat(200) + end;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(plain.as_bytes()).unwrap();
    let body = encoder.finish().unwrap();
    let server = HttpServer::start(move |_| Reply {
        status: 200,
        headers: vec![
            ("content-type", "text/event-stream".to_owned()),
            ("content-encoding", "gzip".to_owned()),
        ],
        body: body.clone().into(),
    })
    .await;
    let mut stream = open(&provider(ProviderKind::OpenAi, &server.url)).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = stream.next().await.unwrap() {
        events.push(event);
        while let Some(Some(event)) = stream.next().now_or_never().map(Result::unwrap) {
            events.push(event);
        }
    }
    assert_eq!(text(&events), plain);
}
