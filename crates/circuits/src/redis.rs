//! The store in Redis: one key per circuit, one stream per history, one small script for compare-and-set.
//!
//! Changes come by RESP3's `CLIENT TRACKING ON BCAST PREFIX circuit_breaker:` on a connection of its own. It notifies of
//! every writer, Open SWE and `redis-cli` included. A second prefix has the histories, which grow only when a state changes:
//! that tells such a change from a mere count before anything is read.
//!
//! ```text
//!   RedisStore ──▶ servers ──▶ cluster ──▶ node_connection ──▶ sentinel ──▶ error ──▶ connection
//!                     │           │              └──▶ script ──▶ keys
//!                     │           └──▶ slots_view ──▶ slot
//!                     ├──▶ address ──▶ node             subscribers: who gets the changes
//!                     └──▶ replies                      fuzzing: all that is read, over bytes
//!                                                       heartbeats: those of instances, over servers
//! ```

mod address;
mod cluster;
mod connection;
mod error;
pub mod fuzzing;
mod heartbeats;
mod keys;
mod node;
mod node_connection;
mod replies;
mod script;
mod sentinel;
mod servers;
mod slot;
mod slots_view;
mod subscribers;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use breaker::{InstanceId, ModelKey, Timestamp, Transition, millis};
use bytes::Bytes;
use futures_util::{
    future::{BoxFuture, FutureExt as _},
    stream::{StreamExt as _, TryStreamExt as _, iter},
};

pub use address::{RedisAddress, RedisAddressError, RedisDeployment};
pub use cluster::ClusterSurvey;
use connection::CommandCounters;
use keys::{SECRET_KEY, history_key};
pub use node::RedisNode;
use replies::{read_entry, read_history_tail, read_value};
use script::{CircuitCommand, Script};
use servers::Servers;

use crate::store::{
    CLOCK_TOLERANCE, ChangeNotification, Changes, HistoryTail, Listing, Loaded, MAX_VALUE_BYTES, Store,
    StoreError, StoreInfo, Swap, Value, Write,
};

/// About this many entries of a history are kept.
const MAX_HISTORY_ENTRIES: usize = 1_000;

/// A history lives this long after its last entry: longer than its circuit, which distinguishes a DEL from a loss of
/// data (F5).
const HISTORY_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Redis rejects a time that overflows its clock, which an invalid `openedAt` of an external value may cause.
const MAX_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Keys per pipelined read.
const READ_PAGE_SIZE: usize = 500;

/// Concurrent reads of single keys.
const LOAD_CONCURRENCY: usize = 64;

/// The store in Redis.
#[derive(Debug)]
pub struct RedisStore {
    servers: Servers,
    command_counters: Arc<CommandCounters>,
    address: RedisAddress,
    shift: TimeShift,
}

/// Time by which a test advances Redis' clock; zero otherwise.
#[derive(Debug, Clone, Default)]
pub struct TimeShift(Arc<AtomicI64>);

impl TimeShift {
    /// Advances the clock.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(millis(duration)).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// By how much it was advanced, in ms.
    #[must_use]
    pub fn millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl RedisStore {
    /// Starts to connect, and retries for as long as the store lives. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(address: RedisAddress) -> Self {
        Self::start_shifted(address, TimeShift::default())
    }

    /// The same, with a clock that a test advances.
    #[must_use]
    pub fn start_shifted(address: RedisAddress, shift: TimeShift) -> Self {
        let command_counters: Arc<CommandCounters> = Arc::default();
        Self {
            servers: Servers::start(address.deployment(), &command_counters),
            command_counters,
            address,
            shift,
        }
    }

    /// Waits for the first connection.
    ///
    /// # Errors
    /// It could not be made.
    pub async fn wait_connected(&self) -> Result<(), StoreError> {
        let subscription = self.servers.subscribe();
        loop {
            match subscription.next().await {
                ChangeNotification::Everything => return Ok(()),
                ChangeNotification::Lost(error) => return Err(error),
                ChangeNotification::Key(_) | ChangeNotification::State(_) => {}
            }
        }
    }

    async fn load_now(&self, key: &ModelKey) -> Result<Loaded, StoreError> {
        let call = Script::Load.command_for(key, |call| {
            call.arg(self.shift.millis()).arg(MAX_VALUE_BYTES);
        });
        let (time, history, kind, text): (u64, String, String, Bytes) =
            self.servers.execute(key, &call).await?;
        let (value, history) = (read_value(&kind, text), read_history_tail(&history));
        Ok(Loaded { value, history_tail: history, time: Timestamp::from_millis(time) })
    }

