use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::Simulator;

use crate::client::{Api, body, call, data, events_of, http, json_of, request, stream};

#[tokio::test]
async fn a_plain_answer_has_the_shape_of_a_chat_completion() {
    let simulator = Simulator::start().await.unwrap();
    let response = call(&simulator, Api::OpenAi, "gpt-5").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-request-id"));
    let response = json_of(response).await;
    assert_eq!(response["object"], "chat.completion");
    assert_eq!(response["model"], "gpt-5");
    assert!(response["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(response["choices"][0]["message"]["role"], "assistant");
    assert_eq!(response["choices"][0]["message"]["content"], "Hello from gpt-5.");
    assert_eq!(response["choices"][0]["finish_reason"], "stop");
    assert_eq!(response["usage"]["completion_tokens"], 3);
}

#[tokio::test]
async fn a_stream_has_role_words_finish_and_end_marker() {
    let simulator = Simulator::start().await.unwrap();
    let response = stream(&simulator, Api::OpenAi, "gpt-5").await;
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let (events, clean) = events_of(response).await;
    assert!(clean);
    assert_eq!(events.last().unwrap(), "data: [DONE]");
    let chunks: Vec<Value> = events[..events.len() - 1].iter().map(|event| data(event)).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let words: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(words, "Hello from gpt-5.");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], chunks[0]["id"]);
        assert_eq!(chunk["model"], "gpt-5");
        assert_eq!(chunk.get("usage"), None);
    }
}

#[tokio::test]
async fn usage_comes_last_in_a_stream_that_asked_for_it() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = body("gpt-5", true);
    body["stream_options"] = json!({"include_usage": true});
    let response = request(&http(), &simulator, Api::OpenAi, &body).send().await.unwrap();
    let (events, _) = events_of(response).await;
    let usage = data(&events[events.len() - 2]);
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 3);
    assert_eq!(data(&events[0])["usage"], Value::Null);
}

#[tokio::test]
async fn every_answer_has_its_own_id() {
    let simulator = Simulator::start().await.unwrap();
    let first = json_of(call(&simulator, Api::OpenAi, "gpt-5").await).await;
    let second = json_of(call(&simulator, Api::OpenAi, "gpt-5").await).await;
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn any_model_name_comes_back_as_it_was_sent() {
    let simulator = Simulator::start().await.unwrap();
    let name = "odd \"quoted\" \\ ñame";
    assert_eq!(json_of(call(&simulator, Api::OpenAi, name).await).await["model"], name);
    let (events, _) = events_of(stream(&simulator, Api::OpenAi, name).await).await;
    assert_eq!(data(&events[0])["model"], name);
}

#[tokio::test]
async fn the_list_of_models_names_the_scripted_ones_too() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("my-model", simulator::Behaviour::ok());
    let url = format!("{}/models", simulator.openai_base_url());
    let list = json_of(http().get(url).send().await.unwrap()).await;
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().unwrap();
    assert!(models.iter().all(|model| model["object"] == "model" && model["created"].is_u64()));
    assert!(models.iter().any(|model| model["id"] == "my-model"));
}

#[tokio::test]
async fn what_is_no_request_is_refused_without_quoting_it() {
    let simulator = Simulator::start().await.unwrap();
    let url = format!("{}/chat/completions", simulator.openai_base_url());
    for body in ["{\"model\": \"gpt-5\", \"stream\": \"secret\"}", "secret", "{}", ""] {
        let response = http().post(&url).body(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let error = json_of(response).await;
        assert_eq!(error["error"]["type"], "invalid_request_error");
        assert!(!error.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn another_path_is_not_found() {
    let simulator = Simulator::start().await.unwrap();
    let url = format!("{}/nowhere", simulator.openai_base_url());
    let response = http().post(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(json_of(response).await["error"]["message"].as_str().unwrap().contains("/v1/nowhere"));
}
