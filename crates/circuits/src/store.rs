//! What a store of circuits can do: a value per key with compare-and-set, a history, and change notifications.
//!
//! A store decides nothing. It compares bytes and the end of the history, and it rejects a decision that was made by a
//! clock too far from its own (B7).

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use breaker::{InstanceId, MAX_EPOCH, ModelKey, State, Timestamp, Transition};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// The store rejects a decision that was made further than this from its own time.
pub const CLOCK_TOLERANCE: Duration = Duration::from_millis(100);

/// The interval of heartbeats.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);

/// A larger value is not read but identified by its digest: no circuit is that large.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// With more keys pending, everything counts as changed: it is then read page by page instead of key by key.
const MAX_PENDING_KEYS: usize = 100;

/// A place where circuits are kept.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads one circuit.
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>>;

    /// Reads all of these, and with `discover` also every other circuit in the store. Histories are not read. The time is
    /// the store's.
    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>>;

    /// Writes one circuit and its history atomically, if both still are what is expected.
    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>>;

    /// The last entries of a circuit's history, newest first.
    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>>;

    /// The secret that all instances of the store share (B12): this one, if there was none. A store without others keeps it.
    fn share_secret(&self, secret: Bytes) -> BoxFuture<'_, Result<Bytes, StoreError>> {
        Box::pin(std::future::ready(Ok(secret)))
    }

    /// Keeps an instance's heartbeat for three times [`HEARTBEAT_INTERVAL`], or deletes it (`None`). The time is the store's.
    /// A store of one process keeps none.
    fn set_heartbeat<'a>(
        &'a self,
        _instance: &'a InstanceId,
        _heartbeat: Option<Bytes>,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The heartbeats that it keeps.
    fn heartbeats(&self) -> BoxFuture<'_, Result<Vec<(InstanceId, Bytes)>, StoreError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Subscribes to changes. Every call returns a subscription of its own.
    fn changes(&self) -> Changes;

    /// Commands that were sent to it, by name: at most a dozen names. Empty for a store without commands.
    fn command_counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// What it is and where, to be shown; without secrets.
    fn info(&self) -> StoreInfo;
}

/// What a store is and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// `redis` or `memory`.
    pub kind: &'static str,
    /// Its address, without secrets.
    pub address: String,
}

/// The value under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Absent,
    /// A string.
    Text(Bytes),
    /// A string larger than [`MAX_VALUE_BYTES`], identified by its digest.
    Oversized {
        /// Of its length and its ends.
        digest: String,
    },
    /// Not a string but this type. It is never overwritten.
    WrongType(String),
}

/// Where a circuit's history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryTail {
    /// It was not read.
    NotLoaded,
    /// There is no history.
    Absent,
    /// Its last entry is a transition to this state.
    At {
        /// The state.
        state: State,
        /// The epoch of that entry; 0 if it has none.
        epoch: u64,
    },
}

impl HistoryTail {
    /// The end of a history with this last entry.
    #[must_use]
    pub fn from_last(last: Option<&Transition>) -> Self {
        last.map_or(Self::Absent, |entry| Self::At { state: entry.to, epoch: entry.epoch })
    }

    /// The state that it is known to end in.
    #[must_use]
    pub const fn state(self) -> Option<State> {
        match self {
            Self::At { state, .. } => Some(state),
            Self::NotLoaded | Self::Absent => None,
        }
    }

    /// The epoch that it is known to end in; 0: none, or one that makes no sense, which no other could follow.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        match self {
            Self::At { epoch, .. } if epoch <= MAX_EPOCH => epoch,
            Self::At { .. } | Self::NotLoaded | Self::Absent => 0,
        }
    }
}

/// A circuit as it was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The value under the key.
    pub value: Value,
    /// Where its history ends. That distinguishes a DEL from a loss of data (F5), and an old value that somebody has written
    /// back from one that was there all the time.
    pub history_tail: HistoryTail,
    /// The store's time.
    pub time: Timestamp,
}

