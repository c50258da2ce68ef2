//! A Redis Cluster.

use std::path::Path;

use crate::{port::free_port, redis_server::RedisServer, wait::wait_until};

const SLOT_COUNT: usize = 16_384;

/// Masters at the start, each with one replica.
const MASTER_COUNT: usize = 3;

/// Three masters, each with a replica.
#[derive(Debug)]
pub struct ClusterDeployment {
    /// First the masters at the start, then their replicas in the same order.
    pub nodes: Vec<RedisServer>,
}

impl ClusterDeployment {
    /// Starts all nodes, and waits until they form a Cluster.
    ///
    /// # Panics
    /// The program is not installed, or something does not start.
    pub async fn start(program: &Path) -> Self {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..2 * MASTER_COUNT {
            let bus = free_port().to_string();
            let options = [
                ["--cluster-enabled", "yes"],
                ["--cluster-port", &bus],
                ["--cluster-node-timeout", "1000"],
                ["--cluster-replica-validity-factor", "0"],
                ["--repl-diskless-sync-delay", "0"],
                ["--repl-ping-replica-period", "1"],
            ];
            nodes.push(RedisServer::start_program(program, options.as_flattened()).await);
            buses.push(bus);
        }
        let cluster = Self { nodes };
        for (position, node) in cluster.nodes.iter().enumerate() {
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(position + 1).to_string()]).await;
            if position < MASTER_COUNT {
                let first = (position * SLOT_COUNT / MASTER_COUNT).to_string();
                let last = ((position + 1) * SLOT_COUNT / MASTER_COUNT - 1).to_string();
                node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            }
            for (other, bus) in cluster.nodes.iter().zip(&buses).skip(position + 1) {
                let port = other.port().to_string();
                node.cli(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await;
            }
        }
        cluster.wait_for_info("cluster_known_nodes:6").await;
        for (master, replica) in cluster.nodes.iter().zip(cluster.nodes.iter().skip(MASTER_COUNT)) {
            let id = master.cli(&["CLUSTER", "MYID"]).await;
            wait_until("a node becomes a replica", async || {
                replica.cli(&["CLUSTER", "REPLICATE", &id]).await == "OK"
            })
            .await;
        }
        cluster.wait_for_info("cluster_state:ok").await;
        for node in &cluster.nodes {
            wait_until("every node knows the replicas", async || {
                node.cli(&["CLUSTER", "NODES"]).await.matches("slave").count() == MASTER_COUNT
            })
            .await;
        }
        for replica in cluster.nodes.iter().skip(MASTER_COUNT) {
            wait_until("replicas follow their masters", async || {
                replica.cli(&["ROLE"]).await.contains("connected")
            })
            .await;
        }
        cluster
    }

    /// The `REDIS_URL`: two of the nodes, since any one must be enough.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().skip(1).take(2).map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    /// The node that reports this key's slot as its own.
    ///
    /// # Panics
    /// None does.
    pub async fn owner(&self, key: &str) -> usize {
        for (position, node) in self.nodes.iter().enumerate() {
            // Only the owner reports a key's type; the others redirect.
            if node.is_running() && !node.cli(&["TYPE", key]).await.starts_with("MOVED") {
                return position;
            }
        }
        panic!("no node has the slot of {key}");
    }

    /// Waits until the replica of a master has everything that the master has now. Masters are numbered as at the start.
    ///
    /// # Panics
    /// It takes too long.
    pub async fn wait_for_replica(&self, master: usize) {
        self.nodes[master].wait_for_replica(&self.nodes[master + MASTER_COUNT]).await;
    }

    /// Runs a command on the owner of a key.
    ///
    /// # Panics
    /// There is none.
    pub async fn cli(&self, key: &str, arguments: &[&str]) -> String {
        let owner = self.owner(key).await;
        self.nodes[owner].cli(arguments).await
    }

    /// Begins to move a key's slot to another node: its keys have moved, the slot has not.
    ///
    /// # Panics
    /// A node refuses.
    pub async fn begin_slot_migration(&self, key: &str, to: usize) {
        let from = self.owner(key).await;
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let (source_id, target_id) =
            (source.cli(&["CLUSTER", "MYID"]).await, target.cli(&["CLUSTER", "MYID"]).await);
        let slot = self.slot_of(key).await;
        run_expecting_ok(target, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]).await;
        run_expecting_ok(source, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]).await;
        let keys = source.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await;
        let port = target.port().to_string();
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        migrate.extend(keys.lines());
        if !keys.is_empty() {
            run_expecting_ok(source, &migrate).await;
        }
    }

    /// Makes the other node the slot's owner.
    ///
    /// # Panics
    /// A node refuses.
    pub async fn finish_slot_migration(&self, key: &str, to: usize) {
        let (slot, id) = (self.slot_of(key).await, self.nodes[to].cli(&["CLUSTER", "MYID"]).await);
        let masters = self.nodes.iter().take(MASTER_COUNT);
        for node in std::iter::once(&self.nodes[to]).chain(masters) {
            run_expecting_ok(node, &["CLUSTER", "SETSLOT", &slot, "NODE", &id]).await;
        }
    }

    async fn slot_of(&self, key: &str) -> String {
        self.nodes[0].cli(&["CLUSTER", "KEYSLOT", key]).await
    }

    async fn wait_for_info(&self, line: &str) {
        for node in &self.nodes {
            wait_until("the nodes know each other", async || {
                node.cli(&["CLUSTER", "INFO"]).await.lines().any(|reported| reported.trim() == line)
            })
            .await;
        }
    }
}

async fn run_expecting_ok(node: &RedisServer, command: &[&str]) {
    let reply = node.cli(command).await;
    assert_eq!(reply, "OK", "{command:?}");
}
