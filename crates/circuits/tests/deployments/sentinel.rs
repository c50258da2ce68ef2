//! Failovers by Sentinel.

use std::{path::PathBuf, time::Duration};

use testbed::{SentinelDeployment, wait_until};
use tokio::time::Instant;

use crate::{
    fleet::{InstancePair, key},
    load::Load,
};

/// Sentinels wait longer than this before they demote an old primary and close its connections.
const BEFORE_DEMOTION_NOTICE: Duration = Duration::from_secs(7);

pub(crate) async fn the_primary_is_killed(program: PathBuf) {
    let mut redis = SentinelDeployment::start(&program).await;
    let fleet = InstancePair::start(&redis.url()).await;
    let load = Load::start(&fleet.instances, &[key("good"), key("fine")]);
    let old = redis.primary().await;
    fleet
        .assert_change_arrives(&key("external"), async |command| redis.servers[old].cli(command).await)
        .await;
    fleet.trip(0, &key("before")).await;
    fleet.assert_open_for_all(&key("before")).await;
    redis.wait_for_replicas().await;

    let killed = Instant::now();
    redis.servers[old].kill();
    fleet.wait_until_unreachable().await;
    // Each instance uses its local circuit state, which is written when there is a primary again.
    fleet.trip(0, &key("meanwhile")).await;
    fleet.wait_until_admitted(0, &key("before"), false).await;
    fleet.wait_until_connected().await;
    println!("a primary killed: shared again after {:?}", killed.elapsed());

    // This Sentinel may learn of it later than those that the instances queried.
    wait_until("the Sentinels name another", async || redis.primary().await != old).await;
    let new = redis.primary().await;
    fleet
        .assert_change_arrives(&key("external"), async |command| redis.servers[new].cli(command).await)
        .await;
    fleet.assert_open_for_all(&key("before")).await;
    fleet.assert_open_for_all(&key("meanwhile")).await;

    // The old primary comes back, still in the role of a primary. No instance uses it.
    redis.servers[old].restart().await;
    fleet
        .assert_change_arrives(&key("external"), async |command| redis.servers[new].cli(command).await)
        .await;
    fleet.assert_open_for_all(&key("before")).await;
    load.stop().await;
}

/// The old primary stays up, for some seconds even as a primary: Sentinels demote it late.
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
    wait_until("all are subscribed to the new primary and nowhere else", async || {
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
        .assert_change_arrives(&key("external"), async |command| redis.servers[new].cli(command).await)
        .await;
    fleet.assert_open_for_all(&key("before")).await;
    fleet.trip(0, &key("after")).await;
    fleet.assert_open_for_all(&key("after")).await;
    load.stop().await;
}
