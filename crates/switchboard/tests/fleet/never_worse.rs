//! The official SDKs with their own retries, straight at a provider and through the gateway (C9): where they get their
//! answer straight, they get it through the gateway, and the provider gets at most one request more.

use std::{collections::BTreeMap, path::Path, time::Duration};

use http::StatusCode;
use serde::Deserialize;
use simulator::{Behaviour, Fault, ProviderError, Script, Simulator};
use tokio::process::Command;

use crate::support::Instance;

/// The most that a call may take longer through the gateway, whose waits are whole seconds.
const MAX_DELAY: Duration = Duration::from_secs(8);

const CLIENTS: [&str; 5] =
    ["openai-python", "openai-python-stream", "anthropic-python", "openai-node", "anthropic-node"];
const WAYS: [&str; 2] = ["straight", "through"];

/// What one client met on one way.
#[derive(Debug, Deserialize)]
struct Met {
    fault: String,
    client: String,
    way: String,
    /// What was raised at last.
    error: Option<String>,
    seconds: f64,
}

/// The faults, and what they do to one model.
fn faults() -> Vec<(&'static str, Script)> {
    let status = |code| Behaviour::status(StatusCode::from_u16(code).unwrap());
    let rate_limited = |seconds| ProviderError::rate_limited().retry_after(Duration::from_secs(seconds));
    vec![
        ("503-twice", Script::first(2, status(503))),
        ("529-twice", Script::first(2, status(529))),
        ("500-once", Script::first(1, status(500))),
        ("429-for-1s", Script::first(1, rate_limited(1))),
        // Longer than the gateway itself waits (`max_retry_after`), so it is the client that comes again.
        ("429-for-5s", Script::first(1, rate_limited(5))),
        ("429-without-wait-twice", Script::first(2, ProviderError::rate_limited())),
        ("reset-twice", Script::first(2, Fault::Reset)),
        ("503-lasting", Script::always(status(503))),
    ]
}

/// Runs a script of `tests/sdk`, and returns what its clients met.
async fn run(interpreter: &Path, script: &str, variables: &[(&str, &str)]) -> Vec<Met> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sdk").join(script);
    let output = Command::new(interpreter)
        .arg(script)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_gateway_is_never_worse_than_the_provider_itself() {
    let simulator = Simulator::start().await.unwrap();
    for (fault, script) in faults() {
        for (client, way) in CLIENTS.iter().flat_map(|client| WAYS.map(|way| (client, way))) {
            simulator.script(format!("{fault}.{client}.{way}"), script.clone());
        }
    }
    let instance = Instance::start(None, &simulator).await;
    let names: Vec<_> = faults().into_iter().map(|(fault, _)| fault).collect();
    let (openai, anthropic) = (simulator.openai_base_url(), simulator.anthropic_base_url());
    let variables = [
        ("GATEWAY", instance.url.as_str()),
        ("OPENAI", &openai),
        ("ANTHROPIC", &anthropic),
        ("FAULTS", &names.join(" ")),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "the official SDKs are not installed: run ./test, which installs them");
    let (python, node) = tokio::join!(
        run(&python, "side_by_side.py", &variables),
        run(Path::new("node"), "side_by_side.mjs", &variables),
    );
    let met: BTreeMap<_, _> = python
        .into_iter()
        .chain(node)
        .map(|met| ((met.fault.clone(), met.client.clone(), met.way.clone()), met))
        .collect();
    let mut worse = Vec::new();
    for (fault, client) in names.iter().flat_map(|fault| CLIENTS.map(|client| (*fault, client))) {
        let [straight, through] = WAYS.map(|way| {
            let calls = simulator.traffic().calls(&format!("{fault}.{client}.{way}"));
            (&met[&(fault.to_owned(), client.to_owned(), way.to_owned())], calls)
        });
        let tell = |(met, calls): (&Met, usize)| {
            format!(
                "{} in {:.1} s, {calls} requests",
                met.error.as_deref().unwrap_or("answered"),
                met.seconds
            )
        };
        println!("{fault:24} {client:22} straight: {:44} through: {}", tell(straight), tell(through));
        let fails_only_through = straight.0.error.is_none() && through.0.error.is_some();
        let is_slower =
            straight.0.error.is_none() && through.0.seconds > straight.0.seconds + MAX_DELAY.as_secs_f64();
        if fails_only_through || is_slower || through.1 > straight.1 + 1 {
            worse.push(format!("{fault} {client}"));
        }
    }
    assert!(worse.is_empty(), "worse through the gateway: {worse:#?}");
}
