//! A Redis, simulated providers, a gateway that can be restarted, and a browser with the page open.

use std::time::Duration;

use serde_json::json;
use simulator::{Behaviour, Simulator};
use testbed::{Program, RedisServer, free_port};

use crate::{browser::Browser, support::ConfigFile};

/// Three failures trip; no waits, no retries.
const BREAKER_CONFIG: &str =
    "breaker.min_failure_span = '0ms'\nretry.max_attempts = 1\nretry.max_retry_after = '0s'\n";

/// The open period is short enough for a test, and long enough for a slow browser. Counts outlive it.
const SHORT_OPEN_CONFIG: &str =
    "breaker.open_duration = '10s'\nbreaker.max_open_duration = '10s'\nbreaker.window = '10m'\n";

/// Another program may take the port before the gateway binds it.
const MAX_START_ATTEMPTS: usize = 5;

/// Everything that a test of the page needs.
pub(crate) struct World {
    pub(crate) redis: RedisServer,
    pub(crate) simulator: Simulator,
    pub(crate) browser: Browser,
    gateway: Program,
    config: ConfigFile,
    port: u16,
    client: reqwest::Client,
    key: Option<&'static str>,
}

impl World {
    /// With the page open.
    pub(crate) async fn begin() -> Self {
        let world = Self::begin_with(SHORT_OPEN_CONFIG, None).await;
        world.open_page().await;
        world
    }

    /// Opens the page, as long as it has not been.
    pub(crate) async fn open_page(&self) {
        self.browser.navigate(&self.url("/dashboard")).await;
        // A reload would clear it: a test can assert that there was none.
        self.browser.evaluate("window.loadedOnce = true").await;
        self.browser.wait_for_text("#live", "Live").await;
    }

    /// Opens the details of a model.
    pub(crate) async fn open_details(&self, model: &str) {
        self.browser.click(&format!("{} .name", row_selector(model))).await;
        self.browser.wait_for_text("#drawer-acts", "Reset…").await;
    }

    /// With more lines of configuration and the callers' key; the page is not open yet.
    pub(crate) async fn begin_with(lines: &str, key: Option<&'static str>) -> Self {
        let (redis, simulator, browser) =
            tokio::join!(RedisServer::start(), Simulator::start(), Browser::open());
        let simulator = simulator.unwrap();
        let config = ConfigFile::new(&format!("{BREAKER_CONFIG}{lines}"));
        for _ in 0..MAX_START_ATTEMPTS {
            // A fixed port: a restarted gateway must have the same address.
            let port = free_port();
            let gateway = try_start_gateway(&redis, &simulator, &config, port);
            if gateway.wait_for_line_or_exit("listening").await.is_some() {
                let client = reqwest::Client::new();
                return Self { redis, simulator, browser, gateway, config, port, client, key };
            }
        }
        panic!("the gateway failed to start {MAX_START_ATTEMPTS} times");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn kill_gateway(&mut self) {
        self.gateway.kill();
    }

    pub(crate) async fn start_gateway(&mut self) {
        self.gateway = try_start_gateway(&self.redis, &self.simulator, &self.config, self.port);
        self.gateway.wait_for_line("listening").await;
    }

    /// Makes a streamed chat completion and returns its status.
    pub(crate) async fn call(&self, model: &str) -> u16 {
        let messages = [json!({"role": "user", "content": "Hello"})];
        let body = json!({"model": model, "stream": true, "messages": messages});
        let mut request = self.client.post(self.url("/v1/chat/completions")).json(&body);
        if let Some(key) = self.key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        response.bytes().await.unwrap();
        status
    }

    /// Makes a model fail until the next script.
    pub(crate) fn fail_model(&self, model: &str) {
        self.simulator.script(model, Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE));
    }

    /// Makes a model respond again, after a delay.
    pub(crate) fn recover_model_after(&self, model: &str, wait: Duration) {
        self.simulator.script(model, Behaviour::ok().latency(wait));
    }

    /// Asserts that the page was not reloaded and that the browser reported no error.
    pub(crate) async fn assert_page_healthy(&self) {
        assert_eq!(self.browser.evaluate("window.loadedOnce").await, true, "the page was reloaded");
        assert_eq!(self.browser.page_errors(), Vec::<String>::new());
    }
}

fn try_start_gateway(redis: &RedisServer, simulator: &Simulator, config: &ConfigFile, port: u16) -> Program {
    let openai = simulator.openai_base_url();
    let listen = format!("127.0.0.1:{port}");
    let url = redis.url();
    let variables = [
        ("OPENAI_API_KEY", "openai-key"),
        ("OPENAI_BASE_URL", openai.as_str()),
        ("REDIS_URL", url.as_str()),
        ("SWITCHBOARD_CONFIG", config.path()),
    ];
    Program::start(env!("CARGO_BIN_EXE_switchboard"), &["serve", "--listen", &listen], variables)
}

/// The row of a model.
pub(crate) fn row_selector(model: &str) -> String {
    format!("#rows tr[data-key={model:?}]")
}
