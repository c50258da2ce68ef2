//! Responses that are not streamed.

use std::time::Duration;

use dialects::{Endpoint, Usage};
use http::{HeaderMap, HeaderValue, StatusCode};
use providers::{
    ConnectCause, FailureClass, Provider, ProviderConfig, ProviderConfigError, ProviderErrorKind,
    ProviderKind, ProviderRequest, Timeouts,
};
use serde_json::Value;
use simulator::{Behaviour, Fault, ProviderError as InjectedError};

use crate::setup::{KEY, KINDS, MODEL, body, call, endpoint, plain, provider, simulated};

#[tokio::test]
async fn a_response_is_returned_unchanged() {
    for kind in KINDS {
        let (_simulator, provider) = simulated(kind, Behaviour::ok()).await;
        let response = plain(&provider).await.unwrap();
        assert_eq!(response.status, StatusCode::OK);
        let parsed: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(parsed["model"], MODEL);
        assert!(matches!(response.usage, Usage { input: Some(_), output: Some(3) }), "{:?}", response.usage);
        assert_eq!(response.headers["content-type"], "application/json");
        assert!(!response.headers.contains_key("content-length"), "{:?}", response.headers);
    }
}

#[tokio::test]
async fn a_provider_gets_its_own_key_and_not_the_callers() {
    for (kind, path, key_header, key) in [
        (ProviderKind::OpenAi, "/v1/chat/completions", "authorization", format!("Bearer {KEY}")),
        (ProviderKind::Anthropic, "/v1/messages", "x-api-key", KEY.to_owned()),
    ] {
        let (simulator, provider) = simulated(kind, Behaviour::ok()).await;
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-api-key", "x-goog-api-key", "cookie"] {
            headers.insert(name, HeaderValue::from_static("callers"));
        }
        headers.insert("traceparent", HeaderValue::from_static("00-1-2-01"));
        let timeouts = Timeouts::default();
        let call = ProviderRequest {
            endpoint: endpoint(kind),
            model: MODEL,
            body: &body(false),
            tail: None,
            translation: None,
            stream: false,
            withhold_usage: false,
            json_array: false,
            beta: false,
            wants_meta: true,
            headers: &headers,
            timeouts: &timeouts,
        };
        provider.call(&call).await.unwrap();
        let seen = simulator.traffic();
        let received = &seen.received()[0];
        assert_eq!(received.path, path);
        assert_eq!(received.body, body(false));
        assert_eq!(received.headers[key_header], key.as_str());
        assert_eq!(received.headers["traceparent"], "00-1-2-01");
        assert_eq!(received.headers["content-type"], "application/json");
        assert!(received.headers.values().all(|value| value != "callers"), "{:?}", received.headers);
    }
}

#[tokio::test]
async fn anthropics_version_is_the_callers_or_the_standard_one() {
    let (simulator, provider) = simulated(ProviderKind::Anthropic, Behaviour::ok()).await;
    plain(&provider).await.unwrap();
    let headers: HeaderMap = [("anthropic-version".parse().unwrap(), HeaderValue::from_static("2099-01-01"))]
        .into_iter()
        .collect();
    let timeouts = Timeouts::default();
    let call = ProviderRequest {
        endpoint: Endpoint::Messages,
        model: MODEL,
        body: &body(false),
        tail: None,
        translation: None,
        stream: false,
        withhold_usage: false,
        json_array: false,
        beta: false,
        wants_meta: true,
        headers: &headers,
        timeouts: &timeouts,
    };
    provider.call(&call).await.unwrap();
    let seen = simulator.traffic();
    let versions: Vec<_> =
        seen.received().iter().map(|received| &received.headers["anthropic-version"]).collect();
    assert_eq!(versions, ["2023-06-01", "2099-01-01"]);
}

#[tokio::test]
async fn one_connection_serves_call_after_call() {
    let (simulator, provider) = simulated(ProviderKind::OpenAi, Behaviour::ok()).await;
    for _ in 0..3 {
        plain(&provider).await.unwrap();
    }
    assert_eq!(simulator.traffic().open_connections(), 1);
}

#[tokio::test]
async fn an_error_response_is_classified_and_kept() {
    let retry_after = Duration::from_secs(2);
    for (injected, class) in [
        (InjectedError::status(StatusCode::INTERNAL_SERVER_ERROR), FailureClass::Provider),
        (InjectedError::overloaded(), FailureClass::Provider),
        (InjectedError::rate_limited(), FailureClass::Provider),
        (InjectedError::rate_limited().retry_after(retry_after), FailureClass::RateLimited { retry_after }),
        (
            InjectedError::rate_limited().retry_after_ms(retry_after),
            FailureClass::RateLimited { retry_after },
        ),
        (InjectedError::status(StatusCode::UNAUTHORIZED), FailureClass::Auth),
        (InjectedError::status(StatusCode::NOT_FOUND), FailureClass::UnknownModel),
        (InjectedError::status(StatusCode::UNPROCESSABLE_ENTITY), FailureClass::InvalidRequest),
        (InjectedError::insufficient_quota(), FailureClass::QuotaExhausted),
        (InjectedError::spend_limit(), FailureClass::QuotaExhausted),
        (InjectedError::context_too_long(), FailureClass::ContextTooLong),
        (InjectedError::content_policy(), FailureClass::InvalidRequest),
    ] {
        for kind in KINDS {
            let (_simulator, provider) = simulated(kind, injected.clone()).await;
            let error = plain(&provider).await.unwrap_err();
            assert_eq!(
                (error.kind, error.class),
                (ProviderErrorKind::Status, class),
                "{kind:?} {injected:?}"
            );
            let response = error.response.unwrap();
            assert_eq!(Some(response.status.as_u16()), error.status);
            let parsed: Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(parsed["error"]["type"].as_str(), error.error_type.as_deref());
        }
    }
}

