//! The model, the attempts and the tokens of a call, in headers and in metrics.

use manager::StreamMode;
use serde_json::Value;
use simulator::{Behaviour, Fault};

use crate::support::{Setup, World, header, never_trips};

#[tokio::test]
async fn a_response_reports_its_tokens_and_a_failed_attempt_has_none() {
    let world = World::new().await;
    // A response with its usage, truncated in the middle.
    world.first.script("m", Fault::Cut { after: 0 });
    let response = world.chat("chat", false).send().await.unwrap();
    let counts = ["input", "output"].map(|direction| {
        header(&response, &format!("x-switchboard-{direction}-tokens")).unwrap().parse::<f64>().unwrap()
    });
    let body: Value = response.json().await.unwrap();
    let usage = &body["usage"];
    assert_eq!(counts.map(Some), [usage["prompt_tokens"].as_f64(), usage["completion_tokens"].as_f64()]);

    let tokens = |model: &str, direction: &str| {
        let series = format!("switchboard_tokens_total{{model=\"{model}\",direction=\"{direction}\"}}");
        let world = &world;
        async move { world.metric(&series).await }
    };
    assert_eq!(tokens("backup:m", "input").await, Some(counts[0]));
    assert_eq!(tokens("backup:m", "output").await, Some(counts[1]));
    assert_eq!(tokens("openai:m", "output").await, None, "a failed attempt is billed as a response");
    for (series, expected) in [
        ("switchboard_calls_total{route=\"chat\",outcome=\"answered\",caller=\"\"}", 1.0),
        ("switchboard_attempts_total{model=\"openai:m\",outcome=\"cut\"}", 1.0),
        ("switchboard_attempts_total{model=\"backup:m\",outcome=\"answered\"}", 1.0),
        ("switchboard_fallbacks_total{route=\"chat\"}", 1.0),
        ("switchboard_call_duration_seconds_count{route=\"chat\"}", 1.0),
        ("switchboard_calls_in_flight", 0.0),
        ("switchboard_streams_open", 0.0),
    ] {
        assert_eq!(world.metric(series).await, Some(expected), "{series}");
    }
}

#[tokio::test]
async fn only_complete_streams_are_counted() {
    for mode in [StreamMode::PassThrough, StreamMode::Buffer] {
        let world = World::with(Setup { stream: mode, policy: never_trips(), ..Setup::default() }).await;
        let response = world.messages("messages", true).send().await.unwrap();
        assert_eq!(header(&response, "x-switchboard-output-tokens"), None, "not known at the head");
        assert!(response.text().await.unwrap().contains("message_stop"));
        world.wait_until_idle().await;
        let output = "switchboard_tokens_total{model=\"anthropic:m\",direction=\"output\"}";
        let before = world.metric(output).await.expect("a complete stream is counted");
        assert!(before > 0.0);
        let first_token = "switchboard_time_to_first_token_seconds_count{route=\"messages\"}";
        assert_eq!(world.metric(first_token).await, Some(1.0), "{mode:?}");
        assert_eq!(world.metric("switchboard_fallbacks_total{route=\"messages\"}").await, None);

        for provider in [&world.first, &world.second] {
            provider.script("m", Behaviour::ok().words(9).with(Fault::Cut { after: 5 }));
        }
        world.messages("messages", true).send().await.unwrap().text().await.unwrap();
        world.wait_until_idle().await;
        assert_eq!(world.metric(output).await, Some(before), "{mode:?}: a truncated stream is billed");
        let ended = |outcome| {
            format!("switchboard_calls_total{{route=\"messages\",outcome=\"{outcome}\",caller=\"\"}}")
        };
        assert_eq!(world.metric(&ended("answered")).await, Some(1.0), "{mode:?}");
        let truncated = if mode == StreamMode::Buffer { "attempts_exhausted" } else { "stream_interrupted" };
        assert_eq!(world.metric(&ended(truncated)).await, Some(1.0), "{mode:?}");
    }
}

#[tokio::test]
async fn labels_are_bounded_whatever_clients_request() {
    let world = World::with(Setup { policy: never_trips(), ..Setup::default() }).await;
    for number in 0..5 {
        world.first.script(format!("gone-{number}"), Behaviour::status(http::StatusCode::NOT_FOUND));
        world.chat(&format!("gone-{number}"), false).send().await.unwrap();
        world.chat(&format!("bedrock:x{number}"), false).send().await.unwrap();
    }
    for number in 0..120 {
        assert_eq!(world.chat(&format!("tuned-{number}"), false).send().await.unwrap().status(), 200);
    }
    let text = world.get("/metrics").send().await.unwrap().text().await.unwrap();
    for unknown in ["gone-", "bedrock"] {
        assert!(!text.contains(unknown), "{unknown}");
    }
    let calls = |route: &str| {
        let begins = format!("switchboard_calls_total{{route=\"{route}");
        text.lines().filter(|line| line.starts_with(&begins)).count()
    };
    assert_eq!(calls("openai:tuned-"), 100);
    assert!(calls("other") >= 2, "{text}");
}

#[tokio::test]
async fn metrics_need_no_key_and_are_in_the_format_of_prometheus() {
    let world = World::with_keys().await;
    world.first.script("m", Fault::Reset);
    let call = world.messages("messages", true).bearer_auth("caller");
    call.send().await.unwrap().text().await.unwrap();
    world.wait_until_idle().await;
    let response = world.get("/metrics").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = header(&response, "content-type").unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = response.text().await.unwrap();
    for name in
        ["calls", "attempts", "fallbacks", "call_duration_seconds", "time_to_first_token_seconds", "tokens"]
    {
        assert!(text.contains(&format!("# TYPE switchboard_{name} ")), "{name}: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(world.metric("switchboard_connections").await, Some(1.0));
    assert!(world.metric("switchboard_tasks").await.unwrap() >= 1.0);
}
