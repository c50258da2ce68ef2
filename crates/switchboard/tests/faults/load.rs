//! Steady traffic, and what became of every call.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::support::Instance;

/// Between a caller's answer and its next call.
const CALL_INTERVAL: Duration = Duration::from_millis(40);

/// Whose call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOrigin {
    /// An instance on the Redis that is broken.
    Fleet,
    /// An instance that knows no Redis and runs beside them: what it measures is the machine's noise.
    Control,
}

/// One call, from the caller's side.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) origin: CallOrigin,
    /// The instance called: its place among those that the load was started with.
    pub(crate) instance: usize,
    pub(crate) model: &'static str,
    /// The model that answered.
    pub(crate) answered_by: Option<String>,
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// 0: there was no whole answer.
    pub(crate) status: u16,
}

/// Callers that go on until this is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    calls: Arc<Mutex<Vec<Call>>>,
    _callers: JoinSet<()>,
}

impl Load {
    /// One caller for each of these models at each instance.
    pub(crate) fn start<'a>(
        instances: impl IntoIterator<Item = (CallOrigin, &'a Instance)>,
        models: &[&'static str],
    ) -> Self {
        let calls = Arc::default();
        let mut callers = JoinSet::new();
        for (at, (from, instance)) in instances.into_iter().enumerate() {
            for &model in models {
                let caller = Caller {
                    client: instance.client.clone(),
                    url: format!("{}/v1/chat/completions", instance.url),
                    origin: from,
                    instance: at,
                    model,
                    calls: Arc::clone(&calls),
                };
                callers.spawn(caller.call_in_loop());
            }
        }
        Self { calls, _callers: callers }
    }

    /// The calls that began within this time and have ended.
    pub(crate) fn calls_between(&self, from: Instant, to: Instant) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| from <= call.began && call.began < to).cloned().collect()
    }
}

struct Caller {
    client: reqwest::Client,
    url: String,
    origin: CallOrigin,
    instance: usize,
    model: &'static str,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Caller {
    async fn call_in_loop(self) {
        loop {
            let began = Instant::now();
            let (status, by) = self.call().await.unwrap_or_default();
            let Self { origin: from, instance: at, model, .. } = self;
            let call = Call {
                origin: from,
                instance: at,
                model,
                answered_by: by,
                began,
                took: began.elapsed(),
                status,
            };
            self.calls.lock().unwrap().push(call);
            sleep(CALL_INTERVAL).await;
        }
    }

    async fn call(&self) -> reqwest::Result<(u16, Option<String>)> {
        let body = json!({"model": self.model, "messages": [{"role": "user", "content": "Hello"}]});
        let answer = self.client.post(&self.url).json(&body).send().await?;
        let status = answer.status().as_u16();
        let by = answer.headers().get("x-switchboard-model").map(|by| by.to_str().unwrap().to_owned());
        // A call has ended when its answer is whole.
        answer.bytes().await?;
        Ok((status, by))
    }
}

/// What calls waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latencies {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
}

impl Latencies {
    pub(crate) fn from_calls(calls: &[&Call]) -> Self {
        let mut took: Vec<Duration> = calls.iter().map(|call| call.took).collect();
        took.sort_unstable();
        let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1)));
        let [median, p99, longest] = [50, 99, 100].map(|share| at(share).copied().unwrap_or_default());
        Self { median, p99, longest }
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, p99, longest] =
            [self.median, self.p99, self.longest].map(|wait| wait.as_secs_f64() * 1_000.0);
        write!(f, "{median:.1} / {p99:.1} / {longest:.0}")
    }
}
