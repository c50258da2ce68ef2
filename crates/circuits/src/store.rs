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
pub const LARGEST_VALUE: usize = 64 * 1024;

/// Word of more keys at once is word of everything: it is read page by page then, instead of one by one.
const MANY_KEYS: usize = 100;

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

/// Where a circuit's history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum History {
    /// It was not asked for.
    Unread,
    /// There is none.
    Absent,
    /// Its last entry came to this state.
    Ends {
        /// The state.
        state: State,
        /// The epoch that came with it; 0 if that is not told.
        epoch: u64,
    },
}

impl History {
    /// Where a history ends that ends with this entry.
    #[must_use]
    pub fn ending(last: Option<&Transition>) -> Self {
        last.map_or(Self::Absent, |entry| Self::Ends { state: entry.to, epoch: entry.epoch })
    }

    /// The state that it is known to end in.
    #[must_use]
    pub const fn state(self) -> Option<State> {
        match self {
            Self::Ends { state, .. } => Some(state),
            Self::Unread | Self::Absent => None,
        }
    }

    /// The epoch that it is known to end in; 0: none.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        match self {
            Self::Ends { epoch, .. } => epoch,
            Self::Unread | Self::Absent => 0,
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
    pub history: History,
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
    pub history: History,
    /// What shall stand there; `None`: nothing.
    pub next: Option<Bytes>,
    /// How long the key shall live; `None`: for ever.
    pub lifetime: Option<Duration>,
    /// What the history shall tell.
    pub entries: Vec<Transition>,
    /// The store's time as the writer believes it to be.
    pub decided_at: Timestamp,
}

impl Write {
    /// Nobody has read where the history ends, from which an entry goes on, and by which a value that somebody brought
    /// back is told from the fleet's own.
    pub(crate) fn lacks_the_history(&self) -> bool {
        self.history == History::Unread
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
