//! Calls without a stream: responses, headers, errors.

use serde_json::Value;
use simulator::{Behaviour, Fault, ProviderError};
use uuid::Uuid;

use crate::support::{World, anthropic_error, call_until_rejected, header, openai_error};

fn status(code: u16) -> Behaviour {
    Behaviour::status(http::StatusCode::from_u16(code).unwrap())
}

#[tokio::test]
async fn a_response_names_the_model_that_gave_it() {
    let world = World::new().await;
    let response = world.chat("chat", false).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(header(&response, "x-switchboard-model"), Some("openai:m"));
    assert_eq!(header(&response, "x-switchboard-attempts"), Some("1"));
    assert_eq!(header(&response, "x-switchboard-error"), None);
    let id: Uuid = header(&response, "x-request-id").unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello from m.");

    let response = world.messages("messages", false).header("x-request-id", "mine-7").send().await.unwrap();
    assert_eq!(header(&response, "x-switchboard-model"), Some("anthropic:m"));
    assert_eq!(header(&response, "x-request-id"), Some("mine-7"));
    assert!(header(&response, "request-id").is_some());
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["content"][0]["text"], "Hello from m.");
}

#[tokio::test]
async fn the_gateways_own_headers_are_there_once_whatever_the_provider_has() {
    let world = World::new().await;
    let theirs =
        ["x-request-id", "x-switchboard-model", "x-switchboard-attempts", "x-switchboard-input-tokens"];
    let with_theirs = |error: ProviderError| {
        theirs.iter().fold(error, |error, name| {
            error.header(http::HeaderName::from_static(name), http::HeaderValue::from_static("theirs"))
        })
    };
    world.first.script("m", with_theirs(ProviderError::content_policy()));
    let response = world.chat("chat", false).header("x-request-id", "mine-7").send().await.unwrap();
    assert_eq!(response.status(), 400);
    let all = |name| {
        response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(all("x-request-id"), ["mine-7"]);
    assert_eq!(all("x-upstream-request-id"), ["theirs"]);
    assert_eq!((all("x-switchboard-model"), all("x-switchboard-attempts")), (vec!["openai:m"], vec!["1"]));
    assert!(all("x-switchboard-input-tokens").is_empty(), "there are none");
}

#[tokio::test]
async fn a_failed_model_is_replaced_by_the_next() {
    let world = World::new().await;
    world.first.script("m", status(529));
    for (attempts, times) in [("2", "the failure"), ("1", "the open circuit")] {
        let response = world.messages("messages", false).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-switchboard-model"), Some("vertex:m"), "{times}");
        assert_eq!(header(&response, "x-switchboard-attempts"), Some(attempts), "{times}");
        // The response may arrive before the circuit has counted the failure.
        world.manager.circuits().flush().await;
    }
}

#[tokio::test]
async fn a_providers_error_about_the_request_is_returned_unchanged() {
    let world = World::new().await;
    world.first.script("m", ProviderError::content_policy());
    let response = world.chat("chat", false).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(header(&response, "x-switchboard-error"), None);
    assert_eq!(header(&response, "x-switchboard-model"), Some("openai:m"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "content_filter");
}

#[tokio::test]
async fn no_model_is_available() {
    let world = World::new().await;
    for sim in [&world.first, &world.second] {
        sim.script("m", Fault::Reset);
    }
    let response = world.chat("chat", false).send().await.unwrap();
    assert_eq!(header(&response, "x-should-retry"), None, "an outage ends by itself");
    assert_eq!(header(&response, "retry-after"), Some("2"));
    let (status, code, _, message) = openai_error(response).await;
    assert_eq!((status, code.as_str()), (502, "attempts_exhausted"), "{message}");

    let response = call_until_rejected(|| world.chat("chat", false)).await;
    assert_eq!(header(&response, "x-should-retry"), None);
    let retry_after: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((20..=40).contains(&retry_after), "{retry_after}");
    let (status, code, _, message) = openai_error(response).await;
    assert_eq!((status, code.as_str()), (503, "circuit_open"));
    assert!(message.contains("openai:m: ") && message.contains("backup:m: "), "{message}");
    assert!(!message.contains("secret prompt"));

    let response = call_until_rejected(|| world.messages("messages", true)).await;
    let (status, code, kind, message) = anthropic_error(response).await;
    assert_eq!((status, code.as_str(), kind.as_str()), (503, "circuit_open", "api_error"));
    assert!(message.contains("anthropic:m: ") && message.contains("vertex:m: "), "{message}");
}

#[tokio::test]
async fn an_sdk_is_told_its_own_backoff_at_least() {
    for (retries, expected) in [("0", "1"), ("2", "2"), ("3", "4"), ("9", "8")] {
        let world = World::new().await;
        for sim in [&world.first, &world.second] {
            sim.script("m", Fault::Reset);
        }
        let request = world.chat("chat", false).header("x-stainless-retry-count", retries);
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "retry-after"), Some(expected), "{retries} retries");
    }
}

