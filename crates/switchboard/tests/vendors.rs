//! Providers by name, with the real program and a simulated vendor behind a variable: what arrives there.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "helpers that several test programs share"
)]

#[path = "support/program.rs"]
mod program;

use program::TempDir;
use serde_json::{Value, json};
use simulator::Simulator;
use testbed::Program;

/// A gateway without a file, unless `text` is one, and its address.
async fn start(text: &str, variables: &[(&str, &str)]) -> (Program, String) {
    let file =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.toml", uuid::Uuid::new_v4()));
    std::fs::write(&file, format!("server.listen = '127.0.0.1:0'\n{text}")).unwrap();
    let usual = [("SWITCHBOARD_CONFIG", file.to_str().unwrap()), ("REDIS_URL", "memory:")];
    let variables = usual.into_iter().chain(variables.iter().copied());
    let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
    let line = program.wait_for_line("listening").await;
    let address = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
    (program, address)
}

fn chat(url: &str, model: &str) -> reqwest::RequestBuilder {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    reqwest::Client::new().post(format!("{url}/v1/chat/completions")).json(&body)
}

#[tokio::test]
async fn a_key_in_the_environment_is_enough() {
    let simulator = Simulator::start().await.unwrap();
    let base_url = simulator.openai_base_url();
    let variables = [("GROQ_API_KEY", "gsk-1"), ("GROQ_BASE_URL", &base_url)];
    let (_program, url) = start("", &variables).await;
    for model in ["groq:llama-3.3-70b", "groq/llama-3.3-70b"] {
        let response = chat(&url, model).send().await.unwrap();
        assert_eq!(response.headers()["x-switchboard-model"], "groq:llama-3.3-70b");
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    }
    let traffic = simulator.traffic();
    let received = traffic.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].headers["authorization"], "Bearer gsk-1");
    // Another vendor's models are not those of this one.
    let error: Value = chat(&url, "mistral:large").send().await.unwrap().json().await.unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("provider mistral is not configured"), "{message}");
}

#[tokio::test]
async fn what_a_vendor_refuses_is_not_sent_by_a_translation() {
    let simulator = Simulator::start().await.unwrap();
    let text = format!("[providers.mistral]\napi_key = 'k'\nbase_url = '{}'", simulator.openai_base_url());
    let (_program, url) = start(&text, &[]).await;
    let body = json!({
        "model": "mistral:m", "max_tokens": 9, "stream": true, "metadata": { "user_id": "u" },
        "messages": [{ "role": "user", "content": "hi" }],
    });
    let request = reqwest::Client::new().post(format!("{url}/v1/messages")).json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-switchboard-dropped"], "metadata.user_id");
    assert!(response.text().await.unwrap().contains("message_stop"));
    let traffic = simulator.traffic();
    let received: Value = serde_json::from_slice(&traffic.received().last().unwrap().body).unwrap();
    let fields: Vec<_> = received.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["model", "messages", "max_tokens", "stream"]);
}

#[tokio::test]
async fn azure_gets_its_own_paths_queries_and_keys() {
    let simulator = Simulator::start().await.unwrap();
    let endpoint = simulator.openai_base_url().replace("/v1", "");
    let provider = |name: &str, settings: &str| {
        format!("[providers.{name}]\nkind = 'azure'\nbase_url = '{endpoint}'\n{settings}\n")
    };
    let text = [
        provider("azure", "api_key = 'k1'"),
        provider("old", "api_key = 'k2'\napi_version = '2024-10-21'"),
        provider("entra", "api_key = 'eyJhbGciOiJub25lIn0.e30.c2ln'"),
    ]
    .concat();
    let (_program, url) = start(&text, &[]).await;
    for (model, path, query, header, key) in [
        ("azure:gpt", "/openai/v1/chat/completions", None, "api-key", "k1"),
        (
            "old:my-gpt",
            "/openai/deployments/my-gpt/chat/completions",
            Some("api-version=2024-10-21"),
            "api-key",
            "k2",
        ),
        (
            "entra:gpt",
            "/openai/v1/chat/completions",
            None,
            "authorization",
            "Bearer eyJhbGciOiJub25lIn0.e30.c2ln",
        ),
    ] {
        let response = chat(&url, model).send().await.unwrap();
        assert_eq!(response.status(), 200, "{model}: {}", response.text().await.unwrap());
        let traffic = simulator.traffic();
        let received = traffic.received();
        let last = received.last().unwrap();
        assert_eq!((last.path.as_str(), last.query.as_deref()), (path, query), "{model}");
        assert_eq!(last.headers[header], key, "{model}");
        let other = if header == "api-key" { "authorization" } else { "api-key" };
        assert!(!last.headers.contains_key(other), "{model}");
    }
}

#[tokio::test]
async fn doctor_asks_each_vendor_in_its_own_way() {
    let simulator = Simulator::start().await.unwrap();
    let base_url = simulator.openai_base_url();
    let provider = |name: &str| format!("[providers.{name}]\napi_key = 'k'\nbase_url = '{base_url}'\n");
    let azure = format!("[providers.azure]\napi_key = 'k'\nbase_url = '{}'\n", base_url.replace("/v1", ""));
    let dated = azure.replace("azure]", "dated]\nkind = 'azure'\napi_version = '2024-10-21'");
    let file = [provider("groq"), provider("vercel"), azure, dated].concat();
    let dir = TempDir::new().with_file("switchboard.toml", &file);
    let output = dir.run(&["doctor"], &[("REDIS_URL", "memory:")]).await;
    let line = |name: &str| {
        output.stdout.lines().find(|line| line.contains(name)).unwrap_or(&output.stdout).to_owned()
    };
    for name in ["groq", "azure", "dated"] {
        assert!(line(&format!("{name}: reached")).contains("key accepted"), "{}", output.stdout);
    }
    assert!(line("vercel: reached").contains("says nothing about the key"), "{}", output.stdout);
}
