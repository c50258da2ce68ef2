//! Gemini's generateContent.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::{Fault, ProviderError, Simulator};

use crate::client::{Api, call, data, events_of, gemini_url, http, json_of, stream};

#[tokio::test]
async fn a_plain_answer_has_one_candidate() {
    let simulator = Simulator::start().await.unwrap();
    let response = json_of(call(&simulator, Api::Gemini, "gemini-2.5-flash").await).await;
    let candidate = &response["candidates"][0];
    let text = "Hello from gemini-2.5-flash.";
    assert_eq!(candidate["content"], json!({"parts": [{"text": text}], "role": "model"}));
    assert_eq!(candidate["finishReason"], "STOP");
    assert_eq!(response["modelVersion"], "gemini-2.5-flash");
    assert_eq!(response["usageMetadata"]["candidatesTokenCount"], 3);
}

fn text(chunk: &Value) -> &str {
    chunk["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn each_event_of_a_stream_is_a_whole_response_and_the_last_has_the_finish() {
    let simulator = Simulator::start().await.unwrap();
    let (events, clean) = events_of(stream(&simulator, Api::Gemini, "m").await).await;
    assert!(clean);
    assert!(events.iter().all(|event| event.starts_with("data: {")));
    let chunks: Vec<Value> = events.iter().map(|event| data(event)).collect();
    assert_eq!(chunks.iter().map(text).collect::<String>(), "Hello from m.");
    let (last, others) = chunks.split_last().unwrap();
    assert!(others.iter().all(|chunk| chunk["candidates"][0].get("finishReason").is_none()));
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 3);
    assert!(chunks.iter().all(|chunk| chunk["responseId"] == last["responseId"]));
}

/// The body of a stream without `alt=sse`, and whether it ended as a body should.
async fn array(simulator: &Simulator, model: &str) -> (String, bool) {
    let url = gemini_url(simulator, model, "streamGenerateContent");
    let response = http().post(url).body("{}").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let (events, clean) = events_of(response).await;
    (events.concat(), clean)
}

#[tokio::test]
async fn without_sse_a_stream_is_a_json_array() {
    let simulator = Simulator::start().await.unwrap();
    let (body, clean) = array(&simulator, "m").await;
    assert!(clean);
    let chunks: Vec<Value> = serde_json::from_str(&body).unwrap();
    assert_eq!(chunks.iter().map(text).collect::<String>(), "Hello from m.");
}

