//! OpenAI's Responses.

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::{Fault, ProviderError, Simulator};

use crate::client::{Api, body, call, data, events_of, http, json_of, request, stream};

#[tokio::test]
async fn a_plain_answer_has_the_shape_of_a_response() {
    let simulator = Simulator::start().await.unwrap();
    let response = call(&simulator, Api::Responses, "gpt-5").await;
    assert!(response.headers().contains_key("x-request-id"));
    let response = json_of(response).await;
    assert_eq!(response["object"], "response");
    assert_eq!(response["status"], "completed");
    assert_eq!(response["model"], "gpt-5");
    let message = &response["output"][0];
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!(message["content"][0]["type"], "output_text");
    assert_eq!(message["content"][0]["text"], "Hello from gpt-5.");
    assert_eq!(response["usage"]["output_tokens"], 3);
    for required in ["id", "created_at", "parallel_tool_calls", "tool_choice", "tools"] {
        assert!(!response[required].is_null(), "{required}");
    }
}

#[tokio::test]
async fn a_stream_has_all_events_in_order_and_numbered() {
    let simulator = Simulator::start().await.unwrap();
    let (events, clean) = events_of(stream(&simulator, Api::Responses, "gpt-5").await).await;
    assert!(clean);
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(events.len(), expected.len());
    for (number, (event, name)) in events.iter().zip(expected).enumerate() {
        assert!(event.starts_with(&format!("event: {name}\n")), "{event}");
        assert_eq!(data(event)["type"], name);
        assert_eq!(data(event)["sequence_number"], number);
    }
    let words: String =
        events[4..7].iter().map(|event| data(event)["delta"].as_str().unwrap().to_owned()).collect();
    assert_eq!(words, "Hello from gpt-5.");
    let (done, completed) = (data(&events[9]), data(&events[10]));
    assert_eq!(completed["response"]["output"], json!([done["item"]]));
    assert_eq!(data(&events[0])["response"]["output"], json!([]));
    assert_eq!(data(&events[0])["response"]["id"], completed["response"]["id"]);
}

#[tokio::test]
async fn an_error_before_the_first_event_is_one_itself() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Fault::ErrorEvent { after: 0, error: ProviderError::insufficient_quota() });
    let (events, _) = events_of(stream(&simulator, Api::Responses, "m").await).await;
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("event: error\n"));
    let error = data(&events[0]);
    assert_eq!((&error["type"], &error["sequence_number"]), (&json!("error"), &json!(0)));
    assert_eq!(error["error"]["code"], "insufficient_quota");
    let plain = json_of(call(&simulator, Api::Responses, "m").await).await;
    assert_eq!(plain["status"], "failed");
    assert_eq!(plain["error"]["code"], "insufficient_quota");
}

#[tokio::test]
async fn errors_name_the_apis_own_field() {
    let simulator = Simulator::start().await.unwrap();
    let error = json_of(call(&simulator, Api::Responses, "fault-context").await).await;
    assert_eq!(error["error"]["code"], "context_length_exceeded");
    assert_eq!(error["error"]["param"], "input");
}

#[tokio::test]
async fn an_answer_is_stored_unless_the_client_forbids_it() {
    let simulator = Simulator::start().await.unwrap();
    let stored = json_of(call(&simulator, Api::Responses, "m").await).await;
    let url = |id: &Value| format!("{}/responses/{}", simulator.openai_base_url(), id.as_str().unwrap());
    let got = http().get(url(&stored["id"])).send().await.unwrap();
    assert_eq!(json_of(got).await["output"], stored["output"]);
    let follow = |id: &Value| {
        let mut body = body("m", false);
        body["previous_response_id"] = id.clone();
        body["store"] = json!(false);
        request(&http(), &simulator, Api::Responses, &body).send()
    };
    let followed = json_of(follow(&stored["id"]).await.unwrap()).await;
    assert_eq!(followed["previous_response_id"], stored["id"]);
    assert_eq!(http().get(url(&followed["id"])).send().await.unwrap().status(), StatusCode::NOT_FOUND);

    let deleted = http().delete(url(&stored["id"])).send().await.unwrap();
    assert_eq!(json_of(deleted).await["deleted"], true);
    assert_eq!(http().delete(url(&stored["id"])).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let refused = follow(&stored["id"]).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let error = json_of(refused).await;
    assert_eq!(error["error"]["code"], "previous_response_not_found");
    assert_eq!(error["error"]["param"], "previous_response_id");
}

#[tokio::test]
async fn a_streamed_answer_is_stored_too_and_a_failed_one_is_not() {
    let simulator = Simulator::start().await.unwrap();
    let (events, _) = events_of(stream(&simulator, Api::Responses, "m").await).await;
    let id = data(&events[0])["response"]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/responses/{id}", simulator.openai_base_url());
    assert_eq!(http().get(url).send().await.unwrap().status(), 200);
    let (events, _) = events_of(stream(&simulator, Api::Responses, "fault-cut-after-3").await).await;
    let id = data(&events[0])["response"]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/responses/{id}", simulator.openai_base_url());
    assert_eq!(http().get(url).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}
