//! Instances of the gateway with a simulated provider behind them.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Simulator;
use testbed::Program;
use tokio::time::{Instant, sleep};

/// What has to happen, but is not measured.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A change is acted on within so long (F1).
pub(crate) const MAX_PROPAGATION_DELAY: Duration = Duration::from_millis(100);

/// One `switchboard serve`.
pub(crate) struct Instance {
    pub(crate) program: Program,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

impl Instance {
    /// Starts one on a free port, with the simulator as OpenAI and Anthropic.
    pub(crate) async fn start(redis: Option<&str>, simulator: &Simulator) -> Self {
        Self::start_with(redis, simulator, &[]).await
    }

    pub(crate) async fn start_with(
        redis: Option<&str>,
        simulator: &Simulator,
        variables: &[(&str, &str)],
    ) -> Self {
        let program = Self::spawn(redis, simulator, variables);
        let line = program.wait_for_line("address=http://127.0.0.1").await;
        let line = if line.contains("listening") { line } else { program.wait_for_line("listening").await };
        let url = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        Self { program, url, client: reqwest::Client::new() }
    }

    /// The same, where the log is JSON.
    pub(crate) async fn start_with_json_log(simulator: &Simulator, variables: &[(&str, &str)]) -> Self {
        let program = Self::spawn(None, simulator, variables);
        let line: Value = serde_json::from_str(&program.wait_for_line("listening").await).unwrap();
        let url = line["fields"]["address"].as_str().unwrap().to_owned();
        Self { program, url, client: reqwest::Client::new() }
    }

    fn spawn(redis: Option<&str>, simulator: &Simulator, variables: &[(&str, &str)]) -> Program {
        let openai = simulator.openai_base_url();
        let anthropic = simulator.anthropic_base_url();
        let mut all = vec![
            ("OPENAI_API_KEY", "openai-key"),
            ("OPENAI_BASE_URL", openai.as_str()),
            ("ANTHROPIC_API_KEY", "anthropic-key"),
            ("ANTHROPIC_BASE_URL", anthropic.as_str()),
        ];
        all.extend(redis.map(|url| ("REDIS_URL", url)));
        all.extend(variables);
        let binary = env!("CARGO_BIN_EXE_switchboard");
        Program::start(binary, &["serve", "--listen", "127.0.0.1:0"], all)
    }

    /// A plain chat completion; the status, who answered, and the body.
    pub(crate) async fn chat(&self, model: &str) -> (u16, Option<String>, Value) {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
        let url = format!("{}/v1/chat/completions", self.url);
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let by = answer.headers().get("x-switchboard-model").map(|value| value.to_str().unwrap().to_owned());
        (status, by, answer.json().await.unwrap())
    }

    pub(crate) async fn health(&self) -> Value {
        self.client.get(format!("{}/health", self.url)).send().await.unwrap().json().await.unwrap()
    }

    /// Calls until the circuit refuses, or until it does no longer.
    pub(crate) async fn call_until_refused(&self, model: &str, refused: bool) {
        let began = Instant::now();
        while (self.chat(model).await.2["error"]["code"] == "circuit_open") != refused {
            assert!(began.elapsed() < WAIT_TIMEOUT, "{model} stayed as it was");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until `/health` says this of the store.
    pub(crate) async fn wait_until_store_is(&self, state: &str) {
        let began = Instant::now();
        loop {
            let health = self.health().await;
            if health["store"]["state"] == state {
                return;
            }
            assert!(began.elapsed() < WAIT_TIMEOUT, "{state} expected: {health}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Rules under which three failures trip however fast they come, and open periods are long enough to be looked at.
pub(crate) const TRIPS_AT_ONCE: &str = "breaker.min_failure_span = '0ms'\nbreaker.open_duration = '60s'\n\
    breaker.max_open_duration = '60s'\nretry.max_attempts = 1\nretry.max_retry_after = '0s'\n";

/// A configuration file that lives as long as this.
pub(crate) struct ConfigFile(std::path::PathBuf);

impl ConfigFile {
    pub(crate) fn new(text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("switchboard-{}.toml", uuid::Uuid::new_v4().simple()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
