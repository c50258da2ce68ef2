//! The official Python SDKs as clients, with only their base URL changed.

use std::path::Path;

use simulator::{ProviderError, Script, Simulator};
use testbed::RedisServer;
use tokio::process::Command;

use crate::support::Instance;

/// Runs one of the scripts in `tests/sdk` with the project's own Python environment.
async fn run(script: &str, instance: &Instance) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "the official SDKs are not installed: run ./test, which installs them");
    let output = Command::new(python)
        .arg(root.join("tests/sdk").join(script))
        .env_clear()
        .env("GATEWAY", &instance.url)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.trim_end().ends_with("all well"), "{told}");
}

async fn instance(simulator: &Simulator, redis: &RedisServer) -> Instance {
    let overloaded = || Script::always(ProviderError::overloaded());
    simulator.script("dead", overloaded());
    let variables = [
        ("DEFAULT_PLANNER_MODEL", "openai:dead"),
        ("FALLBACK_OPENAI_PLANNER_MODEL", "gpt-5"),
        ("DEFAULT_REVIEWER_MODEL", "anthropic:dead"),
        ("FALLBACK_ANTHROPIC_REVIEWER_MODEL", "claude-opus-4-5"),
    ];
    Instance::start_with(Some(&redis.url()), simulator, &variables).await
}

#[tokio::test]
async fn openai() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    run("openai_calls.py", &instance(&simulator, &redis).await).await;
}

#[tokio::test]
async fn anthropic() {
    let (simulator, redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    run("anthropic_calls.py", &instance(&simulator, &redis).await).await;
}
