//! Which models are called, in which order, with what request.

use dialects::{Endpoint, Request};
use manager::CallError;
use simulator::{Behaviour, Fault};

use crate::support::{Fixture, TestConfig, chat, complete, messages, never_trips, text_of};

#[tokio::test]
async fn the_first_model_responds_and_its_circuit_stays_closed() {
    let world = Fixture::new().await;
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("openai:m", 1));
    assert_eq!(complete(reply).0, 200);
    assert_eq!(world.calls(), (1, 0));
    assert!(world.until_admission_known("openai:m").await);
}

#[tokio::test]
async fn the_body_is_unchanged_except_for_the_models_name() {
    let world = Fixture::new().await;
    world.call(chat("openai/m", false)).await.unwrap();
    let seen = world.first.traffic();
    let received = String::from_utf8(seen.received()[0].body.to_vec()).unwrap();
    let sent = r#"{ "model":"m", "messages":[{"role":"user","content":"the secret prompt"}],"stream":false, "odd" : 1.50}"#;
    assert_eq!(received, sent);
}

#[tokio::test]
async fn a_model_with_an_open_circuit_is_skipped() {
    let world = Fixture::new().await;
    world.first.script("m", Behaviour::status(http::StatusCode::BAD_GATEWAY));
    for calls in 1..=5 {
        let reply = world.call(chat("chat", false)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), "backup:m");
        assert_eq!(world.calls(), (1, calls), "the first failure trips, so not even its own call retries");
        world.refusal("openai:m").await;
    }
}

#[tokio::test]
async fn retries_on_the_same_model_come_before_the_next_one() {
    let world = Fixture::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
    world.first.script("m", simulator::Script::first(1, Fault::Reset));
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts, world.calls()), ("openai:m", 2, (2, 0)));

    world.first.script("m", Fault::Reset);
    let reply = world.call(chat("chat", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("backup:m", 3));
    // The first attempt had a kept connection, so it was sent once more, uncounted (C1).
    assert_eq!(world.calls(), (5, 1));
}

#[tokio::test]
async fn a_model_of_another_api_format_is_called_in_its_turn() {
    let world = Fixture::new().await;
    let reply = world.call(chat("mixed", false)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), ("anthropic:m", 1));
    assert_eq!(reply.translated.unwrap().to_string(), "openai-chat>anthropic");
    world.first.script("m", Fault::Reset);
    let reply = world.call(messages("mixed", true)).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), "vertex:m", "no translation: it has the caller's API format");
    assert_eq!(reply.translated, None);
}

#[tokio::test]
async fn an_endpoint_without_a_counterpart_is_unsupported() {
    let world = Fixture::new().await;
    let mut call = chat("messages", false);
    call.request = Request::parse(Endpoint::ResponsesCompact, call.request.body().clone()).unwrap();
    let error = world.call(call).await.unwrap_err();
    assert!(matches!(error, CallError::UnsupportedApi { path: Endpoint::ResponsesCompact, .. }), "{error:?}");
    assert_eq!((error.status(), error.code()), (400, "unsupported_api"));
    assert_eq!(world.first.traffic().all_calls(), 0);
}

#[tokio::test]
async fn without_fallback_only_the_first_model_is_called() {
    let world = Fixture::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
    world.first.script("m", Fault::Reset);
    let mut call = chat("chat", false);
    call.fallback = false;
    let error = world.call(call).await.unwrap_err();
    assert_eq!((error.code(), world.calls()), ("attempts_exhausted", (2, 0)));
}

#[tokio::test]
async fn an_injected_fault_fails_the_first_model_and_is_not_counted() {
    let world = Fixture::new().await;
    let mut call = chat("chat", true);
    call.injected_fault = Some("503".parse().unwrap());
    let reply = world.call(call).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts, world.calls()), ("backup:m", 1, (0, 1)));
    assert_eq!(text_of(&crate::support::stream_events(reply).await), "Hello from m.");
    assert!(world.until_admission_known("openai:m").await);

    let mut call = chat("openai:m", false);
    call.injected_fault = Some("429".parse().unwrap());
    let error = world.call(call).await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("attempts_exhausted", 429));
}

#[tokio::test]
async fn when_all_fail_the_error_has_each_reason_and_nothing_of_the_prompt() {
    let world = Fixture::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
    world.first.script("m", Behaviour::status(http::StatusCode::INTERNAL_SERVER_ERROR));
    world.second.script("m", Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    let error = world.call(chat("chat", false)).await.unwrap_err();
    assert_eq!((error.code(), error.status(), world.calls()), ("attempts_exhausted", 503, (2, 2)));
    assert!(!error.is_permanent(), "an outage ends by itself");
    assert_eq!(error.retry_in(), Some(std::time::Duration::from_secs(1)));
    let text = error.to_string();
    for part in ["no model of chat returned a response", "openai:m: ", "500", "backup:m: ", "503"] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!format!("{text} {error:?}").contains("secret prompt"));
}

#[tokio::test]
async fn when_all_are_open_the_error_has_the_time_of_the_next_retry() {
    let world = Fixture::new().await;
    for sim in [&world.first, &world.second] {
        sim.script("m", Fault::Reset);
    }
    world.call(chat("chat", false)).await.unwrap_err();
    world.refusal("openai:m").await;
    world.refusal("backup:m").await;
    let calls = world.calls();
    let error = world.call(chat("chat", false)).await.unwrap_err();
    assert_eq!((error.code(), error.status(), world.calls()), ("circuit_open", 503, calls));
    assert!(error.to_string().contains("openai:m: ") && error.to_string().contains("backup:m: "), "{error}");
    let retry_in = error.retry_in().unwrap().as_secs();
    assert!((30..=70).contains(&retry_in), "{retry_in} s");
}

#[tokio::test]
async fn settings_are_replaced_and_circuits_stay() {
    let world = Fixture::new().await;
    world.first.script("m", Fault::Reset);
    world.call(chat("chat", false)).await.unwrap();
    world.refusal("openai:m").await;
    world.manager.replace(manager::Settings::default()).unwrap();
    let error = world.call(chat("chat", false)).await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("unknown_model", 404));
    assert!(!world.until_admission_known("openai:m").await);
}
