//! Failovers by Sentinel.

use std::path::PathBuf;

use testbed::{SentinelDeployment, until};
use tokio::time::Instant;

use crate::{
    fleet::{Fleet, key},
    load::Load,
};

pub(crate) async fn the_primary_is_killed(program: PathBuf) {
    let mut redis = SentinelDeployment::start(&program).await;
    let fleet = Fleet::start(&redis.url()).await;
    let load = Load::start(&fleet.instances, &[key("good"), key("fine")]);
    let old = redis.primary().await;
    fleet.hears_of(&key("stranger"), async |command| redis.servers[old].cli(command).await).await;
    fleet.trip(0, &key("before")).await;
    fleet.is_open_for_all(&key("before")).await;
    redis.until_replicas_follow().await;

    let killed = Instant::now();
    redis.servers[old].kill();
    fleet.until_away().await;
    // Each instance breaks on what it sees; what it saw is told when there is a primary again.
    fleet.trip(0, &key("meanwhile")).await;
    fleet.until_admitted(0, &key("before"), false).await;
    fleet.until_shared().await;
    println!("a primary killed: shared again after {:?}", killed.elapsed());

    let new = redis.primary().await;
    assert_ne!(new, old);
    fleet.hears_of(&key("stranger"), async |command| redis.servers[new].cli(command).await).await;
    fleet.is_open_for_all(&key("before")).await;
    fleet.is_open_for_all(&key("meanwhile")).await;

    // The old primary comes back as it was, and is made a replica: that changes nothing.
    redis.servers[old].restart().await;
    until("the old primary is made a replica", async || {
        redis.servers[old].cli(&["ROLE"]).await.starts_with("slave")
    })
    .await;
    fleet.hears_of(&key("stranger"), async |command| redis.servers[new].cli(command).await).await;
    fleet.is_open_for_all(&key("before")).await;
    load.stop().await;
}

/// The old primary lives on as a replica, and answers.
pub(crate) async fn the_primary_is_demoted(program: PathBuf) {
    let redis = SentinelDeployment::start(&program).await;
    let fleet = Fleet::start(&redis.url()).await;
    let load = Load::start(&fleet.instances, &[key("good"), key("fine")]);
    let old = redis.primary().await;
    fleet.trip(1, &key("before")).await;
    fleet.is_open_for_all(&key("before")).await;
    redis.until_replicas_follow().await;

    let began = Instant::now();
    assert_eq!(redis.sentinels[0].cli(&["SENTINEL", "FAILOVER", SentinelDeployment::NAME]).await, "OK");
    until("the old primary is made a replica", async || {
        redis.servers[old].cli(&["ROLE"]).await.starts_with("slave")
    })
    .await;
    until("circuits are shared through the new primary", async || {
        let mut heard = true;
        for (position, server) in redis.servers.iter().enumerate() {
            // Two connections of each instance, one of them with ears.
            let clients = server.cli(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await;
            let ears = clients.lines().filter(|client| client.contains("flags=tB")).count();
            let is_primary = server.cli(&["ROLE"]).await.starts_with("master");
            heard &= ears == if is_primary { fleet.instances.len() } else { 0 };
            assert!(!is_primary || position != old);
        }
        heard
    })
    .await;
    fleet.until_shared().await;
    println!("a primary demoted: shared again after {:?}", began.elapsed());

    let new = redis.primary().await;
    assert_ne!(new, old);
    fleet.hears_of(&key("stranger"), async |command| redis.servers[new].cli(command).await).await;
    fleet.is_open_for_all(&key("before")).await;
    fleet.trip(0, &key("after")).await;
    fleet.is_open_for_all(&key("after")).await;
    load.stop().await;
}
