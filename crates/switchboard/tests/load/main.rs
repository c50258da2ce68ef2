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
const STREAMS: usize = 300;

/// Words of an answer.
const WORDS: usize = 12;

/// A phase of the flapping provider.
const PHASE: Duration = Duration::from_millis(150);

/// So long the load may take in all, and whatever it left behind to go.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a caller saw.
struct Seen {
    ending: Ending,
    first_token: Option<Duration>,
    by_second: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    /// With the error event, or refused with an error.
    Told,
    /// Neither an end nor an error.
    Lost,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_while_the_first_provider_flaps() {
    testbed::raise_open_files();
    let streams = env::var("SWITCHBOARD_LOAD_STREAMS").map_or(STREAMS, |text| text.parse().unwrap());
    let speaking = speaking(streams);
    let settings = || Settings { record: false, others: speaking.clone(), ..Settings::default() };
    let first = Arc::new(Simulator::start_with(settings()).await.unwrap());
    let second = Simulator::start_with(settings()).await.unwrap();
    let gateway = Gateway::start(&first, &second).await;
    // Everything that is made once is made before anything is counted.
    assert_eq!(gateway.call().await.ending, Ending::Whole);
    let (memory, files, tasks) = gateway.counts().await;

    let flapping = tokio::spawn(flap(Arc::clone(&first), speaking));
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
        at_once = at_once.max(first.seen().in_flight() + second.seen().in_flight());
        let now = gateway.counts().await;
        peak = (peak.0.max(now.0), peak.1.max(now.1), peak.2.max(now.2));
        while let Some(done) = callers.try_join_next() {
            seen.push(done.unwrap());
        }
        assert!(began.elapsed() < PATIENCE, "{} of {streams} streams have ended", seen.len());
        sleep(Duration::from_millis(50)).await;
    }
    flapping.abort();
    tell(&seen, at_once, began.elapsed());
    let each = (peak.0 - memory) as f64 / streams as f64;
    println!("memory: {memory} kB before, {} kB at the peak: {each:.1} kB a stream", peak.0);
    println!(
        "open files: {files} before, {} at the peak; tasks: {tasks} before, {} at the peak",
        peak.1, peak.2
    );

    assert!(seen.iter().all(|seen| seen.ending == Ending::Whole), "streams were lost");
    assert!(at_once > streams * 9 / 10, "only {at_once} streams were open at once");
    assert!(seen.iter().any(|seen| seen.by_second), "the first provider did not flap");
    assert!(each < 200.0, "{each:.1} kB a stream");
    gateway.comes_back_to(files, tasks, [&first, &second]).await;
}

/// So slowly that all streams are open at once.
fn speaking(streams: usize) -> Behaviour {
    let streams = u32::try_from(streams).unwrap();
    Behaviour::ok().words(WORDS).gap(Duration::from_millis(250) + Duration::from_micros(200) * streams)
}

/// Fails in every way that is to be hidden from callers: before it has said anything.
async fn flap(provider: Arc<Simulator>, speaking: Behaviour) {
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
        sleep(PHASE).await;
    }
}

fn tell(seen: &[Seen], at_once: usize, took: Duration) {
    let count = |ending: Ending| seen.iter().filter(|seen| seen.ending == ending).count();
    let by_second = seen.iter().filter(|seen| seen.by_second).count();
    println!(
        "{} streams, {at_once} at once, in {:.1} s: {} whole ({by_second} by the second model), {} told of a failure, {} lost",
        seen.len(),
        took.as_secs_f64(),
        count(Ending::Whole),
        count(Ending::Told),
        count(Ending::Lost),
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
        let breaker =
            "[breaker]\nopen_for = \"300ms\"\nopen_for_max = \"600ms\"\n[retry]\nbackoff = \"50ms\"\n";
        std::fs::write(
            &config,
            [&provider("first", first), &provider("second", second), route, breaker].concat(),
        )
        .unwrap();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()];
        let variables = [("REDIS_URL", "memory:"), ("SWITCHBOARD_LOG", "warn,switchboard=info")];
        let program = Program::start(env!("CARGO_BIN_EXE_switchboard"), &arguments, variables);
        let line = program.says("address=").await;
        let url = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        std::fs::remove_file(&config).unwrap();
        // No connection is kept, so that afterwards all that are left are the gateway's own.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { program: Arc::new(program), url, client }
    }

    async fn call(&self) -> Seen {
        let began = Instant::now();
        let messages = json!([{"role": "user", "content": "Hello"}]);
        let body = json!({"model": "chat", "messages": messages, "stream": true});
        let sent = self.client.post(format!("{}/v1/chat/completions", self.url)).json(&body).send().await;
        let mut seen = Seen { ending: Ending::Lost, first_token: None, by_second: false };
        let Ok(mut response) = sent else { return seen };
        let by = response.headers().get("x-switchboard-model");
        seen.by_second = by.is_some_and(|by| by == "second:m");
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
            (false, true) if words >= WORDS => Ending::Whole,
            (true, false) => Ending::Told,
            _ => Ending::Lost,
        };
        seen
    }

    /// Memory in kB, open files, and tasks.
    async fn counts(&self) -> (u64, usize, usize) {
        let text =
            self.client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let tasks = text.lines().find_map(|line| line.strip_prefix("switchboard_tasks ")).unwrap();
        (self.program.memory("VmRSS"), self.program.open_files(), tasks.parse().unwrap())
    }

    /// Waits until nothing is left of the load but the connections that are kept for the next calls, and once the
    /// providers have closed those, nothing at all.
    async fn comes_back_to(&self, files: usize, tasks: usize, providers: [&Simulator; 2]) {
        let connections =
            || providers.iter().map(|provider| provider.seen().open_connections()).sum::<usize>();
        self.until_left(files, tasks, connections).await;
        assert!(providers.iter().all(|provider| provider.seen().in_flight() == 0));
        for provider in providers {
            provider.refuse_connections().await.unwrap();
        }
        assert_eq!(connections(), 0);
        self.until_left(files, tasks, connections).await;
    }

    /// Waits until no more files and tasks are left than there were, but for one each a connection that is kept.
    async fn until_left(&self, files: usize, tasks: usize, kept: impl Fn() -> usize) {
        let began = Instant::now();
        loop {
            let (memory, open, alive) = self.counts().await;
            let kept = kept();
            if open <= files + kept && alive <= tasks + kept {
                println!(
                    "left: {memory} kB, {open} open files, {alive} tasks, {kept} connections to providers"
                );
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{open} files and {alive} tasks are left, {kept} connections"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}
