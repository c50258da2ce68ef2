//! Failovers by Sentinel.

use std::{path::PathBuf, time::Duration};

use testbed::{SentinelDeployment, wait_until};
use tokio::time::Instant;

use crate::{
    fleet::{InstancePair, key},
    load::Load,
};

/// Sentinels wait for longer before they tell an old primary that it is one no longer, and close its connections.
const BEFORE_DEMOTION_NOTICE: Duration = Duration::from_secs(7);

pub(crate) async fn the_primary_is_killed(program: PathBuf) {
    let mut redis = SentinelDeployment::start(&program).await;
    let fleet = InstancePair::start(&redis.url()).await;
    let load = Load::start(&fleet.instances, &[key("good"), key("fine")]);
    let old = redis.primary().await;
    fleet
        .assert_change_arrives(&key("stranger"), async |command| redis.servers[old].cli(command).await)
        .await;
    fleet.trip(0, &key("before")).await;
    fleet.assert_open_for_all(&key("before")).await;
    redis.wait_for_replicas().await;

    let killed = Instant::now();
    redis.servers[old].kill();
    fleet.wait_until_unreachable().await;
    // Each instance breaks on what it sees; what it saw is told when there is a primary again.
    fleet.trip(0, &key("meanwhile")).await;
    fleet.wait_until_admitted(0, &key("before"), false).await;
    fleet.wait_until_connected().await;
    println!("a primary killed: shared again after {:?}", killed.elapsed());

    // The Sentinel that is asked here may hear of it later than those that the instances asked.
    wait_until("the Sentinels name another", async || redis.primary().await != old).await;
    let new = redis.primary().await;
    fleet
        .assert_change_arrives(&key("stranger"), async |command| redis.servers[new].cli(command).await)
        .await;
    fleet.assert_open_for_all(&key("before")).await;
    fleet.assert_open_for_all(&key("meanwhile")).await;

    // The old primary comes back as it was, and takes itself for a primary still. Nobody listens to it.
    redis.servers[old].restart().await;
    fleet
        .assert_change_arrives(&key("stranger"), async |command| redis.servers[new].cli(command).await)
        .await;
    fleet.assert_open_for_all(&key("before")).await;
    load.stop().await;
}

/// The old primary lives on, for some seconds even as a primary: Sentinels take their time to tell it.
pub(crate) async fn the_primary_is_demoted(program: PathBuf) {
    let redis = SentinelDeployment::start(&program).await;
    let fleet = InstancePair::start(&redis.url()).await;
    let load = Load::start(&fleet.instances, &[key("good"), key("fine")]);
    let old = redis.primary().await;
    fleet.trip(1, &key("before")).await;
    fleet.assert_open_for_all(&key("before")).await;
    redis.wait_for_replicas().await;

    let began = Instant::now();
    assert_eq!(
        redis.sentinels[0].cli(&["SENTINEL", "FAILOVER", SentinelDeployment::PRIMARY_NAME]).await,
        "OK"
    );
    wait_until("the Sentinels name another", async || redis.primary().await != old).await;
    let named = Instant::now();
    wait_until("all have ears at the new primary and nowhere else", async || {
        let primary = redis.primary().await;
        let mut right = primary != old;
        for (position, server) in redis.servers.iter().enumerate() {
            let clients = server.cli(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await;
            let ears = clients.lines().filter(|client| client.contains("flags=tB")).count();
            right &= ears == if position == primary { fleet.instances.len() } else { 0 };
        }
        right
    })
    .await;
    assert!(named.elapsed() < BEFORE_DEMOTION_NOTICE, "it was left only after {:?}", named.elapsed());
    fleet.wait_until_connected().await;
    println!("a primary demoted: shared again after {:?}", began.elapsed());

    let new = redis.primary().await;
    assert_ne!(new, old);
    fleet
        .assert_change_arrives(&key("stranger"), async |command| redis.servers[new].cli(command).await)
        .await;
    fleet.assert_open_for_all(&key("before")).await;
    fleet.trip(0, &key("after")).await;
    fleet.assert_open_for_all(&key("after")).await;
    load.stop().await;
}
