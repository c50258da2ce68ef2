//! What follows from each fault of a provider: for the circuit, and for the call (C1, C2, B9).

use std::time::Duration;

use http::StatusCode;
use manager::{CallError, OnAuthError};
use providers::Timeouts;
use simulator::{Behaviour, Fault, ProviderError};

use crate::support::{Fixture, TestConfig, chat, complete, messages, never_trips};

/// Whose response the caller gets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ResponseFrom {
    /// The second model's good response.
    NextModel,
    /// The first model's error, unchanged.
    FirstModel,
}

/// Whether the first model's circuit is open afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ExpectedCircuit {
    Open,
    StaysClosed,
}

fn status(code: u16) -> Behaviour {
    Behaviour::status(StatusCode::from_u16(code).unwrap())
}

/// A provider's fault, and what must follow on a route, in both API formats, streamed or not.
fn fault_table() -> Vec<(&'static str, Behaviour, ResponseFrom, ExpectedCircuit)> {
    use ExpectedCircuit::{Open, StaysClosed};
    use ResponseFrom::{FirstModel, NextModel};
    let rate_limit = ProviderError::rate_limited;
    vec![
        ("408", status(408), NextModel, Open),
        ("409", status(409), NextModel, Open),
        ("424", status(424), NextModel, Open),
        ("425", status(425), NextModel, Open),
        ("500", status(500), NextModel, Open),
        ("502", status(502), NextModel, Open),
        ("503", status(503), NextModel, Open),
        ("504", status(504), NextModel, Open),
        ("529", status(529), NextModel, Open),
        ("429 without a wait", rate_limit().into(), NextModel, Open),
        ("429 with a long wait", rate_limit().retry_after(Duration::from_secs(90)).into(), NextModel, Open),
        ("429 with a reset", rate_limit().resets_in(Duration::from_secs(90)).into(), NextModel, Open),
        ("quota exhausted", ProviderError::insufficient_quota().into(), NextModel, Open),
        ("spend limit", ProviderError::spend_limit().into(), NextModel, Open),
        ("402", status(402), NextModel, Open),
        ("unknown model", status(404), NextModel, Open),
        ("reset", Fault::Reset.into(), NextModel, Open),
        ("empty response", Fault::Empty.into(), NextModel, Open),
        ("not JSON", Fault::NotJson.into(), NextModel, Open),
        ("context too long", ProviderError::context_too_long().into(), NextModel, StaysClosed),
        ("400", status(400), FirstModel, StaysClosed),
        ("413", status(413), FirstModel, StaysClosed),
        ("422", status(422), FirstModel, StaysClosed),
        ("content policy", ProviderError::content_policy().into(), FirstModel, StaysClosed),
    ]
}

#[tokio::test]
async fn each_fault_has_its_consequence_on_a_route() {
    for (name, behaviour, gets, circuit) in fault_table() {
        for (dialect, stream) in [("chat", false), ("chat", true), ("messages", false), ("messages", true)] {
            let case = format!("{name}, {dialect}, stream {stream}");
            let world = Fixture::new().await;
            world.first.script("m", behaviour.clone());
            let (call, key) = match dialect {
                "chat" => (chat("chat", stream), "openai:m"),
                _ => (messages("messages", stream), "anthropic:m"),
            };
            let reply = world.call(call).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            let by_first = reply.answered_by.as_str() == key;
            assert_eq!(
                by_first,
                gets == ResponseFrom::FirstModel,
                "{case}: answered by {}",
                reply.answered_by
            );
            if gets == ResponseFrom::FirstModel {
                let (status, body) = complete(reply);
                assert!((400..500).contains(&status), "{case}: {status}");
                assert!(String::from_utf8_lossy(&body).contains("\"error\""), "{case}: {body:?}");
            }
            match circuit {
                ExpectedCircuit::Open => drop(world.refusal(key).await),
                ExpectedCircuit::StaysClosed => {
                    assert!(world.until_admission_known(key).await, "{case}: the circuit is open");
                }
            }
            assert_eq!(world.first.traffic().calls("m"), 1, "{case}: calls to the first model");
        }
    }
}

#[tokio::test]
async fn no_connection_is_a_failure() {
    let world = Fixture::new().await;
    world.first.refuse_connections().await.unwrap();
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), "backup:m");
    world.refusal("openai:m").await;
}

#[tokio::test]
async fn a_rejected_api_key_is_reported_with_its_provider() {
    for (status, stream) in [(401, false), (401, true)] {
        let world = Fixture::new().await;
        world.first.script("m", self::status(status));
        let error = world.call(chat("chat", stream)).await.unwrap_err();
        assert!(matches!(error, CallError::ProviderAuth { .. }), "{error:?}");
        assert_eq!((error.code(), error.status(), world.calls()), ("provider_auth", status, (1, 0)));
        assert!(error.to_string().contains("provider openai rejected the gateway's API key"), "{error}");
        assert!(world.until_admission_known("openai:m").await);
    }
}

