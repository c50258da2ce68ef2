//! The callers: ten calls a second over HTTP, every other one streamed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};

use super::tally::Tally;

/// From one call to the next.
const PACE: Duration = Duration::from_millis(100);

/// Traffic under way.
pub(super) struct Traffic {
    tally: Arc<Mutex<Tally>>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

/// Begins to call.
pub(super) fn start(url: &str) -> Traffic {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(call_on(format!("{url}/v1/chat/completions"), Arc::clone(&tally), stopped));
    Traffic { tally, stop, running }
}

impl Traffic {
    /// Ends it, once the calls under way have ended.
    pub(super) async fn stop(self) -> Tally {
        self.stop.send_replace(true);
        drop(self.running.await);
        std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn call_on(url: String, tally: Arc<Mutex<Tally>>, mut stopped: watch::Receiver<bool>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap_or_default();
    let mut calls = JoinSet::new();
    let mut clock = interval(PACE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stream = false;
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            _ = stopped.changed() => break,
        }
        stream = !stream;
        let (client, url, tally) = (client.clone(), url.clone(), Arc::clone(&tally));
        calls.spawn(async move {
            let began = Instant::now();
            let answered_by = call(&client, &url, stream).await;
            tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .count(answered_by.as_deref(), began.elapsed());
        });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
}

/// Who gave a whole answer.
async fn call(client: &reqwest::Client, url: &str, stream: bool) -> Option<String> {
    let body = json!({"model": "demo", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]});
    let answer = client.post(url).json(&body).send().await.ok()?.error_for_status().ok()?;
    let by = answer.headers().get("x-switchboard-model")?.to_str().ok()?.to_owned();
    let text = answer.text().await.ok()?;
    let whole = if stream { text.ends_with("data: [DONE]\n\n") } else { text.contains("\"finish_reason\"") };
    whole.then_some(by)
}
