//! A connection that counts its commands, so that what the circuits cost Redis can be seen.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::{
    Arg, AsyncConnectionConfig, Cmd, Pipeline, RedisFuture, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};

use super::keys::HEARTBEAT_PREFIX;

/// Connecting may take this long, and so may a command.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Commands that are counted by name; the few others, sent when a connection is made, are counted together.
const COUNTED_COMMANDS: [&str; 6] = ["evalsha", "getrange", "ping", "scan", "time", "xrevrange"];

/// How many commands were sent. Shared by all connections of one store.
#[derive(Debug, Default)]
pub(super) struct CommandCounters {
    by_name: [AtomicU64; COUNTED_COMMANDS.len()],
    /// All commands for heartbeats: they are sent by the clock, whatever is called.
    heartbeats: AtomicU64,
    others: AtomicU64,
}

impl CommandCounters {
    fn increment(&self, command: &Cmd) {
        let mut arguments = command.args_iter().map(|argument| match argument {
            Arg::Simple(argument) => argument,
            _ => b"",
        });
        let (name, key) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
        if key.starts_with(HEARTBEAT_PREFIX.as_bytes()) {
            self.heartbeats.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let known = COUNTED_COMMANDS.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        known.map_or(&self.others, |known| &self.by_name[known]).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Vec<(&'static str, u64)> {
        let named = COUNTED_COMMANDS
            .into_iter()
            .zip(&self.by_name)
            .chain([("heartbeat", &self.heartbeats), ("other", &self.others)]);
        named.map(|(name, count)| (name, count.load(Ordering::Relaxed))).collect()
    }
}

pub(super) fn connection_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(CONNECT_TIMEOUT))
}

/// A connection to Redis. Clones are the same connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    inner: MultiplexedConnection,
    counters: Arc<CommandCounters>,
}

impl Connection {
    pub(super) const fn new(inner: MultiplexedConnection, counters: Arc<CommandCounters>) -> Self {
        Self { inner, counters }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.counters.increment(command);
        self.inner.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        for command in pipeline.cmd_iter() {
            self.counters.increment(command);
        }
        self.inner.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}
