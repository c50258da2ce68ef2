//! Conversations that cross makers: opaque reasoning (T5), and what a provider stored (T8).

use dialects::Dialect;
use http::{HeaderMap, Method, StatusCode};
use manager::StoredResponseError;
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, Script, Simulator};

use crate::formats::{CLAUDE, Formats, GPT, answer, call, events};
use crate::support::{TestConfig, never_trips};

/// One step of a loop of tool calls: thinking, then a call.
fn step(number: usize) -> Behaviour {
    let opaque = format!("turn-{number}");
    Behaviour::ok()
        .thinking("Hm, well.", opaque)
        .tool_call("read_file", format!(r#"{{"path": "{number}.rs"}}"#))
}

fn last_request(simulator: &Simulator) -> Value {
    serde_json::from_slice(&simulator.traffic().received().last().unwrap().body).unwrap()
}

fn overloaded() -> Behaviour {
    Behaviour::status(StatusCode::from_u16(529).unwrap())
}

/// Claude answers twice, is down for two turns, and is back.
async fn world() -> Formats {
    let world = Formats::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
    let down = [overloaded(), overloaded(), overloaded(), overloaded()];
    let claude = [step(0), step(1)].into_iter().chain(down).chain([step(4), Behaviour::ok()]);
    world.anthropic.script("claude-sonnet-5", Script::sequence(claude));
    world.openai.script("gpt-5.4", Script::sequence([step(2), step(3)]));
    world
}

/// The order in which the models answer in such a world.
const MAKERS: [&str; 6] = [CLAUDE, CLAUDE, GPT, GPT, CLAUDE, CLAUDE];

/// Claude's own thinking of these turns, as it gets it back.
fn assert_thinking_of_claude(request: &Value, turns: &[usize]) {
    let messages = request["messages"].as_array().unwrap().iter();
    let blocks = messages.filter_map(|message| message["content"].as_array()).flatten();
    let signatures: Vec<_> = blocks
        .filter(|block| block["type"] == "thinking")
        .map(|block| (block["thinking"].as_str().unwrap(), block["signature"].as_str().unwrap()))
        .collect();
    assert_eq!(signatures.len(), turns.len(), "{request}");
    for ((text, signature), turn) in signatures.iter().zip(turns) {
        assert_eq!(*text, "Hm, well.");
        assert!(signature.starts_with("simulated/anthropic/"), "{signature}");
        assert!(signature.contains(&format!("turn+{turn}")), "{signature}");
    }
}

fn assert_reasoning_of_openai(request: &Value, turns: &[usize]) {
    let items = request["input"].as_array().unwrap().iter().filter(|item| item["type"] == "reasoning");
    let encrypted: Vec<_> = items.map(|item| item["encrypted_content"].as_str().unwrap()).collect();
    assert_eq!(encrypted.len(), turns.len(), "{request}");
    for (encrypted, turn) in encrypted.iter().zip(turns) {
        assert!(encrypted.starts_with("simulated/openai/"), "{encrypted}");
        assert!(encrypted.contains(&format!("turn+{turn}")), "{encrypted}");
    }
    assert_eq!(request["store"], false, "a translated answer stores nothing: {request}");
}

#[tokio::test]
async fn an_anthropic_client_keeps_its_loop_of_tool_calls_across_makers() {
    let world = world().await;
    let tools = json!([{"name": "read_file", "input_schema": {"type": "object"}}]);
    let mut messages = vec![json!({"role": "user", "content": "Go."})];
    for (turn, maker) in MAKERS.into_iter().enumerate() {
        let fields = json!({
            "messages": messages, "tools": tools, "max_tokens": 9000,
            "thinking": {"type": "enabled", "budget_tokens": 4000},
        });
        let reply = world.call(call(Dialect::Anthropic, "planner", false, fields)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), maker, "turn {turn}");
        let answer = answer(reply).await;
        assert!(answer["error"].is_null(), "turn {turn}: {answer}");
        let sent = last_request(if maker == CLAUDE { &world.anthropic } else { &world.openai });
        match turn {
            1 => assert_thinking_of_claude(&sent, &[0]),
            2 => assert_reasoning_of_openai(&sent, &[]),
            3 => assert_reasoning_of_openai(&sent, &[2]),
            4 => assert_thinking_of_claude(&sent, &[0, 1]),
            5 => assert_thinking_of_claude(&sent, &[0, 1, 4]),
            _ => {}
        }
        assert_eq!(
            sent.to_string().matches("Hm, well.").count(),
            sent.to_string().matches("turn+").count(),
            "no thinking of another maker, not even its text: {sent}"
        );
        let uses = answer["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
        let results: Vec<_> = uses
            .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "fn main() {}"}))
            .collect();
        assert_eq!(results.len(), usize::from(turn < 5), "turn {turn}: {answer}");
        messages.push(json!({"role": "assistant", "content": answer["content"]}));
        messages.push(json!({"role": "user", "content": results}));
    }
}

