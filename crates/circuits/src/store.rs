//! What a store of circuits can do: a cell per key with compare-and-set, a history, and word of changes.
//!
//! A store decides nothing. It compares bytes and where the history ends, and it refuses a decision that was made by a
//! clock too far from its own (B7).

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use breaker::{ModelKey, State, Timestamp, Transition};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// The store refuses a decision that was made so far from its own time.
pub const CLOCK_TOLERANCE: Duration = Duration::from_millis(100);

/// A larger value is not read, only told apart by its digest: no circuit is that large.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Word of more keys at once is word of everything: it is read page by page then, instead of one by one.
const MAX_PENDING_KEYS: usize = 100;

/// A place where circuits are kept.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads one circuit.
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>>;

    /// Reads all of these, and with `discover` also every other circuit that the store has. Histories are not
    /// told of. The time is the store's.
    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>>;

    /// Writes one circuit and its history in one step, if it still holds what is expected.
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

    /// Where to hear of changes. Every call gives a feed of its own.
    fn changes(&self) -> Changes;

    /// Commands that were sent to it, by name: at most a dozen names. None where there are no such things.
    fn command_counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// What it is and where, for people; without secrets.
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

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Absent,
    /// A string.
    Text(Bytes),
    /// A string larger than [`LARGEST_VALUE`], told by its digest alone.
    Oversized {
        /// Of its length and its ends.
        digest: String,
    },
    /// Something that is no string: its type. Left alone.
    WrongType(String),
}

/// Where a circuit's history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryTail {
    /// It was not asked for.
    NotLoaded,
    /// There is none.
    Absent,
    /// Its last entry came to this state.
    At {
        /// The state.
        state: State,
        /// The epoch that came with it; 0 if that is not told.
        epoch: u64,
    },
}

impl HistoryTail {
    /// Where a history ends that ends with this entry.
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

    /// The epoch that it is known to end in; 0: none.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        match self {
            Self::At { epoch, .. } => epoch,
            Self::NotLoaded | Self::Absent => 0,
        }
    }
}

/// A circuit as it was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What stands under the key.
    pub value: Value,
    /// Where its history ends. So a DEL is told from a loss of data (F5), and what a stranger brought back from what
    /// stood there all the time.
    pub history_tail: HistoryTail,
    /// The store's time.
    pub time: Timestamp,
}

/// Circuits as they were read together.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Every key asked for or found, and what stands under it.
    pub values: Vec<(ModelKey, Value)>,
    /// The store's time.
    pub time: Timestamp,
}

/// A write that happens only if nothing has changed.
#[derive(Debug, Clone)]
pub struct Write {
    /// What must stand there.
    pub expected: Value,
    /// Where its history must end, as the same bytes may come back with another one. One that was not read is none that stands.
    pub history_tail: HistoryTail,
    /// What shall stand there; `None`: nothing.
    pub new_value: Option<Bytes>,
    /// How long the key shall live; `None`: for ever.
    pub ttl: Option<Duration>,
    /// What the history shall tell.
    pub entries: Vec<Transition>,
    /// The store's time as the writer believes it to be.
    pub decided_at: Timestamp,
}

impl Write {
    /// Nobody has read where the history ends, from which an entry goes on, and by which a value that somebody brought
    /// back is told from the fleet's own.
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
    /// Something else stands there.
    Changed(Loaded),
    /// The writer's clock is more than [`CLOCK_TOLERANCE`] off; nothing was written.
    ClockSkew {
        /// The store's time.
        time: Timestamp,
    },
}

/// Why a store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no connection to it.
    #[error("no connection to the store: {0}")]
    Unreachable(String),
    /// It did not answer in time.
    #[error("the store did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It answered that it will not.
    #[error("the store refused: {0}")]
    Rejected(String),
}

/// Word of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeNotification {
    /// This key changed, whoever wrote it.
    Key(ModelKey),
    /// Anything may have changed: the store was emptied, or the connection is new.
    Everything,
    /// The connection is lost; a later [`Change::Everything`] tells that it is back.
    Lost(StoreError),
}

/// Word of changes, folded: however many come before it is read, each key is told once.
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
    everything: bool,
    lost: Option<StoreError>,
}

impl Changes {
    /// Adds word of a change.
    pub fn publish(&self, change: ChangeNotification) {
        {
            let mut pending = self.0.pending.lock().unwrap_or_else(PoisonError::into_inner);
            match change {
                ChangeNotification::Key(key) => {
                    pending.keys.insert(key);
                    if pending.keys.len() > MAX_PENDING_KEYS {
                        pending.keys.clear();
                        pending.everything = true;
                    }
                }
                ChangeNotification::Everything => {
                    pending.everything = true;
                    pending.lost = None;
                    pending.keys.clear();
                }
                ChangeNotification::Lost(error) => {
                    pending.lost = Some(error);
                    pending.everything = false;
                }
            }
        }
        self.0.notify.notify_one();
    }

    /// Waits for the next.
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
        pending.keys.pop_first().map(ChangeNotification::Key)
    }
}
