//! Callers and models of different API formats: paths, headers, errors (T1, T3, T8, T9).

use std::sync::Arc;
use std::time::Duration;

use circuits::{Circuits, Policies};
use dialects::Dialect;
use gateway::ShutdownMode;
use manager::{ModelManager, OnAuthError, Route, StreamMode};
use providers::{ProviderConfig, ProviderKind};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, Simulator};

use crate::support::{Setup, World, header, read_until};

const CLAUDE: &str = "anthropic:claude-sonnet-5";
const GPT: &str = "openai:gpt-5.4";
const GEMINI: &str = "google-genai:gemini-2.5-pro";

/// Anthropic on the first simulator, OpenAI and Google on the second. The route `planner` has a model of each, `local` one
/// of a server that has chat completions alone.
async fn world(setup: Setup) -> World {
    let (first, second) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
    let provider = |name: &str, kind, url: String, speaks| ProviderConfig {
        name: name.to_owned(),
        kind,
        base_url: url.parse().unwrap(),
        api_key: Some("key-of-ours".into()),
        aws: None,
        google: None,
        speaks,
        ca_file: None,
        stream_usage: None,
        forward: Vec::new(),
    };
    let both = Some(vec![Dialect::OpenAiResponses, Dialect::OpenAiChat]);
    let route = |models: &[&str]| Route {
        models: models.iter().map(|key| key.parse().unwrap()).collect(),
        retry: setup.retry,
        timeouts: setup.timeouts,
        stream: setup.stream,
        hedge_after: setup.hedge_after,
        on_auth_error: OnAuthError::Report,
    };
    let settings = manager::Settings {
        providers: vec![
            provider("anthropic", ProviderKind::Anthropic, first.anthropic_base_url(), None),
            provider("openai", ProviderKind::OpenAi, second.openai_base_url(), both),
            provider("google-genai", ProviderKind::GoogleGenAi, second.anthropic_base_url(), None),
            provider("local", ProviderKind::OpenAi, second.openai_base_url(), None),
        ],
        routes: [
            ("planner".to_owned(), route(&[CLAUDE, GPT, GEMINI])),
            ("local".to_owned(), route(&["local:llama"])),
        ]
        .into(),
        retry: setup.retry,
        timeouts: setup.timeouts,
        stream: setup.stream,
        buffer_limit: setup.buffer_limit,
    };
    let circuits = Circuits::in_memory(Policies { default: setup.policy.clone(), ..Policies::default() });
    let manager = Arc::new(ModelManager::new(settings, circuits).unwrap());
    World::serve(first, second, manager, setup).await
}

fn overloaded() -> Behaviour {
    Behaviour::status(http::StatusCode::from_u16(529).unwrap())
}

/// A call by this format's SDK, with more fields.
fn request(world: &World, dialect: Dialect, model: &str, stream: bool, more: Value) -> RequestBuilder {
    let prompt = "the secret prompt";
    let message = json!([{"role": "user", "content": prompt}]);
    let (path, mut body) = match dialect {
        Dialect::BedrockConverse => panic!("no caller has it"),
        Dialect::OpenAiChat => (
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "stream": stream, "messages": message}),
        ),
        Dialect::OpenAiResponses => {
            ("/v1/responses".to_owned(), json!({"model": model, "stream": stream, "input": message}))
        }
        Dialect::Anthropic => (
            "/v1/messages".to_owned(),
            json!({"model": model, "stream": stream, "max_tokens": 99, "messages": message}),
        ),
        Dialect::Gemini => {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let body = json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]});
            (format!("/v1beta/models/{model}:{method}"), body)
        }
    };
    let Value::Object(more) = more else { panic!("no fields: {more}") };
    body.as_object_mut().unwrap().extend(more);
    world.post(&path).json(&body)
}

async fn body_of(response: Response) -> Value {
    response.json().await.unwrap()
}

#[tokio::test]
async fn headers_say_who_answered_and_what_became_of_the_request() {
    for (dialect, translated) in [
        (Dialect::OpenAiChat, None),
        (Dialect::OpenAiResponses, None),
        (Dialect::Anthropic, Some("anthropic>openai-responses")),
        (Dialect::Gemini, Some("gemini>openai-responses")),
    ] {
        for stream in [false, true] {
            let world = world(Setup::default()).await;
            world.first.script_default(overloaded());
            let response = request(&world, dialect, "planner", stream, json!({})).send().await.unwrap();
            assert_eq!(response.status(), 200, "{dialect:?}");
            assert_eq!(header(&response, "x-switchboard-model"), Some(GPT), "{dialect:?}");
            assert_eq!(header(&response, "x-switchboard-attempts"), Some("2"), "{dialect:?}");
            assert_eq!(header(&response, "x-switchboard-translated"), translated, "{dialect:?}");
            assert_eq!(header(&response, "x-switchboard-dropped"), None, "{dialect:?}");
            let expected = if stream { "text/event-stream" } else { "application/json" };
            assert_eq!(header(&response, "content-type"), Some(expected), "{dialect:?}");
            assert_eq!(header(&response, "request-id").is_some(), dialect == Dialect::Anthropic);
            let text = response.text().await.unwrap();
            assert!(text.contains("gpt-5.4"), "{dialect:?} {text}");
        }
    }
}