#[tokio::test]
async fn reset_headers_are_a_retry_delay_too() {
    for kind in KINDS {
        let injected = InjectedError::rate_limited().resets_in(Duration::from_secs(30));
        let (_simulator, provider) = simulated(kind, injected).await;
        let FailureClass::RateLimited { retry_after } = plain(&provider).await.unwrap_err().class else {
            panic!("no rate limit: {kind:?}")
        };
        // Anthropic sends points in time, and dates are whole seconds.
        assert!((28..=31).contains(&retry_after.as_secs()), "{kind:?} {retry_after:?}");
    }
}

#[tokio::test]
async fn an_invalid_response_is_a_failure() {
    let error = InjectedError::overloaded();
    for (fault, expected_kind) in [
        (Fault::Reset, ProviderErrorKind::Truncated),
        (Fault::Cut { after: 0 }, ProviderErrorKind::Truncated),
        (Fault::End { after: 0 }, ProviderErrorKind::Invalid),
        (Fault::Garbage { after: 0 }, ProviderErrorKind::Invalid),
        (Fault::Empty, ProviderErrorKind::Invalid),
        (Fault::NotJson, ProviderErrorKind::Invalid),
        (Fault::ErrorEvent { after: 0, error }, ProviderErrorKind::ErrorInBody),
    ] {
        for kind in KINDS {
            let (_simulator, provider) = simulated(kind, fault.clone()).await;
            let actual = plain(&provider).await.unwrap_err();
            assert_eq!(
                (actual.kind, actual.class),
                (expected_kind, FailureClass::Provider),
                "{kind:?} {fault:?}"
            );
            assert_eq!(actual.response.is_some(), expected_kind == ProviderErrorKind::ErrorInBody);
        }
    }
}

#[tokio::test]
async fn no_connection_is_distinguished_from_a_broken_one() {
    let (simulator, provider) = simulated(ProviderKind::OpenAi, Behaviour::ok()).await;
    plain(&provider).await.unwrap();
    simulator.refuse_connections().await.unwrap();
    let error = plain(&provider).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Connection(ConnectCause::Refused));
    assert_eq!(error.error_code.as_deref(), Some("connection_refused"));
    let text = error.to_string();
    assert!(text.starts_with("could not connect to the provider (connection refused: 127.0.0.1:"), "{text}");
    simulator.accept_connections().await.unwrap();
    plain(&provider).await.unwrap();
}

#[tokio::test]
async fn dropping_a_call_cancels_the_providers() {
    let (simulator, provider) = simulated(ProviderKind::OpenAi, Fault::Hang).await;
    tokio::select! {
        response = plain(&provider) => panic!("{response:?}"),
        () = simulator.wait_until(|seen| seen.in_flight() == 1) => {}
    }
    simulator.wait_until(|seen| seen.disconnected() == 1).await;
}

#[tokio::test]
async fn another_api_format_is_unsupported() {
    // The endpoint is that of Anthropic's Messages.
    let provider = provider(ProviderKind::GoogleGenAi, "http://127.0.0.1:1");
    let error = call(&provider, false, &Timeouts::default()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.class),
        (ProviderErrorKind::UnsupportedEndpoint, FailureClass::InvalidRequest)
    );
}

#[tokio::test]
async fn nothing_shows_a_key_or_a_prompt() {
    let (_simulator, provider) = simulated(ProviderKind::OpenAi, InjectedError::overloaded()).await;
    let (headers, timeouts) = (HeaderMap::new(), Timeouts::default());
    let body = body(false);
    let call = ProviderRequest {
        endpoint: Endpoint::ChatCompletions,
        model: MODEL,
        body: &body,
        tail: None,
        translation: None,
        stream: false,
        withhold_usage: false,
        json_array: false,
        beta: false,
        wants_meta: true,
        headers: &headers,
        timeouts: &timeouts,
    };
    let error = provider.call(&call).await.unwrap_err();
    for shown in [format!("{provider:?}"), format!("{call:?}"), format!("{error:?} {error}")] {
        assert!(!shown.contains(KEY) && !shown.contains("my secret"), "{shown}");
    }
}

#[test]
fn configurations_that_could_never_work() {
    let new = |base_url: &str, key: &str| {
        let config = ProviderConfig {
            api_key: Some(key.to_owned().into()),
            ..ProviderConfig::new("p", ProviderKind::OpenAi, base_url.parse().unwrap())
        };
        Provider::new(config, Duration::from_secs(1)).map(drop)
    };
    assert!(new("http://127.0.0.1:1/v1", KEY).is_ok());
    assert!(matches!(new("http://127.0.0.1:1/v1", "two\nlines"), Err(ProviderConfigError::Key { .. })));
    assert!(matches!(new("ftp://127.0.0.1", KEY), Err(ProviderConfigError::BaseUrl { .. })));
    assert!(matches!(new("mailto:a@b", KEY), Err(ProviderConfigError::BaseUrl { .. })));
}
