//! What tests need around them: a private `redis-server`, processes, and a network that can be broken.
//!
//! The rules that matter most (who wins a race, what survives a restart, who is notified of a change) depend on Redis
//! itself, so they are tested against Redis and not against an imitation. Each [`RedisServer`] has its own port and
//! directory, listens on loopback only, writes nothing to disk by default, and is removed on drop. It can be killed,
//! restarted on the same port, and paused, which makes a store unreachable or unresponsive. Sentinels with their servers,
//! and a Cluster, can be started as a whole.
//!
//! This crate is for tests only: whatever fails ends the test with a panic that says why.
//!
//! A file uses only files to its right; `connect_proxy`, `program`, `open_files` and `valkey` stand alone. A test of `switchboard`
//! (`conventions`) checks that there are no circles.
//!
//! ```text
//!   cluster ──┬─▶ redis_server ──┬─▶ wait
//!   sentinel ─┘                  └─▶ port
//!   proxy ─────────────────────────▶ port
//! ```
#![expect(clippy::panic, reason = "a test that has no server cannot go on")]

mod cluster;
mod connect_proxy;
mod open_files;
mod port;
mod program;
mod proxy;
mod redis_server;
mod sentinel;
mod valkey;
mod wait;

pub use cluster::ClusterDeployment;
pub use connect_proxy::{ConnectProxy, ConnectReply, serve_tls, tls_acceptor};
pub use open_files::raise_open_files;
pub use port::free_port;
pub use program::Program;
pub use proxy::Proxy;
pub use redis_server::RedisServer;
pub use sentinel::SentinelDeployment;
pub use valkey::valkey_program;
pub use wait::wait_until;
