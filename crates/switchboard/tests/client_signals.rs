//! What a client is told about coming again, and what it tells about its own time, through the whole program. Claude Code
//! sends a request that failed again and again, in silence, unless it is told that this cannot help (C9).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::time::{Duration, Instant};

use serde_json::json;
use simulator::Simulator;
use testbed::Program;

/// A gateway with the key `ours` in front of one simulator, which is OpenAI and Anthropic.
async fn start(simulator: &Simulator) -> (Program, String) {
    let file =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.toml", uuid::Uuid::new_v4()));
    let provider = |name: &str, url: String| {
        format!("[providers.{name}]\nkind = '{name}'\nbase_url = '{url}'\napi_key = 'k'\n")
    };
    let text = format!(
        "server.listen = '127.0.0.1:0'\n{}{}[keys.us]\nkey = 'ours'\n",
        provider("openai", simulator.openai_base_url()),
        provider("anthropic", simulator.anthropic_base_url())
    );
    std::fs::write(&file, text).unwrap();
    let variables = [("SWITCHBOARD_CONFIG", file.to_str().unwrap()), ("REDIS_URL", "memory:")];
    let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
    let line = program.wait_for_line("listening").await;
    let address = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
    (program, address)
}

/// A call to each API format: its path and body.
fn calls(openai: &str, anthropic: &str) -> [(String, serde_json::Value); 4] {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    [
        ("/v1/chat/completions".to_owned(), json!({ "model": openai, "messages": messages })),
        ("/v1/responses".to_owned(), json!({ "model": openai, "input": "hi" })),
        ("/v1/messages".to_owned(), json!({ "model": anthropic, "max_tokens": 9, "messages": messages })),
        (
            format!("/v1beta/models/{openai}:generateContent"),
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] }),
        ),
    ]
}

#[tokio::test]
async fn what_cannot_help_is_not_to_be_tried_again() {
    let simulator = Simulator::start().await.unwrap();
    let (_program, url) = start(&simulator).await;
    let client = reqwest::Client::new();
    for (key, fault, statuses) in [
        ("wrong", "m", &[401][..]),
        ("ours", "fault-wrong-key", &[401]),
        ("ours", "fault-quota", &[402, 429, 503]),
    ] {
        for (path, body) in calls(&format!("openai:{fault}"), &format!("anthropic:{fault}")) {
            let call = client.post(format!("{url}{path}")).header("x-api-key", key).json(&body);
            let response = call.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let text = response.text().await.unwrap();
            assert!(statuses.contains(&status), "{path} {fault}: {status} {text}");
            let said = headers.get("x-should-retry").map(|value| value.to_str().unwrap());
            assert_eq!(said, Some("false"), "{path} {fault}: {status} {headers:?} {text}");
        }
    }
}

#[tokio::test]
async fn a_call_has_no_more_time_than_its_client() {
    let simulator = Simulator::start().await.unwrap();
    let (_program, url) = start(&simulator).await;
    let client = reqwest::Client::new();
    for (path, body) in calls("openai:fault-hang", "anthropic:fault-hang") {
        let began = Instant::now();
        let call = client.post(format!("{url}{path}")).header("x-api-key", "ours").json(&body);
        let response = call.header("x-stainless-timeout", "1").send().await.unwrap();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        assert_eq!(status, 504, "{path}: {text}");
        assert!(text.contains("the client's own timeout"), "{path}: {text}");
        let elapsed = began.elapsed();
        assert!(
            (Duration::from_millis(900)..Duration::from_secs(10)).contains(&elapsed),
            "{path}: {elapsed:?}"
        );
    }
}