#[tokio::test]
async fn a_403_is_about_the_key_only_if_it_says_so() {
    for on_auth_error in [OnAuthError::Report, OnAuthError::Fallback] {
        let world = Fixture::with(TestConfig { on_auth_error, ..TestConfig::default() }).await;
        world.first.script("m", status(403));
        let (status, body) = complete(world.call(chat("chat", false)).await.unwrap());
        assert_eq!((status, world.calls()), (403, (1, 0)), "{body:?}");
        world.first.script("m", ProviderError::key_forbidden());
        match world.call(chat("chat", false)).await {
            Ok(reply) => assert_eq!(reply.answered_by.as_str(), "backup:m"),
            Err(error) => assert_eq!((error.code(), error.status()), ("provider_auth", 403)),
        }
        assert_eq!(world.calls().1, usize::from(on_auth_error == OnAuthError::Fallback));
        assert!(world.until_admission_known("openai:m").await);
    }
}

#[tokio::test]
async fn a_request_that_never_fits_goes_to_the_next_model_and_is_not_counted() {
    let world = Fixture::new().await;
    world.first.script("m", ProviderError::request_too_large());
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), world.calls()), ("backup:m", (1, 1)));
    assert!(world.until_admission_known("openai:m").await);
    world.second.script("m", ProviderError::request_too_large());
    let (status, body) = complete(world.call(chat("chat", false)).await.unwrap());
    assert_eq!(status, 429, "{body:?}");
}

#[tokio::test]
async fn a_rejected_api_key_means_the_next_model_if_the_route_says_so() {
    let world =
        Fixture::with(TestConfig { on_auth_error: OnAuthError::Fallback, ..TestConfig::default() }).await;
    world.first.script("m", status(401));
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), world.calls()), ("backup:m", (1, 1)));
    world.second.script("m", status(401));
    let error = world.call(chat("chat", false)).await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("provider_auth", 401));
    assert!(error.to_string().contains("provider backup"), "{error}");
}

#[tokio::test]
async fn the_errors_of_a_model_without_a_route_are_returned() {
    for behaviour in [status(404), ProviderError::insufficient_quota().into(), status(402)] {
        let world = Fixture::new().await;
        world.first.script("typo", behaviour.clone());
        let (status, body) = complete(world.call(chat("openai:typo", false)).await.unwrap());
        assert!((400..500).contains(&status), "{behaviour:?}: {status} {body:?}");
        assert_eq!(world.first.traffic().calls("typo"), 1);
        assert!(world.until_admission_known("openai:typo").await, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_misspelt_model_leaves_no_circuit_behind() {
    let world = Fixture::new().await;
    world.first.script_default(status(404));
    for model in ["openai:typo", "openai:m"] {
        world.call(chat(model, false)).await.unwrap();
        world.circuits.wait_idle(&model.parse().unwrap()).await;
    }
    let known: Vec<_> = world.circuits.reports().iter().map(|report| report.key.to_string()).collect();
    assert_eq!(known, ["openai:m"], "a route has this one");
}

#[tokio::test]
async fn too_long_for_every_model_returns_the_providers_error() {
    let world = Fixture::new().await;
    for sim in [&world.first, &world.second] {
        sim.script("m", ProviderError::context_too_long());
    }
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("backup:m", 2));
    let (status, body) = complete(reply);
    assert_eq!(status, 400);
    assert!(String::from_utf8_lossy(&body).contains("context_length_exceeded"), "{body:?}");
}

#[tokio::test]
async fn a_provider_that_timed_out_is_not_retried_by_the_same_call() {
    // The other model responds within it on a busy machine, too.
    let brief = Duration::from_millis(500);
    for stream in [false, true] {
        let timeouts = Timeouts { first_byte: brief, response: brief, ..TestConfig::default().timeouts };
        let world =
            Fixture::with(TestConfig { timeouts, policy: never_trips(), ..TestConfig::default() }).await;
        world.first.script("m", Fault::Hang);
        let reply = world.call(chat("chat", stream)).await.unwrap();
        assert_eq!((reply.answered_by.as_str(), world.calls()), ("backup:m", (1, 1)), "stream {stream}");
    }
}

#[tokio::test]
async fn a_timeout_counts_and_stops_the_providers_call() {
    // The other model responds within it on a busy machine, too.
    let brief = Duration::from_millis(500);
    let timeouts = Timeouts { response: brief, ..TestConfig::default().timeouts };
    let world = Fixture::with(TestConfig { timeouts, ..TestConfig::default() }).await;
    world.first.script("m", Fault::Hang);
    world.call(chat("chat", false)).await.unwrap();
    world.refusal("openai:m").await;
    world.first.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
}