#[tokio::test]
async fn dropped_fields_are_named_as_the_caller_wrote_them() {
    let world = world(Setup::default()).await;
    let more = json!({"seed": 7, "frequency_penalty": 0.5});
    for stream in [false, true] {
        let call = request(&world, Dialect::OpenAiChat, CLAUDE, stream, more.clone());
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-switchboard-translated"), Some("openai-chat>anthropic"));
        let mut dropped: Vec<_> = header(&response, "x-switchboard-dropped").unwrap().split(", ").collect();
        dropped.sort_unstable();
        assert_eq!(dropped, ["frequency_penalty", "seed"]);
    }
    let response = request(&world, Dialect::OpenAiChat, GPT, false, more).send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-translated"), None, "the provider has the caller's format");
    assert_eq!(header(&response, "x-switchboard-dropped"), None);
}

#[tokio::test]
async fn what_no_model_can_be_given_is_an_error_of_the_callers_format() {
    let world = world(Setup::default()).await;
    for (dialect, model, more, field) in [
        (Dialect::OpenAiChat, CLAUDE, json!({"logit_bias": {"1": 2}}), "logit_bias"),
        (Dialect::OpenAiResponses, CLAUDE, json!({"tools": [{"type": "web_search"}]}), "tools"),
        (Dialect::Anthropic, "local", json!({"mcp_servers": [{"type": "url"}]}), "mcp_servers"),
        (Dialect::Gemini, CLAUDE, json!({"generationConfig": {"candidateCount": 2}}), "candidateCount"),
    ] {
        let response = request(&world, dialect, model, false, more).send().await.unwrap();
        assert_eq!(response.status(), 400, "{dialect:?}");
        assert_eq!(header(&response, "x-switchboard-error"), Some("cannot_translate"), "{dialect:?}");
        assert_eq!(header(&response, "retry-after"), None, "{dialect:?}");
        let body = body_of(response).await;
        let message = body["error"]["message"].as_str().unwrap();
        let key = if model == "local" { "local:llama" } else { model };
        assert!(message.contains(field) && message.contains(key), "{dialect:?} {body}");
        assert!(!message.contains("secret prompt"), "{body}");
        match dialect {
            Dialect::Anthropic => assert_eq!(body["error"]["type"], "invalid_request_error", "{body}"),
            Dialect::Gemini => assert_eq!(body["error"]["status"], "INVALID_ARGUMENT", "{body}"),
            _ => assert_eq!(body["error"]["code"], "cannot_translate", "{body}"),
        }
    }
    assert_eq!(world.first.traffic().all_calls() + world.second.traffic().all_calls(), 0);
}

#[tokio::test]
async fn geminis_paths_are_taken_under_both_versions() {
    let world = world(Setup::default()).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
    for version in ["v1beta", "v1"] {
        for model in ["planner", GPT, GEMINI] {
            let post = |method: &str| {
                let path = format!("/{version}/models/{model}:{method}");
                world.post(&path).header("x-goog-api-key", "k").json(&body).send()
            };
            let plain = body_of(post("generateContent").await.unwrap()).await;
            assert_eq!(plain["candidates"][0]["finishReason"], "STOP", "{version} {model} {plain}");
            let counted = body_of(post("countTokens").await.unwrap()).await;
            assert!(counted["totalTokens"].is_u64(), "{version} {model} {counted}");

            let sse = post("streamGenerateContent?alt=sse").await.unwrap();
            assert_eq!(header(&sse, "content-type"), Some("text/event-stream"));
            let sse = sse.text().await.unwrap();
            assert!(sse.lines().all(|line| line.is_empty() || line.starts_with("data: {")), "{sse}");

            let array = post("streamGenerateContent").await.unwrap();
            assert_eq!(header(&array, "content-type"), Some("application/json"));
            let items: Vec<Value> = array.json().await.unwrap();
            let last = items.last().unwrap();
            assert_eq!(last["candidates"][0]["finishReason"], "STOP", "{version} {model} {items:?}");
        }
    }
    let unknown = world.post("/v1beta/models/planner:embedContent").json(&body).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert_eq!(body_of(unknown).await["error"]["status"], "NOT_FOUND");
}

