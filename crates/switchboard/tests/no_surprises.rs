//! What happens with nothing set up: no key, no Redis, no variables; and what a mistyped name gets.

#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers that several test programs share"
)]

#[path = "support/program.rs"]
mod program;

use std::process::Stdio;

use program::TempDir;
use serde_json::{Value, json};
use testbed::Program;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const SWITCHBOARD: &str = env!("CARGO_BIN_EXE_switchboard");

/// The address in the line that says that it listens.
async fn address(program: &Program) -> String {
    let line = program.wait_for_line(" listening ").await;
    let (_, address) = line.split_once("address=").expect("an address");
    address.split(' ').next().expect("an address").to_owned()
}

async fn chat(address: &str, model: &str) -> (u16, String, Value) {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    let response = reqwest::Client::new().post(format!("{address}/v1/chat/completions")).json(&body).send();
    let response = response.await.expect("a response");
    let model =
        response.headers().get("x-switchboard-model").map(|model| model.to_str().expect("ASCII").to_owned());
    (response.status().as_u16(), model.unwrap_or_default(), response.json().await.expect("JSON"))
}

/// A port at which nothing listens is not to be had for Redis' default address, so these tests skip where there is a Redis.
fn has_default_redis() -> bool {
    std::net::TcpStream::connect("127.0.0.1:6379").is_ok()
}

#[tokio::test]
async fn everything_can_be_tried_without_a_key() {
    // None of these is used: the first would fail, the others would leave this machine.
    let variables = [
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
        ("DEFAULT_PLANNER_MODEL", "openai:gpt-5.4"),
    ];
    let program = Program::start(SWITCHBOARD, &["serve", "--simulate", "--listen", "127.0.0.1:0"], variables);
    let address = address(&program).await;
    let listening = program.wait_for_line(" listening ").await;
    for field in
        ["page=\"http://127.0.0.1:", "routes=\"assistant, failover\"", "store=\"not shared (no Redis)\""]
    {
        assert!(listening.contains(field), "{field}: {listening}");
    }
    for (model, answered_by) in [
        ("assistant", "openai:gpt-5.4"),
        ("claude-sonnet-5", "anthropic:claude-sonnet-5"),
        ("google-genai:gemini-3.8-flash", "google-genai:gemini-3.8-flash"),
        ("failover", "anthropic:claude-sonnet-5"),
    ] {
        let (status, by, answer) = chat(&address, model).await;
        assert_eq!((status, by.as_str()), (200, answered_by), "{answer}");
        assert!(answer["choices"][0]["message"]["content"].is_string(), "{answer}");
    }
    let line = program.wait_for_line("attempt_failures=").await;
    assert!(line.contains("openai:fault-503: HTTP 503") && line.contains(" ×2\""), "{line}");
    assert!(line.contains(" INFO call ") && line.contains("attempts=3"), "{line}");
    let (status, _, answer) = chat(&address, "asistant").await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("unknown_model")), "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("Did you mean the route `assistant`?"), "{message}");
}

#[tokio::test]
async fn it_says_what_to_try() {
    let directory = TempDir::new();
    let mut command = directory.command(&["serve", "--simulate", "--listen", "127.0.0.1:0"], &[]);
    let mut program =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut lines = BufReader::new(program.stdout.take().expect("its output")).lines();
    let mut introduction = Vec::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        introduction.push(line.clone());
        if line.starts_with("Page ") {
            break;
        }
    }
    let text = introduction.join("\n");
    for part in ["curl http://127.0.0.1:", "\"model\":\"assistant\"", "OpenAI SDK", "failover"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let widest = introduction.iter().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 80), "{text}");
}

#[tokio::test]
async fn a_file_and_simulated_providers_exclude_each_other() {
    let directory = TempDir::new().with_file("other.toml", "");
    let ended = directory.run(&["serve", "--simulate", "--config", "other.toml"], &[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("leave out --config other.toml"), "{}", ended.stderr);
}

#[tokio::test]
async fn no_redis_where_none_was_asked_for_is_no_failure() {
    if has_default_redis() {
        return;
    }
    let directory = TempDir::new();
    let listed = directory.run(&["circuits"], &[]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(
        listed.stdout.starts_with("No circuits: circuits are not shared (no Redis)"),
        "{}",
        listed.stdout
    );
    assert_eq!(directory.run(&["circuits", "list", "--json"], &[]).await.json(), json!([]));
    let diagnosed = directory.run(&["doctor"], &[]).await;
    assert_eq!(diagnosed.code, Some(0), "{}", diagnosed.stdout);
    assert!(diagnosed.stdout.contains("not shared (no Redis)"), "{}", diagnosed.stdout);
    // Asked for, it is one.
    let variables = [("REDIS_URL", "redis://127.0.0.1:1")];
    for command in [&["circuits"][..], &["doctor"]] {
        assert_eq!(directory.run(command, &variables).await.code, Some(1), "{command:?}");
    }
    assert_eq!(directory.run(&["circuits", "show", "openai:gpt-5"], &[]).await.code, Some(1));
}
