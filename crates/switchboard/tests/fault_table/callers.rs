//! The official Python SDKs as callers: two processes for all calls, since a start takes longer than a hundred of them, and
//! one process uses one core.

use std::{
    collections::HashMap,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex as AsyncMutex, oneshot},
};

/// A call to be made.
#[derive(Debug, Serialize)]
pub(crate) struct CallSpec {
    pub(crate) id: String,
    /// The API format, or one of OpenAI's calls that are no conversation, by its word in the table.
    pub(crate) format: &'static str,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) choices: usize,
    pub(crate) leave_after: Option<u32>,
}

/// What came of it.
#[derive(Debug, Deserialize)]
pub(crate) struct CallResult {
    id: String,
    /// What each choice said.
    pub(crate) text: Vec<String>,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) raised: Option<Raised>,
    pub(crate) ms: f64,
}

/// The SDK's exception.
#[derive(Debug, Deserialize)]
pub(crate) struct Raised {
    pub(crate) class: String,
    pub(crate) status: Option<u16>,
    /// The error's code or, where it has none, its type.
    pub(crate) code: String,
    pub(crate) headers: HashMap<String, String>,
}

type PendingCalls = Arc<Mutex<HashMap<String, oneshot::Sender<CallResult>>>>;

/// The running processes.
pub(crate) struct SdkProcesses([SdkProcess; 2]);

/// Which process calls in which formats. The SDK of OpenAI's two formats takes longest to start.
const FORMATS: [&[&str]; 2] = [
    &["chat", "responses", "embeddings", "completions", "speech", "transcriptions"],
    &["anthropic", "gemini"],
];

impl SdkProcesses {
    /// Starts them against the gateway at this URL.
    pub(crate) fn start(gateway: &str) -> Self {
        Self(FORMATS.map(|formats| SdkProcess::start(gateway, formats)))
    }

    /// Makes a call.
    pub(crate) async fn call(&self, job: &CallSpec) -> CallResult {
        let place = FORMATS.iter().position(|formats| formats.contains(&job.format));
        self.0[place.unwrap()].call(job).await
    }
}

struct SdkProcess {
    _process: Child,
    stdin: AsyncMutex<ChildStdin>,
    pending: PendingCalls,
}

impl SdkProcess {
    fn start(gateway: &str, formats: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join(".venv/bin/python");
        assert!(python.exists(), "the official SDKs are not installed: run ./test, which installs them");
        let mut process = Command::new(python)
            .arg(root.join("tests/sdk/fault_callers.py"))
            .args(formats)
            .env_clear()
            .env("GATEWAY", gateway)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = AsyncMutex::new(process.stdin.take().unwrap());
        let waiting = PendingCalls::default();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        tokio::spawn(dispatch_results(lines, Arc::clone(&waiting)));
        Self { _process: process, stdin, pending: waiting }
    }

    async fn call(&self, job: &CallSpec) -> CallResult {
        let (sender, receiver) = oneshot::channel();
        lock(&self.pending).insert(job.id.clone(), sender);
        let line = serde_json::to_string(job).unwrap() + "\n";
        self.stdin.lock().await.write_all(line.as_bytes()).await.unwrap();
        receiver.await.unwrap_or_else(|_| panic!("the callers' process ended"))
    }
}

async fn dispatch_results(mut lines: Lines<BufReader<ChildStdout>>, waiting: PendingCalls) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(got) = serde_json::from_str::<CallResult>(&line) else { break };
        if let Some(sender) = lock(&waiting).remove(&got.id) {
            drop(sender.send(got));
        }
    }
    lock(&waiting).clear();
}

fn lock(waiting: &PendingCalls) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<CallResult>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