#[tokio::test]
async fn a_responses_client_keeps_its_loop_of_tool_calls_across_makers() {
    let world = world().await;
    let tools =
        json!([{"type": "function", "name": "read_file", "parameters": {"type": "object"}, "strict": false}]);
    let mut input = vec![json!({"role": "user", "content": "Go."})];
    for (turn, maker) in MAKERS.into_iter().enumerate() {
        let fields = json!({
            "input": input, "tools": tools, "store": false, "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "medium"},
        });
        let reply = world.call(call(Dialect::OpenAiResponses, "planner", false, fields)).await.unwrap();
        assert_eq!(reply.answered_by.as_str(), maker, "turn {turn}");
        let answer = answer(reply).await;
        let sent = last_request(if maker == CLAUDE { &world.anthropic } else { &world.openai });
        match turn {
            1 => assert_thinking_of_claude(&sent, &[0]),
            2 => assert_reasoning_of_openai(&sent, &[]),
            3 => assert_reasoning_of_openai(&sent, &[2]),
            4 => assert_thinking_of_claude(&sent, &[0, 1]),
            5 => assert_thinking_of_claude(&sent, &[0, 1, 4]),
            _ => {}
        }
        let items = answer["output"].as_array().unwrap_or_else(|| panic!("turn {turn}: {answer}"));
        let calls = items.iter().filter(|item| item["type"] == "function_call");
        let results: Vec<_> = calls
            .map(|call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "fn"}))
            .collect();
        assert_eq!(results.len(), usize::from(turn < 5), "turn {turn}: {answer}");
        input.extend(items.iter().cloned());
        input.extend(results);
    }
}

#[tokio::test]
async fn reasoning_without_an_envelope_that_its_model_refuses_is_taken_out_once() {
    let world = Formats::new().await;
    let foreign = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmF0dXJl"});
    let assistant = json!({"role": "assistant", "content": [foreign, {"type": "text", "text": "Hi."}]});
    let messages =
        json!([{"role": "user", "content": "Hi"}, assistant, {"role": "user", "content": "Go on."}]);
    let fields = json!({"messages": messages});
    let reply = world.call(call(Dialect::Anthropic, CLAUDE, false, fields)).await.unwrap();
    assert_eq!(
        (reply.answered_by.as_str(), reply.attempts),
        (CLAUDE, 1),
        "the second request is not counted"
    );
    let body = answer(reply).await;
    assert_eq!(body["content"][0]["text"], "Hello from claude-sonnet-5.", "{body}");
    let sent = last_request(&world.anthropic);
    assert!(!sent.to_string().contains("thinking"), "{sent}");
    assert!(sent.to_string().contains("\"Hi.\""), "{sent}");
    assert_ne!(world.circuit(CLAUDE).await.as_deref(), Some("Open"));
}

fn responses(model: &str, fields: Value) -> manager::Call {
    call(Dialect::OpenAiResponses, model, false, fields)
}

#[tokio::test]
async fn a_stored_response_is_continued_by_its_owner_alone() {
    let world = Formats::with(TestConfig { policy: never_trips(), ..TestConfig::default() }).await;
    let first = answer(world.call(responses(GPT, json!({}))).await.unwrap()).await;
    let id = first["id"].as_str().unwrap();
    let fields = || json!({"previous_response_id": id});
    let reply = world.call(responses("planner", fields())).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), GPT);
    assert_eq!(answer(reply).await["previous_response_id"], id);
    assert_eq!(last_request(&world.openai)["previous_response_id"], id, "it goes out as it came");

    world.openai.script_default(Fault::Reset);
    let error = world.call(responses("planner", fields())).await.unwrap_err();
    assert_eq!(error.code(), "attempts_exhausted", "{error}");
    assert_eq!((world.anthropic.traffic().all_calls(), world.google.traffic().all_calls()), (0, 0));
    assert_eq!(world.circuit(CLAUDE).await, None);
}

