use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use simulator::{Behaviour, ProviderError, Simulator};

use crate::client::{ALL_APIS, Api, body, call, http, json_of, request, stream};

/// The status, type and code of the error, which must be the same for plain and streaming calls.
async fn error(api: Api, error: ProviderError) -> (u16, Value, Value) {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", error);
    let plain = call(&simulator, api, "m").await;
    let streaming = stream(&simulator, api, "m").await;
    assert_eq!(plain.status(), streaming.status());
    assert_eq!(streaming.headers()["content-type"], "application/json");
    let status = plain.status().as_u16();
    let mut body = json_of(plain).await;
    assert_eq!(json_of(streaming).await["error"], body["error"]);
    assert!(body["error"]["message"].is_string());
    if api == Api::Anthropic {
        assert_eq!(body["type"], "error");
        assert!(body["request_id"].is_string());
    }
    let code = body["error"].get("code").or(body["error"].pointer("/details/error_code"));
    (status, code.cloned().unwrap_or_default(), body["error"]["type"].take())
}

#[tokio::test]
async fn each_status_has_the_error_of_its_dialect() {
    let openai = [
        (400, Value::Null, "invalid_request_error"),
        (401, "invalid_api_key".into(), "invalid_request_error"),
        (403, Value::Null, "invalid_request_error"),
        (404, "model_not_found".into(), "invalid_request_error"),
        (422, Value::Null, "invalid_request_error"),
        (429, "rate_limit_exceeded".into(), "requests"),
        (500, Value::Null, "server_error"),
        (503, Value::Null, "server_error"),
    ];
    for (status, code, kind) in openai {
        let shown = error(Api::OpenAi, ProviderError::status(StatusCode::from_u16(status).unwrap())).await;
        assert_eq!(shown, (status, code, kind.into()));
    }
    let anthropic = [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ];
    for (status, kind) in anthropic {
        let shown = error(Api::Anthropic, ProviderError::status(StatusCode::from_u16(status).unwrap())).await;
        assert_eq!(shown, (status, Value::Null, kind.into()));
    }
}

#[tokio::test]
async fn errors_that_a_status_does_not_tell_have_their_own_type_and_code() {
    let invalid = "invalid_request_error";
    let openai = [
        (ProviderError::context_too_long(), 400, "context_length_exceeded", invalid),
        (ProviderError::content_policy(), 400, "content_filter", invalid),
        (ProviderError::insufficient_quota(), 429, "insufficient_quota", "insufficient_quota"),
        (ProviderError::spend_limit(), 429, "billing_hard_limit_reached", "insufficient_quota"),
        (ProviderError::overloaded(), 503, "server_is_overloaded", "service_unavailable_error"),
    ];
    for (reason, status, code, kind) in openai {
        assert_eq!(error(Api::OpenAi, reason).await, (status, code.into(), kind.into()));
    }
    let anthropic = [
        (ProviderError::context_too_long(), 400, Value::Null, invalid),
        (ProviderError::content_policy(), 400, Value::Null, invalid),
        (ProviderError::insufficient_quota(), 402, Value::Null, "billing_error"),
        (ProviderError::spend_limit(), 429, "enforced_spend_limit_reached".into(), "rate_limit_error"),
        (ProviderError::overloaded(), 529, Value::Null, "overloaded_error"),
    ];
    for (reason, status, code, kind) in anthropic {
        assert_eq!(error(Api::Anthropic, reason).await, (status, code, kind.into()));
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_in_the_way_it_was_asked_to() {
    let simulator = Simulator::start().await.unwrap();
    let wait = Duration::from_millis(1_500);
    for api in ALL_APIS.into_iter().filter(|api| *api != Api::Gemini) {
        simulator.script("m", ProviderError::rate_limited().retry_after(wait));
        assert_eq!(call(&simulator, api, "m").await.headers()["retry-after"], "2");
        simulator.script("m", ProviderError::rate_limited().retry_after_date(wait));
        let date = call(&simulator, api, "m").await;
        let at = |name: &str| {
            let value = date.headers()[name].to_str().unwrap();
            httpdate::parse_http_date(value).unwrap()
        };
        let delay = at("retry-after").duration_since(at("date")).unwrap();
        assert!(delay >= wait && delay <= wait + 2 * Duration::from_secs(1), "{delay:?}");
        simulator.script("m", ProviderError::rate_limited().retry_after_ms(wait));
        assert_eq!(call(&simulator, api, "m").await.headers()["retry-after-ms"], "1500");
    }
    simulator.script("m", ProviderError::rate_limited().resets_in(wait));
    let openai = call(&simulator, Api::OpenAi, "m").await;
    assert_eq!(openai.headers()["x-ratelimit-reset-requests"], "1500ms");
    let anthropic = call(&simulator, Api::Anthropic, "m").await;
    assert_eq!(anthropic.headers()["anthropic-ratelimit-requests-remaining"], "0");
}

#[tokio::test]
async fn a_wrong_key_gets_the_providers_own_error() {
    let simulator = Simulator::start().await.unwrap();
    simulator.require_key(Some("right".into()));
    simulator.script("m", Behaviour::ok());
    for api in ALL_APIS {
        let (header, prefix, refused) = match api {
            Api::OpenAi | Api::Responses => ("authorization", "Bearer ", 401),
            Api::Anthropic => ("x-api-key", "", 401),
            Api::Gemini => ("x-goog-api-key", "", 400),
        };
        for (key, status) in [("right", 200), ("wrong", refused), ("", refused)] {
            let request = request(&http(), &simulator, api, &body("m", false));
            let response = request.header(header, format!("{prefix}{key}")).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{api:?} {key}");
        }
        assert_eq!(call(&simulator, api, "m").await.status(), refused);
    }
    let url = format!("{}/models", simulator.openai_base_url());
    assert_eq!(http().get(url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
