//! Instances see each other by their heartbeats in a real Redis.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{sync::Arc, time::Duration};

use breaker::InstanceId;
use circuits::{CallCounts, Circuits, Heartbeat, HeartbeatRecord, RedisStore, Settings, StoreStatus};
use testbed::RedisServer;

async fn join(server: &RedisServer, id: &str) -> Circuits {
    let store = Arc::new(RedisStore::start(server.url().parse().unwrap()));
    let circuits = Circuits::start(store, Settings::new(InstanceId::new(id)));
    connected(&circuits).await;
    circuits
}

async fn connected(circuits: &Circuits) {
    while circuits.store_status() != StoreStatus::Connected {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn record(circuits: &Circuits, requests: u64) -> HeartbeatRecord {
    HeartbeatRecord {
        heartbeat: Heartbeat {
            id: circuits.instance().clone(),
            version: "0.1.0".to_owned(),
            started_at: circuits.now(),
            at: circuits.now(),
            store: "connected".to_owned(),
            in_flight: 1,
            requests_per_minute: requests,
            failed_per_minute: 0,
            fallbacks_per_minute: 0,
            open: circuits.open_models(),
        },
        traffic: CallCounts { bucket_ms: 10_000, requests: vec![requests], ..CallCounts::default() },
    }
}

/// The instances that this one sees, with their requests.
async fn seen(circuits: &Circuits) -> Vec<(String, u64)> {
    let heartbeats = circuits.heartbeats().await.unwrap();
    let seen = heartbeats.into_iter().map(|record| record.heartbeat);
    seen.map(|heartbeat| (heartbeat.id.to_string(), heartbeat.requests_per_minute)).collect()
}

fn named(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(id, requests)| ((*id).to_owned(), *requests)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_see_each_other_until_they_end_or_expire() {
    let server = RedisServer::start().await;
    let (a, b) = (join(&server, "a").await, join(&server, "b").await);
    assert_eq!(seen(&a).await, named(&[]));
    a.send_heartbeat(&record(&a, 3)).await.unwrap();
    b.send_heartbeat(&record(&b, 4)).await.unwrap();
    a.send_heartbeat(&record(&a, 5)).await.unwrap();
    assert_eq!(seen(&a).await, named(&[("a", 5), ("b", 4)]));
    assert_eq!(seen(&b).await, seen(&a).await);

    for (key, most) in [("switchboard:instance:a", 30_000), ("switchboard:instances", 60_000)] {
        let left: i64 = server.cli(&["PTTL", key]).await.parse().unwrap();
        assert!(left > most / 2 && left <= most, "{key} lives for {left} ms");
    }
    // Its time is over; the index still has it.
    server.cli(&["PEXPIRE", "switchboard:instance:b", "0"]).await;
    assert_eq!(seen(&a).await, named(&[("a", 5)]));
    // So long silent that the index forgets it.
    server.cli(&["ZADD", "switchboard:instances", "5", "b"]).await;
    a.send_heartbeat(&record(&a, 6)).await.unwrap();
    assert_eq!(server.cli(&["ZRANGE", "switchboard:instances", "0", "-1"]).await, "a");

    // What somebody else has put there is no instance.
    server.cli(&["ZADD", "switchboard:instances", "9e12", "list", "9e12", "text"]).await;
    server.cli(&["LPUSH", "switchboard:instance:list", "x"]).await;
    server.cli(&["SET", "switchboard:instance:text", "<script>"]).await;
    assert_eq!(seen(&a).await, named(&[("a", 6)]));
    a.remove_heartbeat().await.unwrap();
    assert_eq!(seen(&b).await, named(&[]));
    assert_eq!(server.cli(&["KEYS", "circuit_breaker:*"]).await, "", "they disturb no circuit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_come_back_after_a_restart_and_are_counted_apart() {
    let mut server = RedisServer::start().await;
    let a = join(&server, "a").await;
    let heartbeats = || {
        let counts = a.store_counts().commands;
        counts.into_iter().find(|(name, _)| *name == "heartbeat").unwrap().1
    };
    assert_eq!(heartbeats(), 0);
    a.send_heartbeat(&record(&a, 1)).await.unwrap();
    assert_eq!(heartbeats(), 4);
    server.kill();
    while a.store_status() == StoreStatus::Connected {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    a.send_heartbeat(&record(&a, 2)).await.unwrap();
    assert_eq!((seen(&a).await, heartbeats()), (named(&[]), 4), "nothing is tried");
    server.restart().await;
    connected(&a).await;
    a.send_heartbeat(&record(&a, 3)).await.unwrap();
    assert_eq!(seen(&a).await, named(&[("a", 3)]));
}