#[tokio::test]
async fn the_owner_of_a_streamed_response_is_remembered_too() {
    let world = Formats::new().await;
    let reply = world.call(call(Dialect::OpenAiResponses, GPT, true, json!({}))).await.unwrap();
    let events = events(reply).await;
    let id = crate::formats::data(&events)[0]["response"]["id"].as_str().unwrap().to_owned();
    let stored = world
        .manager
        .stored_response(Method::GET, &[&id], None, &HeaderMap::new(), bytes::Bytes::new())
        .await
        .unwrap();
    assert_eq!(stored.status, StatusCode::OK);
    let body: Value = serde_json::from_slice(&stored.body).unwrap();
    assert_eq!(body["id"], id.as_str());
}

#[tokio::test]
async fn an_unknown_id_goes_to_the_first_provider_with_responses() {
    let world = Formats::new().await;
    let fields = || json!({"previous_response_id": "resp_of_nobody"});
    let reply = world.call(responses("planner", fields())).await.unwrap();
    assert_eq!(reply.answered_by.as_str(), GPT);
    let body = answer(reply).await;
    assert_eq!(body["error"]["code"], "previous_response_not_found", "{body}");
    assert_eq!((world.openai.traffic().all_calls(), world.anthropic.traffic().all_calls()), (1, 0));

    for model in [CLAUDE, "local-only"] {
        let error = world.call(responses(model, fields())).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (400, "previous_response_not_found"), "{model} {error}");
    }
    assert_eq!((world.local.traffic().all_calls(), world.anthropic.traffic().all_calls()), (0, 0));
}

#[tokio::test]
async fn a_translated_answer_is_stored_by_nobody() {
    let world = Formats::new().await;
    let first = answer(world.call(responses("planner", json!({"store": true}))).await.unwrap()).await;
    assert_eq!(first["store"], false, "{first}");
    let id = first["id"].as_str().unwrap();
    let reply = world.call(responses("planner", json!({"previous_response_id": id}))).await.unwrap();
    let body = answer(reply).await;
    assert_eq!(body["error"]["code"], "previous_response_not_found", "{body}");
    let error = world.call(responses(CLAUDE, json!({"previous_response_id": id}))).await.unwrap_err();
    assert_eq!(error.code(), "previous_response_not_found", "{error}");
}

#[tokio::test]
async fn stored_responses_are_had_of_their_owner() {
    let world = Formats::new().await;
    let first = answer(world.call(responses(GPT, json!({}))).await.unwrap()).await;
    let id = first["id"].as_str().unwrap();
    let ask = async |method: Method, id: &str| {
        let headers = HeaderMap::new();
        let stored = world.manager.stored_response(method, &[id], None, &headers, bytes::Bytes::new()).await;
        let stored = stored.unwrap();
        (stored.status.as_u16(), serde_json::from_slice::<Value>(&stored.body).unwrap())
    };
    let (status, body) = ask(Method::GET, id).await;
    assert_eq!((status, &body["id"]), (200, &first["id"]), "{body}");
    let (status, body) = ask(Method::DELETE, id).await;
    assert_eq!((status, &body["deleted"]), (200, &json!(true)), "{body}");
    assert_eq!(ask(Method::GET, id).await.0, 404);
    assert_eq!(ask(Method::GET, "resp_unknown").await.0, 404);
    for segment in [".", ".."] {
        let path = [segment];
        let error = world
            .manager
            .stored_response(Method::GET, &path, None, &HeaderMap::new(), bytes::Bytes::new())
            .await
            .unwrap_err();
        assert!(matches!(error, StoredResponseError::NotFound), "{segment}: {error}");
    }
    world.openai.require_key(Some("another key".to_owned()));
    let rejected = world
        .manager
        .stored_response(Method::GET, &[id], None, &HeaderMap::new(), bytes::Bytes::new())
        .await
        .unwrap_err();
    assert!(matches!(rejected, StoredResponseError::ProviderAuth { status: 401, .. }), "{rejected}");
    world.openai.refuse_connections().await.unwrap();
    let gone = world
        .manager
        .stored_response(Method::GET, &[id], None, &HeaderMap::new(), bytes::Bytes::new())
        .await
        .unwrap_err();
    assert!(matches!(gone, StoredResponseError::Provider { .. }), "{gone}");
    assert_ne!(world.circuit(GPT).await.as_deref(), Some("Open"), "no model was asked");
}
