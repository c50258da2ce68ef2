//! A good call costs Redis nothing (B6).

use simulator::Simulator;
use testbed::RedisServer;
use tokio::{task::JoinSet, time::Instant};

use crate::support::Instance;

/// The commands of one heartbeat, of which one is `ZADD`; nothing else sends that. They go by the clock, whatever is called.
const COMMANDS_OF_A_HEARTBEAT: u64 = 4;

/// Calls by `INFO commandstats`, but for the keep-alive, heartbeats and what `redis-cli` asks for itself.
async fn command_count(redis: &RedisServer) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]).await;
    let counted: Vec<(&str, u64)> = stats
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            Some((name, rest.split("calls=").nth(1)?.split(',').next()?.parse().ok()?))
        })
        .filter(|(name, _)| {
            !["ping", "info", "command"].contains(&name.split('|').next().unwrap_or_default())
        })
        .collect();
    let heartbeats: u64 = counted.iter().filter(|(name, _)| *name == "zadd").map(|(_, calls)| calls).sum();
    let all: u64 = counted.iter().map(|(_, calls)| calls).sum();
    // One may have begun and not ended.
    all.saturating_sub(heartbeats * COMMANDS_OF_A_HEARTBEAT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_good_calls_cost_fewer_than_ten_commands() {
    let redis = RedisServer::start().await;
    let simulator = Simulator::start().await.unwrap();
    let instance = std::sync::Arc::new(Instance::start(Some(&redis.url()), &simulator).await);
    assert_eq!(instance.chat("openai:gpt-5").await.0, 200);
    let before = command_count(&redis).await;
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let instance = std::sync::Arc::clone(&instance);
        callers.spawn(async move {
            for _ in 0..500 {
                assert_eq!(instance.chat("openai:gpt-5").await.0, 200);
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let cost = command_count(&redis).await.saturating_sub(before);
    println!("10,000 good calls cost Redis {cost} commands");
    // What is done by the clock, such as reading all, is more where the calls take longer.
    let by_the_clock = began.elapsed().as_secs().saturating_sub(10) / 2;
    assert!(cost < 10 + by_the_clock, "{cost}");
}
