//! The traffic: callers that send requests and count the responses.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use providers::{HttpService, HttpServiceError};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};
use url::Url;

use super::stage::ROUTE;

/// From one request to the next: about seven a second.
const CALL_INTERVAL: Duration = Duration::from_millis(150);

/// A request without a complete response after this long has failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What the callers have counted so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Requests sent.
    pub(super) started: usize,
    /// Complete responses by model.
    pub(super) answered: BTreeMap<String, usize>,
    /// Requests without a complete response.
    pub(super) failed: usize,
    /// Why the last of them failed.
    pub(super) last_error: Option<String>,
    /// The longest time until a complete response.
    pub(super) slowest: Duration,
}

/// The running callers.
#[derive(Debug)]
pub(super) struct Callers {
    tally: Arc<Mutex<Tally>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// How the response is requested.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    Stream,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("HTTP {0}")]
    Status(StatusCode),
    #[error("incomplete response")]
    Truncated,
    #[error("no x-switchboard-model header")]
    MissingModelHeader,
    #[error("the gateway {0}")]
    Http(#[from] HttpServiceError),
}

impl Callers {
    /// Starts to send requests to the gateway at this address.
    pub(super) fn start(gateway: SocketAddr) -> anyhow::Result<Self> {
        let caller = Caller::new(&format!("http://{gateway}/v1/chat/completions"))?;
        let tally = Arc::clone(&caller.tally);
        let (stop, stopped) = oneshot::channel();
        Ok(Self { tally, stop, task: tokio::spawn(caller.run(stopped)) })
    }

    /// The counts so far.
    pub(super) fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Stops sending, and waits for the requests in flight.
    pub(super) async fn stop(self) -> Tally {
        // Either fails only if they have stopped already.
        _ = self.stop.send(());
        _ = self.task.await;
        lock(&self.tally).clone()
    }
}

#[derive(Debug, Clone)]
struct Caller {
    gateway: Arc<HttpService>,
    url: Url,
    tally: Arc<Mutex<Tally>>,
}

impl Caller {
    fn new(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url)?;
        let gateway = HttpService::local(&url, CALL_TIMEOUT).context("no HTTP client")?;
        Ok(Self { gateway: Arc::new(gateway), url, tally: Arc::default() })
    }

    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let mut calls = JoinSet::new();
        let mut ticks = interval(CALL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for shape in [Shape::Plain, Shape::Stream].into_iter().cycle() {
            tokio::select! {
                _ = &mut stopped => break,
                _ = ticks.tick() => calls.spawn(self.clone().call(shape)),
            };
            while calls.try_join_next().is_some() {}
        }
        calls.join_all().await;
    }

    async fn call(self, shape: Shape) {
        lock(&self.tally).started += 1;
        let start = Instant::now();
        let result = self.send(shape).await;
        let elapsed = start.elapsed();
        let mut tally = lock(&self.tally);
        match result {
            Ok(model) => {
                *tally.answered.entry(model).or_default() += 1;
                tally.slowest = tally.slowest.max(elapsed);
            }
            Err(error) => {
                tally.failed += 1;
                tally.last_error = Some(error.to_string());
            }
        }
    }

    /// Gets a complete response; returns the model that answered.
    async fn send(&self, shape: Shape) -> Result<String, CallError> {
        let body = json!({
            "model": ROUTE,
            "stream": matches!(shape, Shape::Stream),
            "messages": [{"role": "user", "content": "Is anybody there?"}],
        });
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let body = Bytes::from(body.to_string());
        let response = self.gateway.send(Method::POST, &self.url, headers, body).await?;
        if response.status != StatusCode::OK {
            return Err(CallError::Status(response.status));
        }
        let model = response.headers.get("x-switchboard-model").and_then(|model| model.to_str().ok());
        let model = model.ok_or(CallError::MissingModelHeader)?.to_owned();
        let text = String::from_utf8_lossy(&response.body);
        if shape.is_complete(&text) { Ok(model) } else { Err(CallError::Truncated) }
    }
}

impl Shape {
    /// Whether a response has content and its end.
    fn is_complete(self, text: &str) -> bool {
        match self {
            Self::Stream => text.trim_end().ends_with("data: [DONE]") && !text.contains("\"error\":"),
            Self::Plain => serde_json::from_str::<Value>(text).is_ok_and(|body| {
                body["choices"][0]["message"]["content"].as_str().is_some_and(|content| !content.is_empty())
            }),
        }
    }
}

/// A panic elsewhere leaves the tally consistent, so poisoning is ignored.
fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use simulator::{Behaviour, Fault, Script, Simulator};

    use super::*;

    #[test]
    fn a_truncated_response_is_incomplete() {
        assert!(Shape::Plain.is_complete(r#"{"choices":[{"message":{"content":"Yes."}}]}"#));
        assert!(!Shape::Plain.is_complete(r#"{"choices":[{"message":{"content":""}}]}"#));
        assert!(!Shape::Plain.is_complete(r#"{"choices":[{"mess"#));
        assert!(Shape::Stream.is_complete("data: {\"choices\":[]}\n\ndata: [DONE]\n\n"));
        assert!(!Shape::Stream.is_complete("data: {\"choices\":[]}\n\n"));
        assert!(!Shape::Stream.is_complete("data: {\"error\":{}}\n\ndata: [DONE]\n\n"));
    }

    /// A provider sends no `x-switchboard-model`, so even its good responses fail here.
    #[tokio::test]
    async fn a_failed_request_is_counted_with_its_error() {
        let simulator = Simulator::start().await.unwrap();
        let script = Script::sequence([Fault::Empty.into(), Fault::Reset.into(), Behaviour::ok()]);
        simulator.script(ROUTE, script);
        let caller = Caller::new(&format!("{}/chat/completions", simulator.openai_base_url())).unwrap();
        for failed in 1..=3 {
            caller.clone().call(Shape::Plain).await;
            let tally = lock(&caller.tally).clone();
            assert_eq!((tally.started, tally.failed, tally.answered.len()), (failed, failed, 0), "{tally:?}");
        }
        let error = lock(&caller.tally).last_error.clone();
        assert_eq!(error.as_deref(), Some("no x-switchboard-model header"));
    }
}
