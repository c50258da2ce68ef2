//! Models of other API formats than the caller's: fallback, losses, streams (T1, T3, T6, T9).

use dialects::{Dialect, Endpoint, Request};
use http::StatusCode;
use manager::CallError;
use providers::Timeouts;
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, ProviderError};

use crate::formats::{
    CLAUDE, Formats, GEMINI, GPT, LOCAL, SHORT, answer, buffered, call, ends_with_error, events, is_whole,
    streamed_text, text, with_request,
};
use crate::support::{TestConfig, never_trips};

const PATHS: [Dialect; 4] = Dialect::ALL;

fn overloaded() -> Behaviour {
    Behaviour::status(StatusCode::from_u16(529).unwrap())
}

/// The model's name at its provider.
fn name(key: &str) -> &str {
    key.split_once(':').unwrap().1
}

#[tokio::test]
async fn the_second_model_answers_every_caller_in_its_own_format() {
    for dialect in PATHS {
        for stream in [false, true] {
            let world = Formats::new().await;
            world.anthropic.script_default(overloaded());
            let reply = world.call(call(dialect, "planner", stream, json!({}))).await.unwrap();
            assert_eq!((reply.answered_by.as_str(), reply.attempts), (GPT, 2), "{dialect:?} {stream}");
            let translated = reply.translated.as_ref().map(ToString::to_string);
            let expected = match dialect {
                Dialect::BedrockConverse => panic!("no caller has it"),
                Dialect::OpenAiChat | Dialect::OpenAiResponses => None,
                Dialect::Anthropic => Some("anthropic>openai-responses"),
                Dialect::Gemini => Some("gemini>openai-responses"),
            };
            assert_eq!(translated.as_deref(), expected, "{stream}");
            if stream {
                let events = events(reply).await;
                assert_eq!(streamed_text(dialect, &events), "Hello from gpt-5.4.", "{dialect:?} {events:?}");
                assert!(is_whole(dialect, &events), "{dialect:?} {events:?}");
            } else {
                assert_eq!(text(dialect, &answer(reply).await), "Hello from gpt-5.4.", "{dialect:?}");
            }
            assert_eq!(world.circuit(CLAUDE).await.as_deref(), Some("Open"), "{dialect:?}");
            assert_eq!(world.google.traffic().all_calls(), 0);
        }
    }
}

#[tokio::test]
async fn the_last_model_answers_when_the_others_are_down() {
    for dialect in PATHS {
        let world = Formats::new().await;
        world.anthropic.script_default(overloaded());
        world.openai.script_default(Fault::Reset);
        let reply = world.call(call(dialect, "planner", true, json!({}))).await.unwrap();
        assert_eq!((reply.answered_by.as_str(), reply.attempts), (GEMINI, 3), "{dialect:?}");
        let events = events(reply).await;
        assert_eq!(streamed_text(dialect, &events), "Hello from gemini-2.5-pro.", "{dialect:?} {events:?}");
        assert!(is_whole(dialect, &events), "{dialect:?} {events:?}");
    }
}

#[tokio::test]
async fn what_does_no_harm_is_dropped_and_named() {
    let world = Formats::new().await;
    let fields = json!({"seed": 7, "user": "u"});
    let reply = world.call(call(Dialect::OpenAiChat, CLAUDE, false, fields)).await.unwrap();
    let translated = reply.translated.unwrap();
    assert_eq!(translated.to_string(), "openai-chat>anthropic");
    let mut dropped = translated.dropped;
    dropped.sort();
    assert!(dropped.contains(&"seed".to_owned()), "{dropped:?}");
    let traffic = world.anthropic.traffic();
    let received: Value = serde_json::from_slice(&traffic.received()[0].body).unwrap();
    assert_eq!(received.get("seed"), None, "{received}");
}

#[tokio::test]
async fn a_request_that_no_model_can_carry_is_the_callers_mistake() {
    let world = Formats::new().await;
    let fields = json!({"logit_bias": {"50256": -100}});
    let error = world.call(call(Dialect::OpenAiChat, CLAUDE, false, fields)).await.unwrap_err();
    assert!(matches!(error, CallError::CannotCarry { .. }), "{error:?}");
    assert_eq!((error.status(), error.code(), error.is_permanent()), (400, "cannot_translate", false));
    let message = error.to_string();
    for part in [CLAUDE, "logit_bias", "Anthropic Messages"] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(!message.contains("secret prompt"), "{message}");
    assert_eq!(world.anthropic.traffic().all_calls(), 0);
    assert_eq!(world.circuit(CLAUDE).await, None, "no circuit hears of it");
}

