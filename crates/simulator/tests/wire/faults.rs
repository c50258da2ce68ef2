use std::error::Error;
use std::io;
use std::time::Duration;

use serde_json::Value;
use simulator::{Behaviour, Fault, ProviderError, Script, Simulator};

use crate::client::{ALL_APIS, Api, call, data, events_of, json_of, read_events, stream, try_call};

async fn simulator_with(fault: impl Into<Script>) -> Simulator {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", fault);
    simulator
}

/// A good stream's events, to compare with; the number of the request is in them.
async fn good_events(api: Api) -> Vec<String> {
    let simulator = Simulator::start().await.unwrap();
    events_of(stream(&simulator, api, "m").await).await.0
}

fn io_error_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

#[tokio::test]
async fn a_reset_comes_instead_of_any_head() {
    let simulator = simulator_with(Fault::Reset).await;
    for api in ALL_APIS {
        for stream in [false, true] {
            let error = try_call(&simulator, api, "m", stream).await.unwrap_err();
            assert!(!error.is_connect());
            assert_eq!(io_error_kind(&error), Some(io::ErrorKind::ConnectionReset), "{error:?}");
        }
    }
    assert_eq!(simulator.traffic().calls("m"), 2 * ALL_APIS.len());
    assert_eq!(simulator.traffic().disconnected(), 0);
}

#[tokio::test]
async fn a_reset_stream_breaks_after_exactly_so_many_events() {
    for api in ALL_APIS {
        let good = good_events(api).await;
        for after in [0, 1, api.preamble() + 1] {
            let simulator = simulator_with(Fault::ResetAfter { after }).await;
            let mut response = stream(&simulator, api, "m").await;
            assert_eq!(response.status(), 200);
            let events = read_events(&mut response, after).await;
            assert_eq!(without_time(&events), without_time(&good[..after]));
            let error = response.chunk().await.unwrap_err();
            assert_eq!(
                io_error_kind(&error),
                Some(io::ErrorKind::ConnectionReset),
                "{api:?} {after}: {error:?}"
            );
            assert_eq!(simulator.traffic().disconnected(), 0);
        }
    }
}

#[tokio::test]
async fn a_plain_answer_is_reset_after_its_head_or_in_its_middle() {
    for (after, some) in [(0, false), (1, true)] {
        let simulator = simulator_with(Fault::ResetAfter { after }).await;
        for api in ALL_APIS {
            let mut response = call(&simulator, api, "m").await;
            assert_eq!(response.status(), 200);
            if some {
                assert!(response.chunk().await.unwrap().is_some());
            }
            let error = response.chunk().await.unwrap_err();
            assert_eq!(io_error_kind(&error), Some(io::ErrorKind::ConnectionReset), "{error:?}");
        }
    }
}

/// Not as fast as it can be: that would fill the socket's buffers first.
fn endless_after(after: usize) -> Behaviour {
    Behaviour::ok().gap(Duration::from_millis(1)).with(Fault::Endless { after })
}

#[tokio::test]
async fn an_endless_stream_says_the_same_until_its_client_leaves() {
    for (left, api) in ALL_APIS.into_iter().enumerate() {
        let good = good_events(api).await;
        let simulator = simulator_with(endless_after(api.preamble() + 1)).await;
        let mut response = stream(&simulator, api, "m").await;
        let events = read_events(&mut response, 30).await;
        let (begun, again) = events.split_at(api.preamble());
        assert_eq!(without_time(begun), without_time(&good[..api.preamble()]));
        assert!(again.iter().take(20).all(|event| without_time(std::slice::from_ref(event))
            == without_time(&good[api.preamble()..=api.preamble()])));
        drop(response);
        simulator.wait_until(|seen| seen.in_flight() == 0).await;
        assert_eq!(simulator.traffic().disconnected(), 1, "{left}");
    }
}