#[tokio::test]
async fn a_wrong_key_of_ours_is_reported() {
    let world = World::new().await;
    world.first.script("m", status(401));
    let (status, code, _, message) = openai_error(world.chat("chat", false).send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (401, "provider_auth"));
    assert!(message.contains("provider openai") && !message.contains("key-of-ours"), "{message}");
}

#[tokio::test]
async fn malformed_requests_are_rejected_in_the_shape_of_the_path() {
    let world = World::new().await;
    for body in ["", "{", "[]", "{}", r#"{"model":7}"#] {
        let post = |path: &str| world.client.post(world.url(path)).body(body);
        let response = post("/v1/chat/completions").send().await.unwrap();
        let (status, code, kind, _) = openai_error(response).await;
        assert_eq!(
            (status, code.as_str(), kind.as_str()),
            (400, "invalid_request", "invalid_request_error"),
            "{body}"
        );
        let (status, code, kind, _) = anthropic_error(post("/v1/messages").send().await.unwrap()).await;
        assert_eq!(
            (status, code.as_str(), kind.as_str()),
            (400, "invalid_request", "invalid_request_error"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn unknown_models_paths_and_methods_are_named() {
    let world = World::new().await;
    let (status, code, _, message) = openai_error(world.chat("bedrock/x", false).send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (404, "unknown_model"));
    assert!(message.contains("the routes are chat, messages"), "{message}");

    let (status, code, _, message) = openai_error(world.get("/v1/nothing").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (404, "not_found"));
    let supported = "/v1/nothing is not supported. Supported: /v1/chat/completions, /v1/responses, /v1/messages, \
                     /v1beta/models/{model}:generateContent, /v1/completions, /v1/embeddings, ";
    assert!(message.starts_with(supported), "{message}");
    let (status, code, kind, _) = anthropic_error(world.get("/v1/messages/x").send().await.unwrap()).await;
    assert_eq!((status, code.as_str(), kind.as_str()), (404, "not_found", "not_found_error"));
    let response = world.get("/v1/chat/completions").send().await.unwrap();
    assert_eq!(header(&response, "allow"), Some("POST"));
    let (status, code, _, message) = openai_error(response).await;
    assert_eq!((status, code.as_str()), (405, "method_not_allowed"));
    assert_eq!(message, "method not allowed; use POST");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_rejected() {
    let world = World::new().await;
    let body = vec![b' '; 32 * 1024 * 1024 + 1];
    let response = world.client.post(world.url("/v1/messages")).body(body).send().await.unwrap();
    let (status, code, kind, _) = anthropic_error(response).await;
    assert_eq!((status, code.as_str(), kind.as_str()), (413, "request_too_large", "request_too_large"));
    assert_eq!(world.first.traffic().all_calls(), 0);
}

#[tokio::test]
async fn a_request_can_turn_fallback_off() {
    let world = World::new().await;
    world.first.script("m", Fault::Reset);
    let off = world.chat("chat", false).header("x-switchboard-fallback", "off");
    let (status, code, ..) = openai_error(off.send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (502, "attempts_exhausted"));
    let odd = world.chat("chat", false).header("x-switchboard-fallback", "maybe");
    let (status, code, ..) = openai_error(odd.send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (400, "invalid_request"));
    assert_eq!(world.second.traffic().all_calls(), 0);
}
