//! A primary, its replicas and their Sentinels.

use std::path::Path;

use crate::{redis_server::RedisServer, wait::wait_until};

/// One primary, two replicas and three Sentinels that promote a replica when the primary is lost.
#[derive(Debug)]
pub struct SentinelDeployment {
    /// The first is the primary at the start.
    pub servers: Vec<RedisServer>,
    /// The Sentinels.
    pub sentinels: Vec<RedisServer>,
}

impl SentinelDeployment {
    /// The primary's name.
    pub const PRIMARY_NAME: &str = "main";

    /// Starts all servers, and waits until they know each other.
    ///
    /// # Panics
    /// The program is not installed, or something does not start.
    pub async fn start(program: &Path) -> Self {
        let options = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];
        let primary = RedisServer::start_program(program, &options).await;
        let port = primary.port().to_string();
        let mut servers = vec![primary];
        for _ in 0..2 {
            let options = [&options[..], &["--replicaof", "127.0.0.1", &port]].concat();
            servers.push(RedisServer::start_program(program, &options).await);
        }
        let mut deployment = Self { servers, sentinels: Vec::new() };
        deployment.wait_for_replicas().await;
        let name = Self::PRIMARY_NAME;
        let lines = [
            format!("sentinel monitor {name} 127.0.0.1 {port} 2"),
            format!("sentinel down-after-milliseconds {name} 500"),
            format!("sentinel failover-timeout {name} 2000"),
            format!("sentinel parallel-syncs {name} 2"),
        ];
        for _ in 0..3 {
            deployment.sentinels.push(RedisServer::start_sentinel(program, lines.to_vec()).await);
        }
        for sentinel in &deployment.sentinels {
            wait_until("the Sentinels know each other and the replicas", async || {
                let status = sentinel.cli(&["SENTINEL", "MASTER", name]).await;
                let mut lines = status.lines();
                let mut number = |of: &str| lines.by_ref().skip_while(|line| *line != of).nth(1) == Some("2");
                number("num-slaves") && number("num-other-sentinels")
            })
            .await;
        }
        deployment
    }

    /// The `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port())).collect();
        format!("redis-sentinel://{}/{}", hosts.join(","), Self::PRIMARY_NAME)
    }

    /// The index of the primary, according to the first Sentinel.
    ///
    /// # Panics
    /// It does not reply, or names an unknown server.
    pub async fn primary(&self) -> usize {
        let primary =
            self.sentinels[0].cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::PRIMARY_NAME]).await;
        let port = primary.lines().nth(1).unwrap_or_default();
        let position = self.servers.iter().position(|server| server.port().to_string() == port);
        position.unwrap_or_else(|| panic!("the Sentinel names {primary}"))
    }

    /// Waits until every replica has caught up with the first server.
    ///
    /// # Panics
    /// It takes too long.
    pub async fn wait_for_replicas(&self) {
        let primary = &self.servers[0];
        for replica in self.servers.iter().skip(1) {
            wait_until("replicas follow their primary", async || {
                replica.cli(&["ROLE"]).await.contains("connected")
            })
            .await;
            primary.wait_for_replica(replica).await;
        }
    }
}
