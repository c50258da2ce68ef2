//! What tests need around them: a real `redis-server` of their own.
//!
//! The rules that matter most (who wins a race, what survives a restart, who hears of a change) are kept by Redis
//! itself, so they are tested against Redis and not against an imitation. Each [`RedisServer`] has a port and a
//! directory of its own, listens on loopback only, writes nothing to disk unless asked to, and is gone with the
//! value. It can be killed, restarted on the same port, and stopped in its tracks, which is how a store that is away
//! or silent is had.
//!
//! This crate is for tests alone: whatever it cannot do ends the test with a panic that says why.
#![expect(clippy::panic, reason = "a test that has no server cannot go on")]

mod open_files;
mod port;
mod program;
mod redis_server;

pub use open_files::raise_open_files;
pub use program::Program;
pub use redis_server::RedisServer;
