//! A process without file descriptors (C8). It is a program of its own, since it takes those of all its tests.

use std::{fs::File, sync::Arc, time::Duration};

use breaker::Policy;
use circuits::{Circuits, Policies};
use dialects::{Endpoint, Request};
use http::HeaderMap;
use manager::{
    BufferLimit, Call, CallError, ModelManager, OnAuthError, Response, Retry, Route, Settings, StreamMode,
};
use providers::{LocalResource, ProviderConfig, ProviderKind, Timeouts};
use rustix::process::{Resource, getrlimit, setrlimit};
use simulator::Simulator;

#[tokio::test]
async fn a_process_out_of_descriptors_blames_no_model() {
    let simulator = Simulator::start().await.unwrap();
    let call = || {
        let body = r#"{"model":"route","messages":[{"role":"user","content":"Hi"}]}"#;
        Call {
            allowed_models: None,
            caller: None,
            id: "id-1".into(),
            request: Request::parse(Endpoint::ChatCompletions, body.into()).unwrap(),
            headers: HeaderMap::new(),
            fallback: true,
            beta: false,
            client_timeout: None,
            injected_fault: None,
        }
    };
    let models = ["a:m", "b:m"];
    let provider = |name: &str| {
        ProviderConfig::new(
            name,
            ProviderKind::OpenAi,
            simulator.openai_base_url().replace("127.0.0.1", "localhost").parse().unwrap(),
        )
    };
    let (retry, timeouts) = (Retry::default(), Timeouts::default());
    let route = Route {
        models: models.iter().map(|key| key.parse().unwrap()).collect(),
        retry,
        timeouts,
        stream: StreamMode::PassThrough,
        hedge_after: None,
        on_auth_error: OnAuthError::Report,
    };
    let policy = Policy {
        failure_threshold: 1,
        min_failure_span: Duration::ZERO,
        burst_threshold: 1,
        ..Policy::default()
    };
    let circuits = Circuits::in_memory(Policies { default: policy, ..Policies::default() });
    let settings = Settings {
        providers: vec![provider("a"), provider("b")],
        routes: [("route".to_owned(), route)].into(),
        retry,
        timeouts,
        stream: StreamMode::PassThrough,
        buffer_limit: BufferLimit::default(),
    };
    let manager = Arc::new(ModelManager::new(settings, circuits.clone()).unwrap());

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    for _ in 0..20 {
        let error = manager.call(call()).await.unwrap_err();
        assert!(
            matches!(error, CallError::Overloaded { resource: LocalResource::Descriptors, .. }),
            "{error}"
        );
        assert_eq!((error.status(), error.code()), (503, "overloaded"));
        assert_eq!(error.retry_in(), Some(Duration::from_secs(1)));
        assert!(!error.is_permanent(), "the caller's SDK may try again");
    }
    for key in models {
        let key = key.parse().unwrap();
        circuits.wait_idle(&key).await;
        assert!(circuits.admit(&key).await.is_ok(), "{key}");
    }
    assert_eq!(simulator.traffic().all_calls(), 0);

    drop(files);
    let response = manager.call(call()).await.unwrap();
    assert!(matches!(response, Response::Reply(_)), "{response:?}");
}