#[tokio::test]
async fn faults_are_the_same_in_a_json_array() {
    let simulator = Simulator::start().await.unwrap();
    let (body, clean) = array(&simulator, "fault-cut-after-2").await;
    assert!(!clean);
    let chunks: Vec<Value> = serde_json::from_str(&format!("{body}]")).unwrap();
    assert_eq!(chunks.len(), 2);
    let (body, clean) = array(&simulator, "fault-end-after-2").await;
    assert_eq!((serde_json::from_str::<Vec<Value>>(&body).unwrap().len(), clean), (2, true));
    let (body, _) = array(&simulator, "fault-error-after-1").await;
    let chunks: Vec<Value> = serde_json::from_str(&body).unwrap();
    assert_eq!(chunks[1]["error"]["status"], "UNAVAILABLE");
    let (body, _) = array(&simulator, "fault-garbage-after-1").await;
    assert!(serde_json::from_str::<Value>(&body).is_err());
    assert_eq!(array(&simulator, "fault-empty").await, (String::new(), true));
    let mut response = http()
        .post(gemini_url(&simulator, "fault-endless-after-0-gap-1ms", "streamGenerateContent"))
        .body("{}")
        .send()
        .await
        .unwrap();
    let mut endless = String::new();
    while endless.matches("{}").count() < 3 {
        endless.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(serde_json::from_str::<Vec<Value>>(&format!("{endless}]")).is_ok(), "{endless}");
}

#[tokio::test]
async fn errors_have_googles_status_words() {
    let simulator = Simulator::start().await.unwrap();
    let status = |code| ProviderError::status(StatusCode::from_u16(code).unwrap());
    let cases = [
        (status(400), 400, "INVALID_ARGUMENT"),
        (status(401), 401, "UNAUTHENTICATED"),
        (status(403), 403, "PERMISSION_DENIED"),
        (ProviderError::unknown_model(), 404, "NOT_FOUND"),
        (ProviderError::rate_limited(), 429, "RESOURCE_EXHAUSTED"),
        (status(500), 500, "INTERNAL"),
        (status(504), 504, "DEADLINE_EXCEEDED"),
        (ProviderError::overloaded(), 503, "UNAVAILABLE"),
        (ProviderError::insufficient_quota(), 429, "RESOURCE_EXHAUSTED"),
        (ProviderError::spend_limit(), 429, "RESOURCE_EXHAUSTED"),
        (ProviderError::context_too_long(), 400, "INVALID_ARGUMENT"),
        (ProviderError::content_policy(), 400, "INVALID_ARGUMENT"),
    ];
    for (error, code, word) in cases {
        simulator.script("m", error.clone());
        for response in [call(&simulator, Api::Gemini, "m").await, stream(&simulator, Api::Gemini, "m").await]
        {
            assert_eq!(response.status(), code, "{error:?}");
            let body = json_of(response).await;
            assert_eq!((&body["error"]["code"], &body["error"]["status"]), (&json!(code), &json!(word)));
            assert!(body["error"]["message"].is_string());
        }
    }
}

#[tokio::test]
async fn a_wait_is_in_the_details() {
    let simulator = Simulator::start().await.unwrap();
    let wait = Duration::from_millis(1_500);
    let limited = ProviderError::rate_limited();
    for error in
        [limited.clone().retry_after(wait), limited.clone().retry_after_ms(wait), limited.resets_in(wait)]
    {
        simulator.script("m", error);
        let error = json_of(call(&simulator, Api::Gemini, "m").await).await;
        let details = error["error"]["details"].as_array().unwrap();
        let wait = details.iter().find(|detail| detail["@type"].as_str().unwrap().ends_with("RetryInfo"));
        assert_eq!(wait.unwrap()["retryDelay"], "1.5s");
    }
}

#[tokio::test]
async fn an_error_in_a_stream_begins_with_its_key() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Fault::ErrorEvent { after: 1, error: ProviderError::overloaded() });
    let (events, _) = events_of(stream(&simulator, Api::Gemini, "m").await).await;
    assert!(events[1].starts_with("data: {\"error\":{\"code\":503,"), "{}", events[1]);
}

#[tokio::test]
async fn the_key_may_be_in_the_query() {
    let simulator = Simulator::start().await.unwrap();
    simulator.require_key(Some("right".into()));
    for (key, status) in [("right", 200), ("wrong", 400)] {
        let url = gemini_url(&simulator, "m", &format!("generateContent?key={key}"));
        let response = http().post(url).body("{}").send().await.unwrap();
        assert_eq!(response.status(), status);
        if status == 400 {
            let error = json_of(response).await;
            assert_eq!(error["error"]["details"][0]["reason"], "API_KEY_INVALID");
        }
    }
    assert_eq!(simulator.traffic().received()[0].path, "/v1beta/models/m:generateContent");
}

#[tokio::test]
async fn any_model_name_comes_back_and_is_recorded_as_it_was_sent() {
    let simulator = Simulator::start().await.unwrap();
    let name = "odd 100% \"quoted\" ñame:latest";
    assert_eq!(json_of(call(&simulator, Api::Gemini, name).await).await["modelVersion"], name);
    assert_eq!(simulator.traffic().calls(name), 1);
    assert_eq!(simulator.traffic().received_for(name).count(), 1);
}

#[tokio::test]
async fn what_is_no_request_and_another_method_are_refused() {
    let simulator = Simulator::start().await.unwrap();
    let post = |method: &str| http().post(gemini_url(&simulator, "m", method)).body("secret").send();
    let error = json_of(post("generateContent").await.unwrap()).await;
    assert_eq!(error["error"]["status"], "INVALID_ARGUMENT");
    assert!(!error.to_string().contains("secret"));
    let error = json_of(post("embedContent").await.unwrap()).await;
    assert_eq!(error["error"]["status"], "NOT_FOUND");
    let list = http().get(format!("{}/models", simulator.gemini_base_url())).send().await.unwrap();
    assert!(json_of(list).await["models"][0]["name"].as_str().unwrap().starts_with("models/gemini-"));
    let list = http().get(format!("{}/models", simulator.openai_base_url()));
    let list = list.header("x-goog-api-key", "any").send().await.unwrap();
    assert!(json_of(list).await["models"].is_array());
}