#[tokio::test]
async fn a_model_that_cannot_carry_the_request_is_passed_over() {
    // OpenAI's responses have no logit bias: its chat completions do.
    let world = Formats::new().await;
    let fields = json!({"logit_bias": {"50256": -100}, "n": 2});
    let reply = world.call(call(Dialect::OpenAiChat, "planner", false, fields)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), (GPT, 1));
    assert_eq!(reply.translated, None);
    assert_eq!(world.circuit(CLAUDE).await, None, "the circuit of the model passed over is untouched");

    // Only Gemini has so many candidates as Gemini asks for.
    let world = Formats::new().await;
    let fields = json!({"generationConfig": {"candidateCount": 2}});
    let reply = world.call(call(Dialect::Gemini, "planner", false, fields)).await.unwrap();
    assert_eq!((reply.answered_by.as_str(), reply.attempts), (GEMINI, 1));
    for key in [CLAUDE, GPT] {
        assert_eq!(world.circuit(key).await, None, "{key}");
    }
}

#[tokio::test]
async fn stop_sequences_reach_openai_by_chat() {
    let world = Formats::new().await;
    let reply = world
        .call(call(Dialect::Anthropic, "openai:gpt-4.1", false, json!({"stop_sequences": ["END"]})))
        .await
        .unwrap();
    assert_eq!(reply.translated.as_ref().unwrap().to_string(), "anthropic>openai-chat");
    let traffic = world.openai.traffic();
    let received = &traffic.received()[0];
    assert_eq!(received.path, "/v1/chat/completions");
    let received: Value = serde_json::from_slice(&received.body).unwrap();
    assert!(received["stop"] == json!("END") || received["stop"] == json!(["END"]), "{received}");
}

#[tokio::test]
async fn fields_are_named_in_the_callers_words() {
    // A model that reasons takes no stop sequences, and Claude no more than a temperature of 1.
    for (dialect, fields, field) in [
        (Dialect::Anthropic, json!({"stop_sequences": ["END"]}), "`stop_sequences`"),
        (Dialect::Gemini, json!({"generationConfig": {"stopSequences": ["END"]}}), "`stopSequences`"),
    ] {
        let world = Formats::new().await;
        let error = world.call(call(dialect, GPT, false, fields)).await.unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
    let world = Formats::new().await;
    let fields = json!({"generationConfig": {"seed": 7}});
    let reply = world.call(call(Dialect::Gemini, CLAUDE, false, fields)).await.unwrap();
    assert_eq!(reply.translated.unwrap().dropped, ["seed"]);
}

#[tokio::test]
async fn an_invalid_request_is_reported_only_if_no_model_was_asked() {
    let world = Formats::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
    let invalid = || call(Dialect::OpenAiChat, CLAUDE, false, json!({"messages": 7}));
    let error = world.call(invalid()).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (400, "invalid_request"), "{error}");

    world.openai.script_default(Fault::Reset);
    let error =
        world.call(call(Dialect::OpenAiChat, "planner", false, json!({"messages": 7}))).await.unwrap_err();
    assert_eq!(error.code(), "attempts_exhausted", "a model that was asked may come back: {error}");
}

#[tokio::test]
async fn a_slow_model_is_hedged_by_one_of_another_format() {
    for dialect in PATHS {
        let world = Formats::with(TestConfig { hedge_after: Some(SHORT), ..TestConfig::default() }).await;
        world.anthropic.script_default(Fault::Silence { after: 1 });
        let reply = world.call(call(dialect, "planner", true, json!({}))).await.unwrap();
        assert_eq!((reply.answered_by.as_str(), reply.attempts), (GPT, 2), "{dialect:?}");
        let events = events(reply).await;
        assert_eq!(streamed_text(dialect, &events), "Hello from gpt-5.4.", "{dialect:?} {events:?}");
        world.anthropic.wait_until(|seen| seen.disconnected() == 1 && seen.in_flight() == 0).await;
    }
}

