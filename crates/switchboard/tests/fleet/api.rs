//! The circuits' API from outside: driven from its description, and by applications that call providers themselves.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use simulator::{ProviderError, Script, Simulator};
use testbed::RedisServer;
use tokio::process::Command;

use crate::support::{ConfigFile, Instance, TRIPS_AT_ONCE};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An empty directory for what a tool leaves behind.
fn scratch_directory(name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A program of this machine, with nothing in its environment that could lead it elsewhere.
fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("NO_COLOR", "1");
    command
}

/// Runs a command to its good end, and gives back what it said.
async fn run_ok(command: &mut Command) -> String {
    let output = command.kill_on_drop(true).output().await.unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    stdout
}

#[tokio::test]
async fn the_description_is_true() {
    let simulator = Simulator::start().await.unwrap();
    let keys = ConfigFile::new("server.api_keys = ['caller']\nserver.admin_keys = ['boss']\n");
    let instance =
        Instance::start_with(Some("memory:"), &simulator, &[("SWITCHBOARD_CONFIG", keys.path())]).await;
    let schemathesis = root().join(".venv/bin/schemathesis");
    assert!(schemathesis.exists(), "Schemathesis is not installed: run ./test, which installs it");
    let directory = scratch_directory("schemathesis");
    let stdout = run_ok(
        program(schemathesis)
            .args(["run", &format!("{}/openapi.json", instance.url)])
            .args(["--header", "Authorization: Bearer boss"])
            // Calls go to providers, and the stream of events does not end.
            .args(["--include-path-regex", "^/(circuits|livez|readyz|health|metrics|openapi)"])
            .args(["--exclude-path", "/circuits/events"])
            // An open circuit refuses with a 503, which is described: that only such statuses come is looked at.
            .args(["--exclude-checks", "not_a_server_error"])
            .args(["--seed", "7", "--max-examples", "10", "--no-shrink", "--suppress-health-check", "all"])
            .current_dir(&directory),
    )
    .await;
    drop(std::fs::remove_dir_all(directory));
    assert!(stdout.contains("Operations:       16 selected"), "what is looked at has changed: {stdout}");
}

/// Reads a stream of events until one has come with a text in it.
async fn wait_for_event(response: &mut reqwest::Response, name: &str, with: &str) -> Value {
    let mut text = String::new();
    loop {
        let event = format!("event: {name}\n");
        let found = text
            .split_inclusive("\n\n")
            .find(|read| read.starts_with(&event) && read.contains(with) && read.ends_with("\n\n"));
        if let Some(data) = found.and_then(|event| event.split_once("data: ")) {
            return serde_json::from_str(data.1).unwrap();
        }
        let more = tokio::time::timeout(Duration::from_secs(10), response.chunk()).await;
        let more = more.unwrap_or_else(|_| panic!("no {name} with {with} came: {text}")).unwrap().unwrap();
        text.push_str(std::str::from_utf8(&more).unwrap());
    }
}

fn refusal(response: &reqwest::Response) -> (u16, &str) {
    (response.status().as_u16(), response.headers()["x-switchboard-error"].to_str().unwrap())
}

#[tokio::test]
async fn what_one_instance_does_is_told_by_the_others() {
    let (simulator, mut redis) = (Simulator::start().await.unwrap(), RedisServer::start().await);
    let one = Instance::start(Some(&redis.url()), &simulator).await;
    let other = Instance::start(Some(&redis.url()), &simulator).await;
    let events = format!("{}/circuits/events", one.url);
    let mut stream = one.client.get(&events).send().await.unwrap();
    wait_for_event(&mut stream, "snapshot", "\"state\":\"connected\"").await;
    let open = format!("{}/circuits/openai:a%2Fb/open", other.url);
    let done = other.client.post(open).json(&json!({"reason": "upgrade"})).send().await.unwrap();
    let done: Value = done.json().await.unwrap();
    let event_data = wait_for_event(&mut stream, "circuit", "\"to\":\"OPEN\"").await;
    assert_eq!(event_data["key"], "openai:a/b");
    let transition = &event_data["transition"];
    assert_eq!(
        (&transition["epoch"], &transition["reason"]["why"], &transition["instance"]),
        (&done["report"]["epoch"], &json!("upgrade"), &other.health().await["instance"])
    );

    redis.kill();
    wait_for_event(&mut stream, "store", "\"state\":\"degraded\"").await;
    let close = format!("{}/circuits/openai:a%2Fb/close", one.url);
    let close = one.client.post(close).send().await.unwrap();
    assert_eq!(refusal(&close), (503, "not_shared"));
    let event_data = wait_for_event(&mut stream, "circuit", "\"to\":\"CLOSED\"").await;
    assert_eq!(event_data["transition"]["instance"], one.health().await["instance"], "it obeys, and says so");
    let history = one.client.get(format!("{}/circuits/openai:a%2Fb/history", one.url)).send().await.unwrap();
    assert_eq!(refusal(&history), (503, "store_unavailable"));
}

/// A gateway that only watches over calls which go past it, and a provider with one dead model.
async fn permit_only_gateway() -> (Simulator, Instance, ConfigFile) {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("dead", Script::always(ProviderError::overloaded()));
    let rules = ConfigFile::new(TRIPS_AT_ONCE);
    let instance =
        Instance::start_with(Some("memory:"), &simulator, &[("SWITCHBOARD_CONFIG", rules.path())]).await;
    (simulator, instance, rules)
}

/// Lets an application make calls to a dead model and one that answers.
async fn run_permit_client(application: &mut Command) {
    let (simulator, instance, _rules) = permit_only_gateway().await;
    let provider = simulator.openai_base_url();
    let stdout = run_ok(
        application
            .env("SWITCHBOARD", &instance.url)
            .env("PROVIDER", provider.trim_end_matches('/'))
            .env("MODELS", "openai:dead,openai:gpt-5")
            .env("CALLS", "8"),
    )
    .await;
    assert_eq!(stdout.matches("answered by openai:gpt-5").count(), 8, "{stdout}");
    let calls = simulator.traffic().received().len();
    // Three failures trip; a fourth call may be made while the third is being taken up.
    assert!((8 + 3..=8 + 4).contains(&calls), "{calls} calls reached the provider");
    let report: Value = instance
        .client
        .get(format!("{}/circuits/openai:dead", instance.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (report["state"].as_str(), report["reason"]["status"].as_u64()),
        (Some("OPEN"), Some(503)),
        "{report}"
    );
    assert_eq!(
        (&report["reason"]["type"], &report["reason"]["code"]),
        (&json!("service_unavailable_error"), &json!("server_is_overloaded")),
        "the provider's names are passed on"
    );
}

#[tokio::test]
async fn an_application_in_python() {
    run_permit_client(program("python3").arg(root().join("examples/python/permits.py"))).await;
}

#[tokio::test]
async fn an_application_in_typescript() {
    let example = root().join("examples/typescript");
    let compiler = example.join("node_modules/typescript/bin/tsc");
    assert!(compiler.exists(), "TypeScript is not installed: run ./test, which installs it");
    let built = scratch_directory("typescript");
    std::fs::write(built.join("package.json"), r#"{"type": "module"}"#).unwrap();
    run_ok(program("node").arg(compiler).arg("--project").arg(example).arg("--outDir").arg(&built)).await;
    run_permit_client(program("node").arg(built.join("permits.js"))).await;
    drop(std::fs::remove_dir_all(built));
}
