//! What tests need around them: a real `redis-server` of their own, processes, and a network that can be broken.
//!
//! The rules that matter most (who wins a race, what survives a restart, who hears of a change) are kept by Redis
//! itself, so they are tested against Redis and not against an imitation. Each [`RedisServer`] has a port and a
//! directory of its own, listens on loopback only, writes nothing to disk unless asked to, and is gone with the
//! value. It can be killed, restarted on the same port, and stopped in its tracks, which is how a store that is away
//! or silent is had. Sentinels with their servers, and a Cluster, are had whole.
//!
//! This crate is for tests alone: whatever it cannot do ends the test with a panic that says why.
#![expect(clippy::panic, reason = "a test that has no server cannot go on")]

mod cluster;
mod open_files;
mod port;
mod program;
mod proxy;
mod redis_server;
mod sentinel;
mod valkey;
mod wait;

pub use cluster::ClusterDeployment;
pub use open_files::raise_open_files;
pub use port::free_port;
pub use program::Program;
pub use proxy::Proxy;
pub use redis_server::RedisServer;
pub use sentinel::SentinelDeployment;
pub use valkey::valkey_program;
pub use wait::wait_until;