#[tokio::test]
async fn an_endless_stream_of_nothing_is_comments() {
    let simulator = simulator_with(endless_after(0)).await;
    let mut response = stream(&simulator, Api::OpenAi, "m").await;
    let events = read_events(&mut response, 20).await;
    assert!(events.iter().take(20).all(|event| event.starts_with(": ")), "{events:?}");
    simulator.stop().await;
    assert!(!events_of(response).await.1, "an endless response is aborted when the simulator stops");
}

#[tokio::test]
async fn an_endless_plain_answer_goes_on_until_its_client_leaves() {
    let simulator = simulator_with(endless_after(1)).await;
    for api in ALL_APIS {
        let mut response = call(&simulator, api, "m").await;
        let mut bytes = 0;
        while bytes < 5_000 {
            bytes += response.chunk().await.unwrap().unwrap().len();
        }
        drop(response);
        simulator.wait_until(|seen| seen.in_flight() == 0).await;
    }
    assert_eq!(simulator.traffic().disconnected(), ALL_APIS.len());
}

#[tokio::test]
async fn a_hanging_call_is_in_flight_until_its_client_leaves() {
    let simulator = simulator_with(Fault::Hang).await;
    for (left, api) in ALL_APIS.into_iter().enumerate() {
        let call = try_call(&simulator, api, "m", true);
        tokio::select! {
            response = call => panic!("got a response: {response:?}"),
            () = simulator.wait_until(|seen| seen.in_flight() == 1) => {}
        }
        simulator.wait_until(|seen| seen.in_flight() == 0).await;
        assert_eq!(simulator.traffic().disconnected(), left + 1);
    }
}

#[tokio::test]
async fn a_cut_stream_breaks_after_exactly_so_many_events() {
    for api in ALL_APIS {
        let good = good_events(api).await;
        for after in [0, 1, 3, api.stream_length() - 1] {
            let simulator = simulator_with(Fault::Cut { after }).await;
            let (events, clean) = events_of(stream(&simulator, api, "m").await).await;
            assert_eq!(without_time(&events), without_time(&good[..after]));
            assert!(!clean, "{api:?} after {after}");
            assert_eq!(simulator.traffic().disconnected(), 0);
        }
    }
}

/// The time of a response differs from call to call.
fn without_time(events: &[String]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let time = ["\"created\":", "\"created_at\":"].iter().find_map(|key| event.split_once(key));
            match time {
                Some((before, after)) => format!("{before}{}", &after[10..]),
                None => event.clone(),
            }
        })
        .collect()
}

#[tokio::test]
async fn a_stream_that_ends_early_ends_cleanly() {
    for api in ALL_APIS {
        let after = api.preamble() + 1;
        let simulator = simulator_with(Fault::End { after }).await;
        let (events, clean) = events_of(stream(&simulator, api, "m").await).await;
        assert_eq!(without_time(&events), without_time(&good_events(api).await[..after]));
        assert!(clean);
    }
}

#[tokio::test]
async fn a_silent_stream_shows_its_first_event_and_stays_open() {
    for api in ALL_APIS {
        let simulator = simulator_with(Fault::Silence { after: 1 }).await;
        let mut response = stream(&simulator, api, "m").await;
        assert_eq!(read_events(&mut response, 1).await.len(), 1);
        assert_eq!(simulator.traffic().in_flight(), 1);
        drop(response);
        simulator.wait_until(|seen| seen.disconnected() == 1).await;
    }
}

#[tokio::test]
async fn garbage_stands_between_good_events() {
    for api in ALL_APIS {
        let after = api.preamble();
        let simulator = simulator_with(Fault::Garbage { after }).await;
        let (mut events, clean) = events_of(stream(&simulator, api, "m").await).await;
        let garbage = events.remove(after);
        let json = garbage.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        assert!(serde_json::from_str::<Value>(json).is_err());
        assert_eq!(without_time(&events), without_time(&good_events(api).await));
        assert!(clean);
    }
}

