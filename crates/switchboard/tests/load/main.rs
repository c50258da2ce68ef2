//! Many streams at once through one instance while the first provider flaps.
//!
//! No stream is lost that the healthy model could have answered, memory for each is bounded, and afterwards connections
//! and tasks are back to where they were. `SWITCHBOARD_LOAD_STREAMS` says how many; `bench/streams` runs 2,000.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that tells its figures")]

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use simulator::{Behaviour, Fault, Settings, Simulator};
use testbed::Program;
use tokio::{task::JoinSet, time::sleep};

/// Streams, unless the environment says otherwise.
const DEFAULT_STREAMS: usize = 300;

/// Words of an answer.
const WORDS_PER_RESPONSE: usize = 12;

/// A phase of the flapping provider.
const FLAP_INTERVAL: Duration = Duration::from_millis(150);

/// So long the load may take in all, and whatever it left behind to go.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// What a caller saw.
struct StreamResult {
    ending: Ending,
    first_token: Option<Duration>,
    by_second_provider: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Complete,
    /// With the error event, or refused with an error.
    Error,
    /// Neither an end nor an error.
    Truncated,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_while_the_first_provider_flaps() {
    testbed::raise_open_files();
    let streams = env::var("SWITCHBOARD_LOAD_STREAMS").map_or(DEFAULT_STREAMS, |text| text.parse().unwrap());
    let speaking = slow_stream(streams);
    let settings =
        || Settings { record_requests: false, default_behaviour: speaking.clone(), ..Settings::default() };
    let first = Arc::new(Simulator::start_with(settings()).await.unwrap());
    let second = Simulator::start_with(settings()).await.unwrap();
    let gateway = Gateway::start(&first, &second).await;
    // Everything that is made once is made before anything is counted.
    assert_eq!(gateway.call().await.ending, Ending::Complete);
    let (memory, files, tasks) = gateway.resource_usage().await;

    let flapping = tokio::spawn(flap_provider(Arc::clone(&first), speaking));
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..streams {
        let gateway = gateway.clone();
        callers.spawn(async move { gateway.call().await });
        // 2,000 connections within two seconds; all at one instant would only measure the listener's queue.
        sleep(Duration::from_millis(1)).await;
    }
    let mut peak = (0, 0, 0);
    let mut at_once = 0;
    let mut seen = Vec::new();
    while seen.len() < streams {
        at_once = at_once.max(first.traffic().in_flight() + second.traffic().in_flight());
        let now = gateway.resource_usage().await;
        peak = (peak.0.max(now.0), peak.1.max(now.1), peak.2.max(now.2));
        while let Some(done) = callers.try_join_next() {
            seen.push(done.unwrap());
        }
        assert!(began.elapsed() < LOAD_TIMEOUT, "{} of {streams} streams have ended", seen.len());
        sleep(Duration::from_millis(50)).await;
    }
    flapping.abort();
    print_summary(&seen, at_once, began.elapsed());
    let each = (peak.0 - memory) as f64 / streams as f64;
    println!("memory: {memory} kB before, {} kB at the peak: {each:.1} kB a stream", peak.0);
    println!(
        "open files: {files} before, {} at the peak; tasks: {tasks} before, {} at the peak",
        peak.1, peak.2
    );

    assert!(seen.iter().all(|seen| seen.ending == Ending::Complete), "streams were lost");
    assert!(at_once > streams * 9 / 10, "only {at_once} streams were open at once");
    assert!(seen.iter().any(|seen| seen.by_second_provider), "the first provider did not flap");
    assert!(each < 200.0, "{each:.1} kB a stream");
    gateway.assert_resources_released(files, tasks, [&first, &second]).await;
}

/// So slowly that all streams are open at once.
fn slow_stream(streams: usize) -> Behaviour {
    let streams = u32::try_from(streams).unwrap();
    Behaviour::ok()
        .words(WORDS_PER_RESPONSE)
        .gap(Duration::from_millis(250) + Duration::from_micros(200) * streams)
}

/// Fails in every way that is to be hidden from callers: before it has said anything.
async fn flap_provider(provider: Arc<Simulator>, speaking: Behaviour) {
    let overloaded = || Behaviour::status(http::StatusCode::SERVICE_UNAVAILABLE);
    let phases = [
        speaking.clone(),
        overloaded(),
        Fault::Reset.into(),
        speaking,
        Fault::Cut { after: 1 }.into(),
        Fault::Garbage { after: 1 }.into(),
    ];
    for phase in phases.into_iter().cycle() {
        provider.script("m", phase);
        sleep(FLAP_INTERVAL).await;
    }
}

fn print_summary(seen: &[StreamResult], at_once: usize, took: Duration) {
    let count = |ending: Ending| seen.iter().filter(|seen| seen.ending == ending).count();
    let by_second = seen.iter().filter(|seen| seen.by_second_provider).count();
    println!(
        "{} streams, {at_once} at once, in {:.1} s: {} whole ({by_second} by the second model), {} told of a failure, {} lost",
        seen.len(),
        took.as_secs_f64(),
        count(Ending::Complete),
        count(Ending::Error),
        count(Ending::Truncated),
    );
    let mut waits: Vec<_> = seen.iter().filter_map(|seen| seen.first_token).collect();
    waits.sort_unstable();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap_or_default();
    println!("first content: {:?} in the middle, {:?} for 99 of 100", at(50), at(99));
}

#[derive(Clone)]
struct Gateway {
    program: Arc<Program>,
    url: String,
    client: reqwest::Client,
}

impl Gateway {
    async fn start(first: &Simulator, second: &Simulator) -> Self {
        let config = env::temp_dir().join(format!("switchboard-load-{}.toml", uuid::Uuid::new_v4().simple()));
        let provider = |name: &str, simulator: &Simulator| {
            format!(
                "[providers.{name}]\nkind = \"openai\"\napi_key = \"k\"\nbase_url = \"{}\"\n",
                simulator.openai_base_url()
            )
        };
        let route = "[routes.chat]\nmodels = [\"first:m\", \"second:m\"]\n";
        let breaker = "[breaker]\nopen_duration = \"300ms\"\nmax_open_duration = \"600ms\"\n[retry]\ninitial_backoff = \"50ms\"\n";
        std::fs::write(
            &config,
            [&provider("first", first), &provider("second", second), route, breaker].concat(),
        )
        .unwrap();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()];
        let variables = [("REDIS_URL", "memory:"), ("SWITCHBOARD_LOG", "warn,switchboard=info")];
        let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &arguments, variables);
        let line = program.wait_for_line("address=").await;
        let url = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        std::fs::remove_file(&config).unwrap();
        // No connection is kept, so that afterwards all that are left are the gateway's own.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { program: Arc::new(program), url, client }
    }

    async fn call(&self) -> StreamResult {
        let began = Instant::now();
        let messages = json!([{"role": "user", "content": "Hello"}]);
        let body = json!({"model": "chat", "messages": messages, "stream": true});
        let sent = self.client.post(format!("{}/v1/chat/completions", self.url)).json(&body).send().await;
        let mut seen =
            StreamResult { ending: Ending::Truncated, first_token: None, by_second_provider: false };
        let Ok(mut response) = sent else { return seen };
        let by = response.headers().get("x-switchboard-model");
        seen.by_second_provider = by.is_some_and(|by| by == "second:m");
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            text.extend_from_slice(&chunk);
            if seen.first_token.is_none() && text.windows(5).any(|window| window == b"Hello") {
                seen.first_token = Some(began.elapsed());
            }
        }
        let text = String::from_utf8_lossy(&text);
        let words = text.matches("\"content\":").count();
        seen.ending = match (text.contains("\"error\""), text.ends_with("data: [DONE]\n\n")) {
            (false, true) if words >= WORDS_PER_RESPONSE => Ending::Complete,
            (true, false) => Ending::Error,
            _ => Ending::Truncated,
        };
        seen
    }

    /// Memory in kB, open files, and tasks.
    async fn resource_usage(&self) -> (u64, usize, usize) {
        let text =
            self.client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let tasks = text.lines().find_map(|line| line.strip_prefix("switchboard_tasks ")).unwrap();
        (self.program.memory_kb("VmRSS"), self.program.open_files(), tasks.parse().unwrap())
    }

    /// Waits until nothing is left of the load but the connections that are kept for the next calls, and once the
    /// providers have closed those, nothing at all.
    async fn assert_resources_released(&self, files: usize, tasks: usize, providers: [&Simulator; 2]) {
        let connections =
            || providers.iter().map(|provider| provider.traffic().open_connections()).sum::<usize>();
        self.wait_until_released(files, tasks, connections).await;
        assert!(providers.iter().all(|provider| provider.traffic().in_flight() == 0));
        for provider in providers {
            provider.refuse_connections().await.unwrap();
        }
        assert_eq!(connections(), 0);
        self.wait_until_released(files, tasks, connections).await;
    }

    /// Waits until no more files and tasks are left than there were, but for one each a connection that is kept.
    async fn wait_until_released(&self, files: usize, tasks: usize, kept: impl Fn() -> usize) {
        let began = Instant::now();
        loop {
            let (memory, open, alive) = self.resource_usage().await;
            let kept = kept();
            if open <= files + kept && alive <= tasks + kept {
                println!(
                    "left: {memory} kB, {open} open files, {alive} tasks, {kept} connections to providers"
                );
                return;
            }
            assert!(
                began.elapsed() < LOAD_TIMEOUT,
                "{open} files and {alive} tasks are left, {kept} connections"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}