#[tokio::test]
async fn an_array_stays_json_when_its_stream_fails() {
    for (mode, model) in [
        (StreamMode::PassThrough, GEMINI),
        (StreamMode::PassThrough, CLAUDE),
        (StreamMode::Buffer, GEMINI),
        (StreamMode::Buffer, CLAUDE),
    ] {
        let world = world(Setup { stream: mode, ..Setup::default() }).await;
        for sim in [&world.first, &world.second] {
            sim.script_default(Behaviour::ok().words(9).with(Fault::Cut { after: 6 }));
        }
        let path = format!("/v1beta/models/{model}:streamGenerateContent");
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
        let text = world.post(&path).json(&body).send().await.unwrap().text().await.unwrap();
        let items: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{mode:?} {model}: {error}: {text}"));
        assert!(items.last().unwrap()["error"]["message"].is_string(), "{mode:?} {model}: {text}");
        assert_eq!(items.len() > 1, mode == StreamMode::PassThrough, "{mode:?} {model}: {text}");
    }
}

#[tokio::test]
async fn an_array_stays_json_when_the_gateway_stops() {
    for (mode, begun) in [(StreamMode::PassThrough, true), (StreamMode::Buffer, false)] {
        let timeout = Duration::from_millis(300);
        let setup = Setup { stream: mode, shutdown_timeout: timeout, ..Setup::default() };
        let world = world(setup).await;
        world.second.script_default(Behaviour::ok().words(9).with(Fault::Silence { after: 3 }));
        let path = format!("/v1beta/models/{GEMINI}:streamGenerateContent");
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
        let mut response = world.post(&path).json(&body).send().await.unwrap();
        let mut text = if begun { read_until(&mut response, "Hello").await } else { String::new() };
        world.second.wait_until(|seen| seen.in_flight() == 1).await;
        world.stop.send(ShutdownMode::Immediate).unwrap();
        text.push_str(&response.text().await.unwrap());
        let items: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{mode:?}: {error}: {text}"));
        assert!(items.last().unwrap()["error"]["message"].is_string(), "{mode:?}: {text}");
    }
}

#[tokio::test]
async fn tokens_are_counted_for_every_caller_unless_only_chat_could() {
    let world = world(Setup::default()).await;
    let message = json!([{"role": "user", "content": "Hi"}]);
    for model in [CLAUDE, GPT, GEMINI, "planner"] {
        let body = json!({"model": model, "messages": message});
        let counted =
            body_of(world.post("/v1/messages/count_tokens").json(&body).send().await.unwrap()).await;
        assert!(counted["input_tokens"].is_u64(), "{model} {counted}");
        let body = json!({"model": model, "input": message});
        let counted =
            body_of(world.post("/v1/responses/input_tokens").json(&body).send().await.unwrap()).await;
        assert!(counted["input_tokens"].is_u64(), "{model} {counted}");
    }
    let body = json!({"model": "local", "messages": message});
    let response = world.post("/v1/messages/count_tokens").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(header(&response, "x-switchboard-error"), Some("unsupported_api"));
    assert_eq!(body_of(response).await["type"], "error");
}

#[tokio::test]
async fn stored_responses_are_read_continued_and_deleted() {
    let world = world(Setup::default()).await;
    let ask = |more: Value, model: &str| request(&world, Dialect::OpenAiResponses, model, false, more);
    let first = body_of(ask(json!({}), GPT).send().await.unwrap()).await;
    let id = first["id"].as_str().unwrap();
    let path = format!("/v1/responses/{id}");
    let got = world.get(&path).send().await.unwrap();
    assert_eq!(got.status(), 200);
    assert_eq!(body_of(got).await["id"], id);

    let next = ask(json!({"previous_response_id": id}), "planner").send().await.unwrap();
    assert_eq!(header(&next, "x-switchboard-model"), Some(GPT), "its owner, although Claude is the first");
    assert_eq!(body_of(next).await["previous_response_id"], id);

    let deleted = world.client.delete(world.url(&path)).send().await.unwrap();
    assert_eq!((deleted.status().as_u16(), &body_of(deleted).await["deleted"]), (200, &json!(true)));
    let gone = world.get(&path).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    assert!(body_of(gone).await["error"]["message"].is_string());
    assert_eq!(world.first.traffic().all_calls(), 0);
}

#[tokio::test]
async fn without_a_provider_that_stores_a_previous_response_is_not_found() {
    let world = world(Setup::default()).await;
    for model in [CLAUDE, "local"] {
        let more = json!({"previous_response_id": "resp_1"});
        let response = request(&world, Dialect::OpenAiResponses, model, false, more).send().await.unwrap();
        assert_eq!(response.status(), 400, "{model}");
        assert_eq!(body_of(response).await["error"]["code"], "previous_response_not_found", "{model}");
    }
    // No id is named here: the field itself is what cannot be translated.
    let more = json!({"background": true});
    let response = request(&world, Dialect::OpenAiResponses, CLAUDE, false, more).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let body = body_of(response).await;
    assert_eq!(body["error"]["code"], "cannot_translate", "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("background"), "{body}");
    assert_eq!(world.first.traffic().all_calls() + world.second.traffic().all_calls(), 0);

    // Here the provider named `openai` has chat completions alone.
    let world = World::new().await;
    let response = world.get("/v1/responses/resp_1").send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(body_of(response).await["error"]["code"], "response_not_found");
}
