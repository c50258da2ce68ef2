//! The traffic: callers that ask again and again, and count what they get.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};

use super::stage::ROUTE;

/// The pause between two calls' beginnings: about seven a second.
const CALL_INTERVAL: Duration = Duration::from_millis(150);

/// A call without a whole answer after so long is lost.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What the callers have got so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Calls begun.
    pub(super) started: usize,
    /// Whole answers, by the model that gave them.
    pub(super) answered: BTreeMap<String, usize>,
    /// Calls without a whole answer.
    pub(super) lost: usize,
    /// What became of the call that was lost last.
    pub(super) last_loss: Option<String>,
    /// The longest that a caller waited for its whole answer.
    pub(super) slowest: Duration,
}

/// Callers at work.
#[derive(Debug)]
pub(super) struct Callers {
    tally: Arc<Mutex<Tally>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// How to ask.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    Stream,
}

/// Why there was no whole answer.
#[derive(Debug, thiserror::Error)]
enum Loss {
    #[error("HTTP {0}")]
    Status(StatusCode),
    #[error("the answer was not whole")]
    Truncated,
    #[error("the gateway did not say which model answered")]
    MissingModelHeader,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl Callers {
    /// Begins to call the gateway at this address.
    pub(super) fn start(gateway: SocketAddr) -> anyhow::Result<Self> {
        // A proxy of the environment's cannot reach this machine's loopback.
        let client = Client::builder().no_proxy().timeout(CALL_TIMEOUT).build().context("no HTTP client")?;
        let caller =
            Caller { client, url: format!("http://{gateway}/v1/chat/completions"), tally: Arc::default() };
        let tally = Arc::clone(&caller.tally);
        let (stop, stopped) = oneshot::channel();
        Ok(Self { tally, stop, task: tokio::spawn(caller.run(stopped)) })
    }

    /// What they have got so far.
    pub(super) fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Begins no more calls, and waits for those under way.
    pub(super) async fn stop(self) -> Tally {
        // An error of either means that they have stopped already.
        _ = self.stop.send(());
        _ = self.task.await;
        lock(&self.tally).clone()
    }
}

#[derive(Debug, Clone)]
struct Caller {
    client: Client,
    url: String,
    tally: Arc<Mutex<Tally>>,
}

impl Caller {
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
        let began = Instant::now();
        let result = self.send(shape).await;
        let took = began.elapsed();
        let mut tally = lock(&self.tally);
        match result {
            Ok(model) => {
                *tally.answered.entry(model).or_default() += 1;
                tally.slowest = tally.slowest.max(took);
            }
            Err(loss) => {
                tally.lost += 1;
                tally.last_loss = Some(loss.to_string());
            }
        }
    }

    /// Gets a whole answer; who gave it.
    async fn send(&self, shape: Shape) -> Result<String, Loss> {
        let body = json!({
            "model": ROUTE,
            "stream": matches!(shape, Shape::Stream),
            "messages": [{"role": "user", "content": "Is anybody there?"}],
        });
        let response = self.client.post(&self.url).json(&body).send().await?;
        if response.status() != StatusCode::OK {
            return Err(Loss::Status(response.status()));
        }
        let model = response.headers().get("x-switchboard-model").and_then(|model| model.to_str().ok());
        let model = model.ok_or(Loss::MissingModelHeader)?.to_owned();
        let text = response.text().await?;
        if shape.is_complete(&text) { Ok(model) } else { Err(Loss::Truncated) }
    }
}

impl Shape {
    /// Whether an answer says something and has its end.
    fn is_complete(self, text: &str) -> bool {
        match self {
            Self::Stream => text.trim_end().ends_with("data: [DONE]") && !text.contains("\"error\":"),
            Self::Plain => serde_json::from_str::<Value>(text).is_ok_and(|answer| {
                answer["choices"][0]["message"]["content"].as_str().is_some_and(|said| !said.is_empty())
            }),
        }
    }
}

/// A tally is whole after each statement, so a panic elsewhere spoils nothing.
fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use simulator::{Behaviour, Fault, Script, Simulator};

    use super::*;

    #[test]
    fn half_an_answer_is_not_whole() {
        assert!(Shape::Plain.is_complete(r#"{"choices":[{"message":{"content":"Yes."}}]}"#));
        assert!(!Shape::Plain.is_complete(r#"{"choices":[{"message":{"content":""}}]}"#));
        assert!(!Shape::Plain.is_complete(r#"{"choices":[{"mess"#));
        assert!(Shape::Stream.is_complete("data: {\"choices\":[]}\n\ndata: [DONE]\n\n"));
        assert!(!Shape::Stream.is_complete("data: {\"choices\":[]}\n\n"));
        assert!(!Shape::Stream.is_complete("data: {\"error\":{}}\n\ndata: [DONE]\n\n"));
    }

    /// A provider names no `x-switchboard-model`, so every good answer is a loss of its own kind here.
    #[tokio::test]
    async fn what_is_no_answer_is_lost_and_said() {
        let simulator = Simulator::start().await.unwrap();
        let script = Script::sequence([Fault::Empty.into(), Fault::Reset.into(), Behaviour::ok()]);
        simulator.script(ROUTE, script);
        let caller = Caller {
            client: Client::builder().no_proxy().build().unwrap(),
            url: format!("{}/chat/completions", simulator.openai_base_url()),
            tally: Arc::default(),
        };
        for lost in 1..=3 {
            caller.clone().call(Shape::Plain).await;
            let tally = lock(&caller.tally).clone();
            assert_eq!((tally.started, tally.lost, tally.answered.len()), (lost, lost, 0), "{tally:?}");
        }
        let said = lock(&caller.tally).last_loss.clone();
        assert_eq!(said.as_deref(), Some("the gateway did not say which model answered"));
    }
}
