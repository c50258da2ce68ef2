//! Failovers and moved slots of a Redis Cluster.

use std::{path::PathBuf, time::Duration};

use breaker::ModelKey;
use testbed::{ClusterDeployment, until};
use tokio::time::Instant;

use crate::{
    fleet::{Fleet, key},
    load::Load,
};

/// Everything is read by itself so seldom that a fault would show.
const BEFORE_A_SLOW_READ: Duration = Duration::from_secs(8);

/// A model at each master that it begins with.
async fn one_at_each(cluster: &ClusterDeployment, name: &str) -> Vec<ModelKey> {
    let mut found: Vec<Option<ModelKey>> = vec![None; 3];
    for number in 0.. {
        let key = key(&format!("{name}-{number}"));
        let owner = cluster.owner(&redis_key(&key)).await;
        found[owner].get_or_insert(key);
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.into_iter().flatten().collect()
}

fn redis_key(key: &ModelKey) -> String {
    format!("circuit_breaker:{key}")
}

async fn hears_of_all(fleet: &Fleet, cluster: &ClusterDeployment, keys: &[ModelKey]) {
    for key in keys {
        fleet.hears_of(key, async |command| cluster.cli(&redis_key(key), command).await).await;
    }
}

/// Waits until a node is a master.
async fn until_master(cluster: &ClusterDeployment, node: usize) {
    until("the replica is made a master", async || {
        cluster.nodes[node].cli(&["ROLE"]).await.starts_with("master")
    })
    .await;
}

pub(crate) async fn a_master_is_killed(program: PathBuf) {
    let mut cluster = ClusterDeployment::start(&program).await;
    let fleet = Fleet::start(&cluster.url()).await;
    let load = Load::start(&fleet.instances, &one_at_each(&cluster, "good").await);
    let strangers = one_at_each(&cluster, "stranger").await;
    let before = one_at_each(&cluster, "before").await;
    let meanwhile = one_at_each(&cluster, "meanwhile").await;
    hears_of_all(&fleet, &cluster, &strangers).await;
    for (number, key) in before.iter().enumerate() {
        fleet.trip(number % 2, key).await;
        fleet.is_open_for_all(key).await;
    }
    cluster.until_replica_follows(0).await;

    let killed = Instant::now();
    cluster.nodes[0].kill();
    fleet.until_away().await;
    for key in &meanwhile {
        fleet.trip(0, key).await;
    }
    until_master(&cluster, 3).await;
    fleet.until_shared().await;
    println!("a master killed: shared again after {:?}", killed.elapsed());

    hears_of_all(&fleet, &cluster, &strangers).await;
    for key in before.iter().chain(&meanwhile) {
        fleet.is_open_for_all(key).await;
    }
    load.stop().await;
}

/// The old master lives on as a replica, and sends callers on.
pub(crate) async fn a_master_is_demoted(program: PathBuf) {
    let cluster = ClusterDeployment::start(&program).await;
    let fleet = Fleet::start(&cluster.url()).await;
    let load = Load::start(&fleet.instances, &one_at_each(&cluster, "good").await);
    let strangers = one_at_each(&cluster, "stranger").await;
    let before = one_at_each(&cluster, "before").await;
    for key in &before {
        fleet.trip(1, key).await;
        fleet.is_open_for_all(key).await;
    }
    let unheard = &one_at_each(&cluster, "unheard").await[1];
    fleet.until_admitted(0, unheard, true).await;
    fleet.until_admitted(1, unheard, true).await;
    let began = Instant::now();
    assert_eq!(cluster.nodes[4].cli(&["CLUSTER", "FAILOVER"]).await, "OK");
    until_master(&cluster, 4).await;
    // Written when perhaps nobody listens there yet.
    cluster.nodes[4].cli(&["SET", &redis_key(unheard), r#"{"state":"OPEN"}"#]).await;
    let written = Instant::now();
    until("all have ears at the new master", async || ears(&cluster, 4).await == 2).await;
    fleet.until_shared().await;
    for instance in [0, 1] {
        fleet.until_admitted(instance, unheard, false).await;
    }
    assert!(written.elapsed() < BEFORE_A_SLOW_READ, "{:?}", written.elapsed());
    println!("a master demoted: heard of the new one after {:?}", began.elapsed());

    hears_of_all(&fleet, &cluster, &strangers).await;
    for key in &before {
        fleet.is_open_for_all(key).await;
    }
    until("nobody listens to the old one", async || ears(&cluster, 1).await == 0).await;
    load.stop().await;
}

async fn ears(cluster: &ClusterDeployment, node: usize) -> usize {
    let clients = cluster.nodes[node].cli(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await;
    clients.lines().filter(|client| client.contains("flags=tB")).count()
}

pub(crate) async fn slots_move(program: PathBuf) {
    let cluster = ClusterDeployment::start(&program).await;
    let fleet = Fleet::start(&cluster.url()).await;
    let good = one_at_each(&cluster, "good").await;
    let load = Load::start(&fleet.instances, &good);
    let [moved, ..]: [ModelKey; 3] = one_at_each(&cluster, "moved").await.try_into().unwrap();
    let [open, ..]: [ModelKey; 3] = one_at_each(&cluster, "open").await.try_into().unwrap();
    fleet.trip(0, &open).await;
    fleet.is_open_for_all(&open).await;
    hears_of_all(&fleet, &cluster, std::slice::from_ref(&moved)).await;

    for key in [&moved, &open, &good[0]] {
        cluster.begin_to_move(&redis_key(key), 2).await;
        if *key == open {
            // Where it is now only who asks nicely gets it, and both its keys are there.
            fleet.instances[0].close(key, None).await.unwrap();
            fleet.until_admitted(1, key, true).await;
            fleet.trip(1, key).await;
            fleet.until_admitted(0, key, false).await;
        }
        cluster.finish_moving(&redis_key(key), 2).await;
        assert_eq!(cluster.owner(&redis_key(key)).await, 2);
    }
    hears_of_all(&fleet, &cluster, std::slice::from_ref(&moved)).await;
    fleet.until_admitted(0, &open, false).await;
    fleet.until_admitted(1, &open, false).await;
    fleet.until_shared().await;
    load.stop().await;
}
