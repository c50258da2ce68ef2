//! Histories with thinking: a provider takes back its own and refuses another's.

use serde_json::{Value, json};
use simulator::{Behaviour, ProviderError, Script, Settings, Simulator};

use crate::client::{Api, body, data, events_of, http, json_of, request, stream};

async fn thinking_simulator(name: &str) -> Simulator {
    let settings = Settings { name: name.into(), ..Settings::default() };
    let simulator = Simulator::start_with(settings).await.unwrap();
    let behaviour = Behaviour::ok().thinking("Hm, let me see.", "turn 1").tool_call("f", "{}");
    simulator.script_default(behaviour);
    simulator
}

/// The request that continues an answer and its one call, as the API's clients do.
fn continued(api: Api, model: &str, answer: &Value) -> Value {
    let mut body = body(model, false);
    match api {
        Api::OpenAi => {
            let turn = &answer["choices"][0]["message"];
            let id = &turn["tool_calls"][0]["id"];
            let result = json!({"role": "tool", "tool_call_id": id, "content": ""});
            body["messages"].as_array_mut().unwrap().extend([turn.clone(), result]);
        }
        Api::Responses => {
            body["store"] = json!(false);
            body["input"] = answer["output"].clone();
            let id = answer["output"].as_array().unwrap().last().unwrap()["call_id"].clone();
            let result = json!({"type": "function_call_output", "call_id": id, "output": ""});
            body["input"].as_array_mut().unwrap().push(result);
        }
        Api::Anthropic => {
            let turn = json!({"role": "assistant", "content": answer["content"]});
            let id = &answer["content"].as_array().unwrap().last().unwrap()["id"];
            let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id}]});
            body["messages"].as_array_mut().unwrap().extend([turn, result]);
        }
        Api::Gemini => {
            let user = json!({"role": "user", "parts": [{"text": "Hello?"}]});
            let result = json!({"functionResponse": {"name": "f", "response": {}}});
            let results = json!({"role": "user", "parts": [result]});
            body["contents"] = json!([user, answer["candidates"][0]["content"], results]);
        }
    }
    body
}

async fn send(simulator: &Simulator, api: Api, body: &Value) -> (u16, Value) {
    let response = request(&http(), simulator, api, body).send().await.unwrap();
    (response.status().as_u16(), json_of(response).await)
}

#[tokio::test]
async fn a_provider_takes_back_what_it_made_and_refuses_anothers() {
    let (maker, other) = (thinking_simulator("maker").await, thinking_simulator("other").await);
    let namesake = thinking_simulator("maker").await;
    let errors = [
        (Api::Responses, "code", "invalid_encrypted_content"),
        (Api::Anthropic, "message", "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (Api::Gemini, "message", "Corrupted thought signature."),
    ];
    for (api, field, expected) in errors {
        let answer = send(&maker, api, &body("gemini-3-pro", false)).await.1;
        let next = continued(api, "gemini-3-pro", &answer);
        assert_eq!(send(&maker, api, &next).await.0, 200, "{api:?}");
        assert_eq!(send(&namesake, api, &next).await.0, 200, "{api:?}");
        let (status, error) = send(&other, api, &next).await;
        assert_eq!((status, &error["error"][field]), (400, &json!(expected)), "{api:?}: {error}");
        assert_eq!(other.traffic().in_flight(), 0);
    }
}

#[tokio::test]
async fn a_refused_request_takes_no_behaviour() {
    let (maker, other) = (thinking_simulator("maker").await, thinking_simulator("other").await);
    other.script("m", Script::first(1, ProviderError::overloaded()));
    let answer = send(&maker, Api::Anthropic, &body("m", false)).await.1;
    assert_eq!(send(&other, Api::Anthropic, &continued(Api::Anthropic, "m", &answer)).await.0, 400);
    assert_eq!(send(&other, Api::Anthropic, &body("m", false)).await.0, 529);
}

#[tokio::test]
async fn changed_thinking_is_no_longer_signed() {
    let simulator = thinking_simulator("maker").await;
    let mut answer = send(&simulator, Api::Anthropic, &body("m", false)).await.1;
    answer["content"][0]["thinking"] = json!("Hm, let me see!");
    assert_eq!(send(&simulator, Api::Anthropic, &continued(Api::Anthropic, "m", &answer)).await.0, 400);
}

#[tokio::test]
async fn only_the_finished_items_encrypted_content_counts() {
    let simulator = thinking_simulator("maker").await;
    let (events, _) = events_of(stream(&simulator, Api::Responses, "m").await).await;
    let item = |name: &str| {
        let event = events.iter().map(|event| data(event)).find(|event| event["type"] == name);
        event.unwrap()["item"].take()
    };
    for (name, status) in [("response.output_item.added", 400), ("response.output_item.done", 200)] {
        let mut body = body("m", false);
        body["input"] = json!([item(name)]);
        assert_eq!(send(&simulator, Api::Responses, &body).await.0, status, "{name}");
    }
}

#[tokio::test]
async fn reasoning_without_its_content_must_be_stored() {
    let simulator = thinking_simulator("maker").await;
    let mut ask = body("m", false);
    for (store, status) in [(true, 200), (false, 404)] {
        ask["store"] = json!(store);
        let mut item = send(&simulator, Api::Responses, &ask).await.1["output"][0].take();
        item.as_object_mut().unwrap().remove("encrypted_content");
        let mut body = body("m", false);
        body["input"] = json!([item]);
        assert_eq!(send(&simulator, Api::Responses, &body).await.0, status, "{store}");
    }
}

#[tokio::test]
async fn gemini_3_needs_a_signature_or_the_sentinel() {
    let simulator = thinking_simulator("maker").await;
    let answer = send(&simulator, Api::Gemini, &body("gemini-3-pro", false)).await.1;
    let mut next = continued(Api::Gemini, "gemini-3-pro", &answer);
    let part = next["contents"][1]["parts"].as_array_mut().unwrap().last_mut().unwrap();
    part["thoughtSignature"] = json!("skip_thought_signature_validator");
    assert_eq!(send(&simulator, Api::Gemini, &next).await.0, 200);
    let part = next["contents"][1]["parts"].as_array_mut().unwrap().last_mut().unwrap();
    part.as_object_mut().unwrap().remove("thoughtSignature");
    let (status, error) = send(&simulator, Api::Gemini, &next).await;
    assert_eq!(status, 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("missing a thought_signature"));
    next["model"] = json!("gemini-2.5-flash");
    assert_eq!(send(&simulator, Api::Gemini, &next).await.0, 200);
}

#[tokio::test]
async fn gemini_3_signs_its_calls_without_showing_a_thought() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script_default(Behaviour::ok().words(0).tool_call("f", "{}"));
    let answer = send(&simulator, Api::Gemini, &body("gemini-3-pro", false)).await.1;
    let next = continued(Api::Gemini, "gemini-3-pro", &answer);
    assert_eq!(send(&simulator, Api::Gemini, &next).await.0, 200);
}
