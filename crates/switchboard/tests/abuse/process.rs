//! A gateway whose standard error is read only when a test says so.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use serde_json::json;
use simulator::Simulator;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

/// What must happen soon does so within this time.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// One test at a time: each takes a core or two.
pub(crate) static ALONE: Mutex<()> = Mutex::const_new(());

pub(crate) const API_KEY: &str = "the-callers-key";

pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) stderr: Option<BufReader<ChildStderr>>,
    pub(crate) address: String,
    pub(crate) client: reqwest::Client,
}

impl Gateway {
    /// With at most so many open files.
    pub(crate) fn start(simulator: &Simulator, open_files: u32, variables: &[(&str, &str)]) -> Self {
        let program = env::var("SWITCHBOARD_PROGRAM");
        let program = program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_switchboard"));
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -n {open_files} && exec {program} serve --listen 127.0.0.1:0"))
            .env_clear()
            .env("REDIS_URL", "memory:")
            .env("OPENAI_API_KEY", "openai-key")
            .env("OPENAI_BASE_URL", simulator.openai_base_url())
            .env("SWITCHBOARD_API_KEY", API_KEY)
            .envs(variables.iter().copied())
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // No bigger than a line, so that nothing more is read than what is waited for.
        let mut stderr = BufReader::with_capacity(1, child.stderr.take().unwrap());
        let address = read_until(&mut stderr, "address=http://");
        let address = address.split("address=http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Self { child, stderr: Some(stderr), address, client: reqwest::Client::new() }
    }

    /// The status of a call, made with this client.
    pub(crate) async fn call(&self, client: &reqwest::Client) -> Result<u16, reqwest::Error> {
        let body = json!({ "model": "openai:m", "messages": [{ "role": "user", "content": "Hello" }] });
        let request = client.post(format!("http://{}/v1/chat/completions", self.address));
        let request = request.bearer_auth(API_KEY).json(&body).timeout(Duration::from_secs(10));
        Ok(request.send().await?.status().as_u16())
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let request = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(API_KEY);
        request.timeout(Duration::from_secs(10)).send().await.unwrap().text().await.unwrap()
    }

    /// The value of a metric, by its name and labels.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await;
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// A number of kB from `/proc/PID/status`.
    pub(crate) fn memory_kb(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    }

    /// Sends SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) -> Duration {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < TEST_TIMEOUT, "SIGTERM does not end it");
            sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first line that contains this.
pub(crate) fn read_until(stderr: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = Vec::new();
        let length = stderr.read_until(b'\n', &mut line).unwrap();
        let line = String::from_utf8_lossy(&line);
        assert!(length > 0, "no {text:?} in:\n{seen}");
        if line.contains(text) {
            return line.into_owned();
        }
        seen.push_str(&line);
    }
}