    async fn list(&self, known: &[ModelKey], discover: bool) -> Result<Listing, StoreError> {
        let mut keys = known.to_vec();
        if discover {
            keys.extend(self.servers.scan_keys().await?);
            keys.sort_unstable();
            keys.dedup();
        }
        let mut values = Vec::with_capacity(keys.len());
        let mut others = Vec::new();
        for page in keys.chunks(READ_PAGE_SIZE) {
            for (key, text) in page.iter().zip(self.servers.get_texts(page).await?) {
                match text {
                    Some(text) => values.push((key.clone(), Value::Text(text))),
                    None => others.push(key.clone()),
                }
            }
        }
        let others = iter(others).map(|key| async move {
            let value = self.load_now(&key).await?.value;
            Ok::<_, StoreError>((key, value))
        });
        values.extend(others.buffered(LOAD_CONCURRENCY).try_collect::<Vec<_>>().await?);
        let now = self.servers.time().await?;
        let time = Timestamp::from_millis(now.as_millis().saturating_add_signed(self.shift.millis()));
        Ok(Listing { values, time })
    }

    async fn swap(&self, key: &ModelKey, write: &Write) -> Result<Swap, StoreError> {
        let call = Script::CompareAndSet.command_for(key, |call| self.add_swap_args(call, write));
        let (outcome, time, history, kind, text): (String, u64, String, String, Bytes) =
            self.servers.execute(key, &call).await?;
        let time = Timestamp::from_millis(time);
        match outcome.as_str() {
            "done" => Ok(Swap::Done { time }),
            "clock" => Ok(Swap::ClockSkew { time }),
            _ => {
                let (value, history) = (read_value(&kind, text), read_history_tail(&history));
                Ok(Swap::Changed(Loaded { value, history_tail: history, time }))
            }
        }
    }

    fn add_swap_args(&self, call: &mut ::redis::Cmd, write: &Write) {
        call.arg(self.shift.millis()).arg(MAX_VALUE_BYTES);
        match &write.expected {
            // A key of another type is never overwritten: the script finds something else than it expects.
            Value::Absent | Value::WrongType(_) => call.arg("absent").arg(""),
            Value::Text(text) => call.arg("text").arg(&text[..]),
            Value::Oversized { digest, .. } => call.arg("digest").arg(digest),
        };
        match write.history_tail {
            // No history ends like this.
            HistoryTail::NotLoaded => call.arg("unread"),
            HistoryTail::Absent => call.arg(""),
            HistoryTail::At { state, epoch } => call.arg(format!("{state} {epoch}")),
        };
        match &write.new_value {
            Some(text) => call.arg("put").arg(&text[..]),
            None => call.arg("delete").arg(""),
        };
        call.arg(write.ttl.map_or(0, |lifetime| millis(lifetime.min(MAX_TTL))))
            .arg(write.decided_at.as_millis())
            .arg(millis(CLOCK_TOLERANCE))
            .arg(MAX_HISTORY_ENTRIES)
            .arg(millis(HISTORY_TTL));
        for entry in &write.entries {
            let reason = serde_json::to_string(&entry.reason).unwrap_or_default();
            call.arg(entry.from.as_str()).arg(entry.to.as_str()).arg(entry.epoch).arg(reason);
            call.arg(entry.instance.as_str()).arg(entry.at.as_millis());
        }
    }

    /// Two commands: before Redis 7 none does both.
    async fn exchange_secret(&self, secret: &Bytes) -> Result<Bytes, StoreError> {
        let mut set = ::redis::cmd("SET");
        set.arg(SECRET_KEY).arg(&secret[..]).arg("NX");
        let _: Option<String> = self.servers.execute_at(SECRET_KEY, &CircuitCommand::plain(set)).await?;
        let mut get = ::redis::cmd("GET");
        get.arg(SECRET_KEY);
        let shared: Option<Bytes> = self.servers.execute_at(SECRET_KEY, &CircuitCommand::plain(get)).await?;
        Ok(shared.unwrap_or_else(|| secret.clone()))
    }

    async fn read_entries(&self, key: &ModelKey, limit: usize) -> Result<Vec<Transition>, StoreError> {
        let mut read = ::redis::cmd("XREVRANGE");
        read.arg(history_key(key)).arg("+").arg("-").arg("COUNT").arg(limit);
        let entries: Vec<(String, Vec<String>)> =
            self.servers.execute(key, &CircuitCommand::plain(read)).await?;
        Ok(entries.iter().filter_map(|(_, fields)| read_entry(fields)).collect())
    }
}

impl Store for RedisStore {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.load_now(key).boxed()
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.list(known, discover).boxed()
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        self.swap(key, write).boxed()
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        self.read_entries(key, limit).boxed()
    }

    fn share_secret(&self, secret: Bytes) -> BoxFuture<'_, Result<Bytes, StoreError>> {
        async move { self.exchange_secret(&secret).await }.boxed()
    }

    fn set_heartbeat<'a>(
        &'a self,
        instance: &'a InstanceId,
        heartbeat: Option<Bytes>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        heartbeats::set(&self.servers, instance, heartbeat, now).boxed()
    }

    fn heartbeats(&self) -> BoxFuture<'_, Result<Vec<(InstanceId, Bytes)>, StoreError>> {
        heartbeats::read(&self.servers).boxed()
    }

    fn changes(&self) -> Changes {
        self.servers.subscribe()
    }

    fn command_counts(&self) -> Vec<(&'static str, u64)> {
        self.command_counters.snapshot()
    }

    fn info(&self) -> StoreInfo {
        StoreInfo { kind: "redis", address: self.address.to_string() }
    }
}
