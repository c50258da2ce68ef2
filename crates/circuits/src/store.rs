//! What a store of circuits can do: a cell per key with compare-and-set, a history, and word of changes.
//!
//! A store decides nothing. It compares bytes, and it refuses a decision that was made by a clock too far from its
//! own (B7).

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
pub const LARGEST_VALUE: usize = 64 * 1024;

/// Word of more keys at once is word of everything: it is read page by page then, instead of one by one.
const MANY_KEYS: usize = 100;

/// A place where circuits are kept.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads one circuit.
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>>;

    /// Reads all of these, and with `discover` also every other circuit that the store has. Whether a history stands
    /// is not told. The time is the store's.
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
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>>;

    /// Where to hear of changes. Every call gives a feed of its own.
    fn changes(&self) -> Changes;

    /// Commands that were sent to it, by name: at most a dozen names. None where there are no such things.
    fn commands(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// What it is and where, for people; without secrets.
    fn place(&self) -> Place;
}

/// What a store is and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
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
    OtherType(String),
}

/// A circuit as it was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What stands under the key.
    pub value: Value,
    /// The state that its history ends in; `None`: it has no history. So a DEL is told from a loss of data (F5).
    pub history: Option<State>,
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
    /// What shall stand there; `None`: nothing.
    pub next: Option<Bytes>,
    /// How long the key shall live; `None`: for ever.
    pub lifetime: Option<Duration>,
    /// What the history shall tell.
    pub entries: Vec<Transition>,
    /// The store's time as the writer believes it to be.
    pub decided_at: Timestamp,
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
    ClockAway {
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
    Silent(Duration),
    /// It answered that it will not.
    #[error("the store refused: {0}")]
    Refused(String),
}

/// Word of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This key changed, whoever wrote it.
    Key(ModelKey),
    /// Anything may have changed: the store was emptied, or the connection is new.
    Everything,
    /// The connection is lost; a later [`Change::Everything`] tells that it is back.
    Lost(StoreError),
}

/// Word of changes, folded: however many come before it is read, each key is told once.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<Feed>);

#[derive(Debug, Default)]
struct Feed {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    keys: BTreeSet<ModelKey>,
    everything: bool,
    lost: Option<StoreError>,
}

impl Changes {
    /// Adds word of a change.
    pub fn tell(&self, change: Change) {
        {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            match change {
                Change::Key(key) => {
                    waiting.keys.insert(key);
                    if waiting.keys.len() > MANY_KEYS {
                        waiting.keys.clear();
                        waiting.everything = true;
                    }
                }
                Change::Everything => {
                    waiting.everything = true;
                    waiting.lost = None;
                    waiting.keys.clear();
                }
                Change::Lost(error) => {
                    waiting.lost = Some(error);
                    waiting.everything = false;
                }
            }
        }
        self.0.bell.notify_one();
    }

    /// Waits for the next.
    pub async fn next(&self) -> Change {
        loop {
            if let Some(change) = self.take() {
                return change;
            }
            self.0.bell.notified().await;
        }
    }

    fn take(&self) -> Option<Change> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = waiting.lost.take() {
            return Some(Change::Lost(error));
        }
        if std::mem::take(&mut waiting.everything) {
            return Some(Change::Everything);
        }
        waiting.keys.pop_first().map(Change::Key)
    }
}
