//! Failovers and migrated slots of a Redis Cluster.

use std::{path::PathBuf, time::Duration};

use breaker::ModelKey;
use testbed::{ClusterDeployment, wait_until};
use tokio::time::Instant;

use crate::{
    fleet::{InstancePair, key},
    load::Load,
};

/// Full reads are so rare that a missed change would show.
const LESS_THAN_RESYNC_INTERVAL: Duration = Duration::from_secs(8);

/// A model at each initial master.
async fn one_key_per_master(cluster: &ClusterDeployment, name: &str) -> Vec<ModelKey> {
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

async fn assert_all_changes_arrive(fleet: &InstancePair, cluster: &ClusterDeployment, keys: &[ModelKey]) {
    for key in keys {
        fleet.assert_change_arrives(key, async |command| cluster.cli(&redis_key(key), command).await).await;
    }
}

/// Waits until a node is a master.
async fn wait_for_master(cluster: &ClusterDeployment, node: usize) {
    wait_until("the replica becomes a master", async || {
        cluster.nodes[node].cli(&["ROLE"]).await.starts_with("master")
    })
    .await;
}

pub(crate) async fn a_master_is_killed(program: PathBuf) {
    let mut cluster = ClusterDeployment::start(&program).await;
    let fleet = InstancePair::start(&cluster.url()).await;
    let load = Load::start(&fleet.instances, &one_key_per_master(&cluster, "good").await);
    let external_keys = one_key_per_master(&cluster, "external").await;
    let before = one_key_per_master(&cluster, "before").await;
    let meanwhile = one_key_per_master(&cluster, "meanwhile").await;
    assert_all_changes_arrive(&fleet, &cluster, &external_keys).await;
    for (number, key) in before.iter().enumerate() {
        fleet.trip(number % 2, key).await;
        fleet.assert_open_for_all(key).await;
    }
    cluster.wait_for_replica(0).await;

    let killed = Instant::now();
    cluster.nodes[0].kill();
    fleet.wait_until_unreachable().await;
    for key in &meanwhile {
        fleet.trip(0, key).await;
    }
    wait_for_master(&cluster, 3).await;
    fleet.wait_until_connected().await;
    println!("a master killed: shared again after {:?}", killed.elapsed());

    assert_all_changes_arrive(&fleet, &cluster, &external_keys).await;
    for key in before.iter().chain(&meanwhile) {
        fleet.assert_open_for_all(key).await;
    }
    load.stop().await;
}

/// The old master stays as a replica, and redirects callers.
pub(crate) async fn a_master_is_demoted(program: PathBuf) {
    let cluster = ClusterDeployment::start(&program).await;
    let fleet = InstancePair::start(&cluster.url()).await;
    let load = Load::start(&fleet.instances, &one_key_per_master(&cluster, "good").await);
    let external_keys = one_key_per_master(&cluster, "external").await;
    let before = one_key_per_master(&cluster, "before").await;
    for key in &before {
        fleet.trip(1, key).await;
        fleet.assert_open_for_all(key).await;
    }
    let late_key = &one_key_per_master(&cluster, "late_key").await[1];
    fleet.wait_until_admitted(0, late_key, true).await;
    fleet.wait_until_admitted(1, late_key, true).await;
    let began = Instant::now();
    assert_eq!(cluster.nodes[4].cli(&["CLUSTER", "FAILOVER"]).await, "OK");
    wait_for_master(&cluster, 4).await;
    // Written when perhaps no instance is subscribed there yet.
    cluster.nodes[4].cli(&["SET", &redis_key(late_key), r#"{"state":"OPEN"}"#]).await;
    let written = Instant::now();
    wait_until("all are subscribed to the new master", async || subscriber_count(&cluster, 4).await == 2)
        .await;
    fleet.wait_until_connected().await;
    for instance in [0, 1] {
        fleet.wait_until_admitted(instance, late_key, false).await;
    }
    assert!(written.elapsed() < LESS_THAN_RESYNC_INTERVAL, "{:?}", written.elapsed());
    println!("a master demoted: subscribed to the new one after {:?}", began.elapsed());

    assert_all_changes_arrive(&fleet, &cluster, &external_keys).await;
    for key in &before {
        fleet.assert_open_for_all(key).await;
    }
    wait_until("no instance is subscribed to the old one", async || subscriber_count(&cluster, 1).await == 0)
        .await;
    load.stop().await;
}

async fn subscriber_count(cluster: &ClusterDeployment, node: usize) -> usize {
    let clients = cluster.nodes[node].cli(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await;
    clients.lines().filter(|client| client.contains("flags=tB")).count()
}

pub(crate) async fn slots_move(program: PathBuf) {
    let cluster = ClusterDeployment::start(&program).await;
    let fleet = InstancePair::start(&cluster.url()).await;
    let good = one_key_per_master(&cluster, "good").await;
    let load = Load::start(&fleet.instances, &good);
    let [moved, ..]: [ModelKey; 3] = one_key_per_master(&cluster, "moved").await.try_into().unwrap();
    let [open, ..]: [ModelKey; 3] = one_key_per_master(&cluster, "open").await.try_into().unwrap();
    fleet.trip(0, &open).await;
    fleet.assert_open_for_all(&open).await;
    assert_all_changes_arrive(&fleet, &cluster, std::slice::from_ref(&moved)).await;

    for key in [&moved, &open, &good[0]] {
        cluster.begin_slot_migration(&redis_key(key), 2).await;
        if *key == open {
            // Only a command with ASKING gets it at the new node, and both its keys are there.
            fleet.instances[0].close(key, None, None).await.unwrap();
            fleet.wait_until_admitted(1, key, true).await;
            fleet.trip(1, key).await;
            fleet.wait_until_admitted(0, key, false).await;
        }
        cluster.finish_slot_migration(&redis_key(key), 2).await;
        assert_eq!(cluster.owner(&redis_key(key)).await, 2);
    }
    assert_all_changes_arrive(&fleet, &cluster, std::slice::from_ref(&moved)).await;
    fleet.wait_until_admitted(0, &open, false).await;
    fleet.wait_until_admitted(1, &open, false).await;
    fleet.wait_until_connected().await;
    load.stop().await;
}
