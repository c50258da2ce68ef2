//! The program is told to stop: what runs ends, what comes is refused, what was learnt is written.

use std::time::Duration;

use serde_json::json;
use simulator::{Behaviour, Fault, Simulator};
use testbed::RedisServer;
use tokio::time::Instant;

use crate::support::{ConfigFile, Instance};

const MODEL: &str = "openai:gpt-5";

impl Instance {
    async fn stream(&self, path: &str, model: &str) -> reqwest::Response {
        let messages = json!([{"role": "user", "content": "Hello"}]);
        let body = json!({"model": model, "max_tokens": 9, "messages": messages, "stream": true});
        self.client.post(format!("{}{path}", self.url)).json(&body).send().await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_stream_under_way_ends_whole_and_new_calls_are_refused() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    let mut instance = Instance::start(Some(&redis.url()), &simulator).await;
    simulator.script("gpt-5", Behaviour::ok().words(20).gap(Duration::from_millis(100)));
    let stream = instance.stream("/v1/chat/completions", MODEL).await;
    assert_eq!(instance.status("/readyz").await, 200);

    instance.program.signal("TERM");
    instance.program.wait_for_line("shutting down").await;
    assert_eq!(instance.status("/readyz").await, 503);
    assert_eq!(instance.status("/livez").await, 200);
    let (status, _, body) = instance.chat(MODEL).await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("shutting_down")));
    let text = stream.text().await.unwrap();
    assert!(text.ends_with("data: [DONE]\n\n") && !text.contains("\"error\""), "{text}");
    assert_eq!(instance.program.wait_for_exit().await, Some(0));
    assert_eq!(simulator.traffic().calls("gpt-5"), 1, "the refused call reached the provider");
}

#[tokio::test]
async fn a_failure_just_counted_is_not_lost() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    let config = ConfigFile::new("retry.max_attempts = 1\nserver.shutdown_timeout = '200ms'\n");
    let variables = [("SWITCHBOARD_CONFIG", config.path())];
    let mut instance = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    simulator.script("gpt-5", Fault::Reset);
    // The first is written at once, the second put off.
    for _ in 0..2 {
        assert_eq!(instance.chat(MODEL).await.0, 502);
    }
    instance.program.signal("INT");
    assert_eq!(instance.program.wait_for_exit().await, Some(0));
    let value = redis.cli(&["GET", "circuit_breaker:openai:gpt-5"]).await;
    assert!(value.contains("\"failureCount\":2"), "{value}");
}

#[tokio::test]
async fn past_the_limit_streams_are_visibly_broken_and_the_program_ends() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    let config = ConfigFile::new("server.shutdown_timeout = '200ms'\n");
    let variables = [("SWITCHBOARD_CONFIG", config.path())];
    let mut instance = Instance::start_with(Some(&redis.url()), &simulator, &variables).await;
    for model in ["gpt-5", "claude-opus-4-5"] {
        simulator.script(model, Behaviour::ok().words(9).with(Fault::Silence { after: 4 }));
    }
    let openai = instance.stream("/v1/chat/completions", MODEL).await;
    let anthropic = instance.stream("/v1/messages", "anthropic:claude-opus-4-5").await;
    let began = Instant::now();
    instance.program.signal("TERM");
    let text = openai.text().await.unwrap();
    assert!(text.contains("\"stream_interrupted\"") && !text.contains("[DONE]"), "{text}");
    let text = anthropic.text().await.unwrap();
    assert!(text.contains("event: error\n") && !text.contains("message_stop"), "{text}");
    assert_eq!(instance.program.wait_for_exit().await, Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let line = instance.program.wait_for_line("outcome=\"aborted\"").await;
    assert!(line.contains("attempts=1"), "{line}");
    assert_eq!(simulator.traffic().disconnected(), 2, "the providers' calls are stopped");
}

#[tokio::test]
async fn where_nobody_calls_it_ends_at_once() {
    let simulator = Simulator::start().await.unwrap();
    let mut instance = Instance::start_with(None, &simulator, &[("REDIS_URL", "memory:")]).await;
    let began = Instant::now();
    instance.program.signal("TERM");
    assert_eq!(instance.program.wait_for_exit().await, Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
