//! Requests that make every model fail take no model away from other requests (B12).
//!
//! Four instances share a Redis and a route of three models. Good callers call it all the time; one caller sends, again
//! and again, a request that each model answers with 500.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::StatusCode;
use serde_json::json;
use simulator::{Behaviour, Simulator};
use testbed::RedisServer;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::support::{ConfigFile, Instance};

const INSTANCES: usize = 4;
const MODELS: [&str; 3] = ["gpt-a", "gpt-b", "gpt-c"];
const POISON: &str = "a request that no model survives";

/// One request in 256 of the same key has the same tag as the poison, and is taken for it. Of 60 calls three or more are so
/// in one run of 700.
const MAX_COLLISIONS: usize = 2;

/// How long the good callers are counted.
const TRAFFIC: Duration = Duration::from_secs(6);

/// Between the good calls of one instance.
const CALL_INTERVAL: Duration = Duration::from_millis(400);

struct World {
    redis: RedisServer,
    simulator: Simulator,
    instances: Vec<Arc<Instance>>,
    _config: ConfigFile,
}

impl World {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let simulator = Simulator::start().await.unwrap();
        for model in MODELS {
            simulator.script(model, Behaviour::ok().latency(Duration::from_millis(20)));
        }
        simulator.script_requests(POISON, Behaviour::status(StatusCode::INTERNAL_SERVER_ERROR));
        let config = ConfigFile::new(
            "[server]\napi_keys = ['key-of-a', 'key-of-b']\n[routes.task]\n\
             models = ['openai:gpt-a', 'openai:gpt-b', 'openai:gpt-c']\n",
        );
        let variables = [("SWITCHBOARD_CONFIG", config.path())];
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            let url = redis.url();
            instances.push(Arc::new(Instance::start_with(Some(&url), &simulator, &variables).await));
        }
        Self { redis, simulator, instances, _config: config }
    }

    /// A call of the route through one of the instances; its status.
    async fn call(instance: &Instance, key: &str, prompt: &str) -> u16 {
        let body = json!({"model": "task", "messages": [{"role": "user", "content": prompt}]});
        let url = format!("{}/v1/chat/completions", instance.url);
        let answer = instance.client.post(url).bearer_auth(key).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        if status != 200 && !prompt.starts_with(POISON) {
            println!("{prompt}: {text}");
        }
        status
    }

    /// Callers that send the poison until the flag is set, `at_once` at a time; `varied`: each body is new.
    fn poison(
        &self,
        at_once: usize,
        key: &'static str,
        varied: bool,
        stop: &Arc<AtomicBool>,
    ) -> JoinSet<usize> {
        let mut callers = JoinSet::new();
        for caller in 0..at_once {
            let (instance, stop) = (Arc::clone(&self.instances[caller % INSTANCES]), Arc::clone(stop));
            callers.spawn(async move {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let prompt = if varied { format!("{POISON} {caller} {sent}") } else { POISON.to_owned() };
                    Self::call(&instance, key, &prompt).await;
                    sent += 1;
                    sleep(Duration::from_millis(20)).await;
                }
                sent
            });
        }
        callers
    }

    /// Good calls of one key, about 10 a second in all; how many there were, and how many were lost.
    async fn good_calls(&self, key: &'static str) -> (usize, usize) {
        let (count, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let end = Instant::now() + TRAFFIC;
        let mut callers = JoinSet::new();
        for instance in &self.instances {
            let (instance, count, lost) = (Arc::clone(instance), Arc::clone(&count), Arc::clone(&lost));
            callers.spawn(async move {
                while Instant::now() < end {
                    let number = count.fetch_add(1, Ordering::Relaxed);
                    if Self::call(&instance, key, &format!("good {number}")).await != 200 {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                    sleep(CALL_INTERVAL).await;
                }
            });
        }
        callers.join_all().await;
        (count.load(Ordering::Relaxed), lost.load(Ordering::Relaxed))
    }

    async fn good_calls_beside_poison(
        &self,
        key: &'static str,
        at_once: usize,
        poisoner: &'static str,
        varied: bool,
        max_lost: usize,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        let poison = self.poison(at_once, poisoner, varied, &stop);
        // The poison has tripped what it can trip.
        self.simulator.wait_until(|traffic| traffic.calls(MODELS[0]) >= 20).await;
        let (count, lost) = self.good_calls(key).await;
        stop.store(true, Ordering::Relaxed);
        let sent: usize = poison.join_all().await.into_iter().sum();
        let states =
            self.redis.cli(&["MGET", "circuit_breaker:openai:gpt-a", "circuit_breaker:openai:gpt-b"]).await;
        println!("{count} good calls beside {sent} poisoned ones ({at_once} at a time): {lost} lost");
        assert!(count > 15 && sent > 20, "{count} good calls, {sent} poisoned ones");
        assert!(lost <= max_lost, "{lost} of {count}; {states}");
    }
}

/// One key sends ever new poison; the other key's calls are all answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_keys_poison_costs_no_good_call() {
    World::start().await.good_calls_beside_poison("key-of-a", 20, "key-of-b", true, 0).await;
}

/// All share one key, and one of them repeats one body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_body_costs_no_good_call_of_the_same_key() {
    World::start().await.good_calls_beside_poison("key-of-a", 20, "key-of-a", false, MAX_COLLISIONS).await;
}

/// A model that is really dead is passed over after a few calls, as ever, and its fallback's death is noticed too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_outages_are_still_found() {
    let world = World::start().await;
    let dead = || Behaviour::status(StatusCode::SERVICE_UNAVAILABLE);
    for model in &MODELS[..2] {
        world.simulator.script(*model, dead());
    }
    let (count, lost) = world.good_calls("key-of-a").await;
    let traffic = world.simulator.traffic();
    let to_dead: Vec<_> = MODELS[..2].iter().map(|model| traffic.calls(model)).collect();
    println!("two of three models dead: {count} good calls, {lost} lost, calls to the dead ones {to_dead:?}");
    assert_eq!(lost, 0);
    for (model, calls) in MODELS.iter().zip(&to_dead) {
        assert!(*calls <= 30, "{model}: {calls} calls");
    }
}

/// One client that repeats one request finds a real outage by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_client_that_repeats_one_request_trips_too() {
    let world = World::start().await;
    for model in MODELS {
        world.simulator.script(model, Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let mut calls = 0;
    while World::call(&world.instances[0], "key-of-a", "again").await != 503
        || world.simulator.traffic().calls(MODELS[2]) < 3
    {
        calls += 1;
        assert!(calls < 50, "no trip");
    }
    let before = world.simulator.traffic().calls(MODELS[0]);
    assert_eq!(World::call(&world.instances[0], "key-of-a", "again").await, 503);
    let after = world.simulator.traffic().calls(MODELS[0]);
    println!("one client, one request: refused after {calls} calls, {before} of them at the first model");
    assert_eq!(before, after, "an open circuit was called");
}
