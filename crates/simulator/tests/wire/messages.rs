use reqwest::StatusCode;
use serde_json::json;
use simulator::Simulator;

use crate::client::{Api, body, call, data, events_of, http, json_of, stream};

#[tokio::test]
async fn a_plain_answer_has_the_shape_of_a_message() {
    let simulator = Simulator::start().await.unwrap();
    let response = call(&simulator, Api::Anthropic, "claude-opus-4-5").await;
    assert!(response.headers().contains_key("request-id"));
    let response = json_of(response).await;
    assert_eq!(response["type"], "message");
    assert_eq!(response["role"], "assistant");
    assert_eq!(response["model"], "claude-opus-4-5");
    assert_eq!(response["content"], json!([{"type": "text", "text": "Hello from claude-opus-4-5."}]));
    assert_eq!(response["stop_reason"], "end_turn");
    assert_eq!(response["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn a_stream_has_all_events_in_order() {
    let simulator = Simulator::start().await.unwrap();
    let (events, clean) = events_of(stream(&simulator, Api::Anthropic, "claude-opus-4-5").await).await;
    assert!(clean);
    let names: Vec<&str> =
        events.iter().map(|event| event.lines().next().unwrap().strip_prefix("event: ").unwrap()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    for (name, event) in names.iter().zip(&events) {
        assert_eq!(data(event)["type"], *name);
    }
    assert_eq!(data(&events[0])["message"]["model"], "claude-opus-4-5");
    let words: String =
        events[3..6].iter().map(|event| data(event)["delta"]["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(words, "Hello from claude-opus-4-5.");
    assert_eq!(data(&events[7])["delta"]["stop_reason"], "end_turn");
    assert_eq!(data(&events[7])["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn the_list_of_models_has_its_own_shape() {
    let simulator = Simulator::start().await.unwrap();
    let url = format!("{}/v1/models", simulator.anthropic_base_url());
    let response = http().get(url).header("anthropic-version", "2023-06-01").send().await.unwrap();
    let list = json_of(response).await;
    let models = list["data"].as_array().unwrap();
    assert!(models.iter().all(|model| model["type"] == "model" && model["display_name"].is_string()));
    assert_eq!(list["first_id"], models[0]["id"]);
    assert_eq!(list["has_more"], false);
}

#[tokio::test]
async fn a_request_without_the_api_version_is_refused() {
    let simulator = Simulator::start().await.unwrap();
    let url = format!("{}/v1/messages", simulator.anthropic_base_url());
    let response = http().post(url).json(&body("claude-opus-4-5", false)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let error = json_of(response).await;
    assert_eq!(error["type"], "error");
    assert_eq!(error["error"]["type"], "invalid_request_error");
}