#[tokio::test]
async fn an_error_event_is_the_last_of_a_200() {
    for api in ALL_APIS {
        let after = api.preamble() + 1;
        let simulator = simulator_with(Fault::ErrorEvent { after, error: ProviderError::overloaded() }).await;
        let response = stream(&simulator, api, "m").await;
        assert_eq!(response.status(), 200);
        let (events, clean) = events_of(response).await;
        assert!(clean);
        assert_eq!(events.len(), after + 1);
        let mut error = data(&events[after]);
        if api == Api::Responses {
            assert_eq!(error["type"], "response.failed");
            assert_eq!(error["sequence_number"], after);
            assert_eq!(error["response"]["status"], "failed");
            error = error["response"].take();
        }
        assert!(error["error"]["message"].is_string());
        if api == Api::Anthropic {
            assert!(events[after].starts_with("event: error\n"));
            assert_eq!(error["error"]["type"], "overloaded_error");
        }
    }
}

#[tokio::test]
async fn only_the_end_marker_is_missing() {
    let simulator = simulator_with(Fault::NoDone).await;
    for api in ALL_APIS {
        let (events, clean) = events_of(stream(&simulator, api, "m").await).await;
        assert!(clean);
        assert_eq!(events.len(), api.stream_length() - 1);
    }
    let (events, _) = events_of(stream(&simulator, Api::OpenAi, "m").await).await;
    assert_eq!(data(events.last().unwrap())["choices"][0]["finish_reason"], "stop");
    assert_eq!(json_of(call(&simulator, Api::OpenAi, "m").await).await["object"], "chat.completion");
}

#[tokio::test]
async fn an_empty_answer_is_a_200_with_nothing() {
    let simulator = simulator_with(Fault::Empty).await;
    for api in ALL_APIS {
        for stream in [false, true] {
            let response = try_call(&simulator, api, "m", stream).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.bytes().await.unwrap(), "");
        }
    }
    assert_eq!((simulator.traffic().in_flight(), simulator.traffic().disconnected()), (0, 0));
}

#[tokio::test]
async fn a_page_of_html_is_a_200_too() {
    let simulator = simulator_with(Fault::NotJson).await;
    for api in ALL_APIS {
        for stream in [false, true] {
            let response = try_call(&simulator, api, "m", stream).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "text/html");
            assert!(response.text().await.unwrap().starts_with("<html>"));
        }
    }
}

#[tokio::test]
async fn a_plain_answer_cut_off_is_an_incomplete_body() {
    for after in [0, 1] {
        let simulator = simulator_with(Fault::Cut { after }).await;
        for api in ALL_APIS {
            let response = call(&simulator, api, "m").await;
            assert_eq!(response.status(), 200);
            assert!(response.bytes().await.is_err());
        }
    }
}

#[tokio::test]
async fn a_plain_answer_that_ends_early_is_whole_but_no_json() {
    for fault in [Fault::End { after: 1 }, Fault::Garbage { after: 1 }] {
        let simulator = simulator_with(fault).await;
        for api in ALL_APIS {
            let body = call(&simulator, api, "m").await.bytes().await.unwrap();
            assert!(!body.is_empty());
            assert!(serde_json::from_slice::<Value>(&body).is_err());
        }
    }
}

#[tokio::test]
async fn a_plain_answer_falls_silent_in_the_middle() {
    let simulator = simulator_with(Fault::Silence { after: 1 }).await;
    for (left, api) in ALL_APIS.into_iter().enumerate() {
        let mut response = call(&simulator, api, "m").await;
        assert!(response.chunk().await.unwrap().is_some());
        drop(response);
        simulator.wait_until(|seen| seen.disconnected() == left + 1).await;
    }
}

#[tokio::test]
async fn a_plain_answer_is_an_error_under_a_200() {
    let simulator =
        simulator_with(Fault::ErrorEvent { after: 0, error: ProviderError::rate_limited() }).await;
    for api in ALL_APIS {
        let response = call(&simulator, api, "m").await;
        assert_eq!(response.status(), 200);
        assert!(json_of(response).await["error"]["message"].is_string());
    }
}