#[tokio::test]
async fn before_the_first_token_failover_is_invisible() {
    let faults = |after: usize| {
        [
            Fault::Cut { after },
            Fault::End { after },
            Fault::Garbage { after },
            Fault::Silence { after },
            Fault::ErrorEvent { after, error: ProviderError::overloaded() },
        ]
    };
    for model in [CLAUDE, GPT] {
        for dialect in PATHS {
            // Before the first word, Chat Completions have one event (the role), Responses four, Messages three.
            let speaks_chat = model == GPT && dialect == Dialect::OpenAiChat;
            for fault in faults(if speaks_chat { 1 } else { 3 }) {
                let timeouts = Timeouts { first_token: SHORT, ..TestConfig::default().timeouts };
                let world = Formats::with(TestConfig { timeouts, ..TestConfig::default() }).await;
                let claude = if model == CLAUDE { fault.clone().into() } else { overloaded() };
                world.anthropic.script_default(claude);
                if model == GPT {
                    world.openai.script_default(fault.clone());
                }
                let reply = world.call(call(dialect, "planner", true, json!({}))).await.unwrap();
                let answered_by = if model == CLAUDE { GPT } else { GEMINI };
                assert_eq!(reply.answered_by.as_str(), answered_by, "{dialect:?} {fault:?}");
                let events = events(reply).await;
                let expected = format!("Hello from {}.", name(answered_by));
                assert_eq!(streamed_text(dialect, &events), expected, "{dialect:?} {fault:?} {events:?}");
                assert!(is_whole(dialect, &events), "{dialect:?} {fault:?} {events:?}");
                assert_eq!(world.circuit(model).await.as_deref(), Some("Open"), "{dialect:?} {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn after_the_first_token_a_cut_is_an_error_of_the_callers_format() {
    for (model, after) in [(CLAUDE, 5), (GPT, 6), (GEMINI, 2), (LOCAL, 3)] {
        for fault in [
            Fault::Cut { after },
            Fault::End { after },
            Fault::Garbage { after },
            Fault::ErrorEvent { after, error: ProviderError::overloaded() },
        ] {
            for dialect in PATHS {
                let world = Formats::new().await;
                for sim in [&world.anthropic, &world.openai, &world.google, &world.local] {
                    sim.script_default(Behaviour::ok().words(9).with(fault.clone()));
                }
                let reply = world.call(call(dialect, model, true, json!({}))).await.unwrap();
                let events = events(reply).await;
                let case = format!("{dialect:?} {model} {fault:?} {events:?}");
                assert!(streamed_text(dialect, &events).starts_with("Hello"), "{case}");
                assert!(ends_with_error(dialect, &events), "{case}");
                assert!(events.concat().contains("stream_interrupted"), "{case}");
                assert!(!is_whole(dialect, &events), "{case}");
                assert_eq!(world.circuit(model).await.as_deref(), Some("Open"), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_request_is_returned_in_the_callers_format() {
    for dialect in PATHS {
        for model in [CLAUDE, GPT, GEMINI, LOCAL] {
            let world = Formats::new().await;
            for sim in [&world.anthropic, &world.openai, &world.google, &world.local] {
                sim.script_default(ProviderError::status(StatusCode::UNPROCESSABLE_ENTITY));
            }
            let reply = world.call(call(dialect, model, false, json!({}))).await.unwrap();
            assert_eq!(reply.answered_by.as_str(), model);
            let is_own = match dialect {
                Dialect::BedrockConverse => panic!("no caller has it"),
                Dialect::OpenAiChat => model == GPT || model == LOCAL,
                Dialect::OpenAiResponses => model == GPT,
                Dialect::Anthropic => model == CLAUDE,
                Dialect::Gemini => model == GEMINI,
            };
            assert_eq!(reply.translated.is_none(), is_own, "{dialect:?} {model}");
            let body = answer(reply).await;
            let error = &body["error"];
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
            match dialect {
                Dialect::BedrockConverse => panic!("no caller has it"),
                Dialect::OpenAiChat | Dialect::OpenAiResponses => {
                    assert!(error["type"].is_string(), "{body}");
                }
                Dialect::Anthropic => assert_eq!(body["type"], "error", "{body}"),
                Dialect::Gemini => assert!(error["status"].is_string(), "{body}"),
            }
            assert_ne!(world.circuit(model).await.as_deref(), Some("Open"), "{dialect:?} {model}");
        }
    }
}

#[tokio::test]
async fn streams_of_odd_servers_are_translated_whole() {
    for model in [CLAUDE, GPT, GEMINI, LOCAL] {
        for behaviour in [Behaviour::ok().crlf(), Behaviour::ok().split()] {
            let world = Formats::new().await;
            for sim in [&world.anthropic, &world.openai, &world.google, &world.local] {
                sim.script_default(behaviour.clone());
            }
            for dialect in PATHS {
                let reply = world.call(call(dialect, model, true, json!({}))).await.unwrap();
                let events = events(reply).await;
                let expected = format!("Hello from {}.", name(model));
                assert_eq!(streamed_text(dialect, &events), expected, "{dialect:?} {model} {events:?}");
                assert!(is_whole(dialect, &events), "{dialect:?} {model} {events:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_end_marker_is_mended_for_every_caller() {
    for model in [CLAUDE, LOCAL] {
        for dialect in PATHS {
            let world = Formats::new().await;
            world.anthropic.script_default(Fault::NoDone);
            world.local.script_default(Fault::NoDone);
            let reply = world.call(call(dialect, model, true, json!({}))).await.unwrap();
            let events = events(reply).await;
            assert!(is_whole(dialect, &events), "{dialect:?} {model} {events:?}");
            assert!(!ends_with_error(dialect, &events), "{dialect:?} {model} {events:?}");
        }
    }
}

#[tokio::test]
async fn geminis_own_wait_is_waited_for_and_rests_its_model() {
    let wait = std::time::Duration::from_millis(200);
    for (busy_for, attempts, answered_by) in [(wait, 2, GEMINI), (wait * 100, 1, "")] {
        let world = Formats::new().await;
        let busy = ProviderError::rate_limited().retry_after(busy_for);
        world.google.script_default(simulator::Script::first(1, busy));
        match world.call(call(Dialect::Anthropic, GEMINI, false, json!({}))).await {
            Ok(reply) => assert_eq!((reply.answered_by.as_str(), reply.attempts), (answered_by, attempts)),
            Err(error) => {
                assert_eq!((error.status(), answered_by), (429, ""), "{error}");
                let retry_in = error.retry_in().unwrap();
                assert!(retry_in > wait * 90, "{retry_in:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_buffered_stream_is_translated_whole_or_replaced() {
    for dialect in PATHS {
        let world = Formats::with(buffered()).await;
        world.anthropic.script_default(overloaded());
        world.openai.script_default(Behaviour::ok().words(9).with(Fault::Cut { after: 7 }));
        let events = world.buffered(call(dialect, "planner", true, json!({}))).await;
        assert_eq!(streamed_text(dialect, &events), "Hello from gemini-2.5-pro.", "{dialect:?} {events:?}");
        assert!(is_whole(dialect, &events), "{dialect:?} {events:?}");

        world.google.script_default(Fault::Reset);
        let events = world.buffered(call(dialect, "planner", true, json!({}))).await;
        assert!(ends_with_error(dialect, &events), "{dialect:?} {events:?}");
        assert!(events.concat().contains("google-genai:gemini-2.5-pro: "), "{dialect:?} {events:?}");
        assert!(!is_whole(dialect, &events), "{dialect:?} {events:?}");
    }
}

#[tokio::test]
async fn keep_alive_events_are_the_callers_formats() {
    let world = Formats::with(buffered()).await;
    world.openai.script_default(Behaviour::ok().latency(std::time::Duration::from_millis(5_300)));
    let streams = PATHS.map(|dialect| world.buffered(call(dialect, GPT, true, json!({}))));
    let streams = futures_util::future::join_all(streams).await;
    for (dialect, events) in PATHS.into_iter().zip(streams) {
        let first = events.first().map(String::as_str).unwrap_or_default();
        match dialect {
            Dialect::BedrockConverse => panic!("no caller has it"),
            Dialect::OpenAiChat | Dialect::OpenAiResponses => assert!(first.starts_with(": "), "{events:?}"),
            Dialect::Anthropic => assert!(first.starts_with("event: ping\n"), "{events:?}"),
            Dialect::Gemini => assert!(!events.concat().contains(": \n") && first.is_empty(), "{events:?}"),
        }
        assert_eq!(streamed_text(dialect, &events), "Hello from gpt-5.4.", "{dialect:?} {events:?}");
    }
}

/// A call that counts tokens.
fn count(endpoint: Endpoint, model: &str) -> manager::Call {
    let message = json!([{"role": "user", "content": "the secret prompt"}]);
    let body = match endpoint {
        Endpoint::GeminiCountTokens => json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
        Endpoint::ResponsesInputTokens => json!({"model": model, "input": message}),
        _ => json!({"model": model, "messages": message}),
    };
    let request = match endpoint {
        Endpoint::GeminiCountTokens => {
            Request::with_path_model(endpoint, body.to_string().into(), model.to_owned(), false, false)
        }
        _ => Request::parse(endpoint, body.to_string().into()),
    };
    with_request(request.unwrap())
}

#[tokio::test]
async fn tokens_are_counted_by_any_model_that_has_a_count() {
    for (endpoint, field) in [
        (Endpoint::CountTokens, "input_tokens"),
        (Endpoint::ResponsesInputTokens, "input_tokens"),
        (Endpoint::GeminiCountTokens, "totalTokens"),
    ] {
        let world = Formats::new().await;
        for model in [CLAUDE, GPT, GEMINI] {
            let reply = world.call(count(endpoint, model)).await.unwrap();
            let body = answer(reply).await;
            assert!(body[field].as_u64().is_some_and(|tokens| tokens > 0), "{endpoint:?} {model} {body}");
        }
        let error = world.call(count(endpoint, "local-only")).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (404, "unsupported_api"), "{endpoint:?} {error}");
        let reply = world.call(count(endpoint, "local-first")).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), GPT, "{endpoint:?}: the local model has no count");
    }
}