/// Circuits as they were read together.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Every key requested or found, with its value.
    pub values: Vec<(ModelKey, Value)>,
    /// The store's time.
    pub time: Timestamp,
}

/// A write that happens only if nothing has changed.
#[derive(Debug, Clone)]
pub struct Write {
    /// The value that must be there.
    pub expected: Value,
    /// Where its history must end, as the same bytes may come back with another history. [`HistoryTail::NotLoaded`] never
    /// matches.
    pub history_tail: HistoryTail,
    /// The new value; `None`: delete.
    pub new_value: Option<Bytes>,
    /// How long the key is to live; `None`: it does not expire.
    pub ttl: Option<Duration>,
    /// Entries to append to the history.
    pub entries: Vec<Transition>,
    /// The store's time according to the writer.
    pub decided_at: Timestamp,
}

impl Write {
    /// The end of the history was not read. An entry continues from it, and it distinguishes an old value that somebody has
    /// written back from the fleet's own.
    pub(crate) fn history_not_loaded(&self) -> bool {
        self.history_tail == HistoryTail::NotLoaded
    }
}

/// What came of a write.
#[derive(Debug, Clone)]
pub enum Swap {
    /// It was done.
    Done {
        /// The store's time.
        time: Timestamp,
    },
    /// The value or the history is not as expected.
    Changed(Loaded),
    /// The writer's clock is more than [`CLOCK_TOLERANCE`] off; nothing was written.
    ClockSkew {
        /// The store's time.
        time: Timestamp,
    },
}

/// Why a store did not execute a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection to it.
    #[error("no connection to the store: {0}")]
    Unreachable(String),
    /// It did not respond in time.
    #[error("the store did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It responded with an error.
    #[error("the store refused: {0}")]
    Rejected(String),
}

/// A change notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeNotification {
    /// This key changed, whoever wrote it.
    Key(ModelKey),
    /// The state of this circuit changed: its history grew. [`Self::Key`] may come for the same change, too.
    State(ModelKey),
    /// Anything may have changed: the store was emptied, or the connection is new.
    Everything,
    /// The connection is lost; a later [`Self::Everything`] says that it is back.
    Lost(StoreError),
}

/// A subscription to changes. However often a key changes before it is read, it is reported once, and a change of state
/// before any other.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<ChangeQueue>);

#[derive(Debug, Default)]
struct ChangeQueue {
    pending: Mutex<PendingChanges>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct PendingChanges {
    keys: BTreeSet<ModelKey>,
    states: BTreeSet<ModelKey>,
    everything: bool,
    lost: Option<StoreError>,
}

impl Changes {
    /// Adds a change.
    pub fn publish(&self, change: ChangeNotification) {
        {
            let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
            match change {
                ChangeNotification::Key(key) => _ = pending.keys.insert(key),
                ChangeNotification::State(key) => _ = pending.states.insert(key),
                ChangeNotification::Everything => {
                    pending.lost = None;
                    pending.replace_keys();
                }
                ChangeNotification::Lost(error) => {
                    pending.lost = Some(error);
                    pending.everything = false;
                }
            }
            if pending.keys.len() + pending.states.len() > MAX_PENDING_KEYS {
                pending.replace_keys();
            }
        }
        self.0.notify.notify_one();
    }

    /// Waits for the next change.
    pub async fn next(&self) -> ChangeNotification {
        loop {
            if let Some(change) = self.try_next() {
                return change;
            }
            self.0.notify.notified().await;
        }
    }

    fn try_next(&self) -> Option<ChangeNotification> {
        let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = pending.lost.take() {
            return Some(ChangeNotification::Lost(error));
        }
        if std::mem::take(&mut pending.everything) {
            return Some(ChangeNotification::Everything);
        }
        if let Some(key) = pending.states.pop_first() {
            pending.keys.remove(&key);
            return Some(ChangeNotification::State(key));
        }
        pending.keys.pop_first().map(ChangeNotification::Key)
    }
}

impl PendingChanges {
    /// Everything counts as changed.
    fn replace_keys(&mut self) {
        self.keys.clear();
        self.states.clear();
        self.everything = true;
    }
}
