//! What goes through to a provider and back besides the body: headers that the configuration names, and the provider's own
//! id of the request.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use serde_json::json;
use simulator::Simulator;
use testbed::Program;

/// A gateway in front of one simulator, as two accounts: `named` gets headers that `usual` does not.
async fn start(simulator: &Simulator) -> (Program, String) {
    let file =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.toml", uuid::Uuid::new_v4()));
    let url = simulator.openai_base_url();
    let provider =
        |name: &str| format!("[providers.{name}]\nkind = 'openai'\nbase_url = '{url}'\napi_key = 'k'\n");
    let text = format!(
        "server.listen = '127.0.0.1:0'\n{}{}forward = ['HTTP-Referer', 'x-title']\n",
        provider("usual"),
        provider("named")
    );
    std::fs::write(&file, text).unwrap();
    let variables = [("SWITCHBOARD_CONFIG", file.to_str().unwrap()), ("REDIS_URL", "memory:")];
    let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve"], variables);
    let line = program.wait_for_line("listening").await;
    let address = line.split("address=").nth(1).expect("its address").split(' ').next().unwrap().to_owned();
    (program, address)
}

#[tokio::test]
async fn a_provider_gets_the_headers_that_its_configuration_names() {
    let simulator = Simulator::start().await.unwrap();
    let (_program, url) = start(&simulator).await;
    let client = reqwest::Client::new();
    let chat = |model: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        client.post(format!("{url}/v1/chat/completions")).json(&body)
    };
    // The second is translated: it is a call to messages.
    let body =
        json!({ "model": "named:m", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let messages = client.post(format!("{url}/v1/messages")).json(&body);
    for (request, is_forwarded) in [(chat("named:m"), true), (messages, true), (chat("usual:m"), false)] {
        let request = request.header("http-referer", "https://app.example").header("x-title", "an app");
        let response = request.header("x-other", "o").send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let traffic = simulator.traffic();
        let received = &traffic.received().last().unwrap().headers;
        let sent = |name: &str| received.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(sent("http-referer"), is_forwarded.then_some("https://app.example"));
        assert_eq!(sent("x-title"), is_forwarded.then_some("an app"));
        assert_eq!(sent("x-other"), None);
    }
}

#[tokio::test]
async fn the_providers_id_of_a_request_is_in_the_answer_and_in_the_log() {
    let simulator = Simulator::start().await.unwrap();
    let (program, url) = start(&simulator).await;
    for stream in [false, true] {
        let body = json!({ "model": "usual:m", "stream": stream, "messages": [{ "role": "user", "content": "hi" }] });
        let post = reqwest::Client::new().post(format!("{url}/v1/chat/completions")).json(&body);
        let response = post.header("x-request-id", format!("mine-{stream}")).send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (ours, theirs) = (header("x-request-id"), header("x-upstream-request-id"));
        assert_eq!(ours, format!("mine-{stream}"));
        assert_ne!(ours, theirs);
        response.bytes().await.unwrap();
        let line = program.wait_for_line(&format!("request=\"{ours}\"")).await;
        assert!(line.contains(&format!("upstream_request=\"{theirs}\"")), "{line}");
    }
}
