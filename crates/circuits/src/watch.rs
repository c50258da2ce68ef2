//! Word of what becomes of the circuits, for whoever shows them.
//!
//! What this instance decides it knows at once. That another has changed a state is seen in the record, but not by which
//! steps: those are in the history, which is read for it. Where nobody watches none of this costs anything.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, OnceLock},
};

use breaker::{ModelKey, Timestamp, Transition, millis};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::timeout,
};

use crate::{
    circuits::Circuits,
    link::LinkState,
    store::{CLOCK_TOLERANCE, Store, StoreError},
};

/// So much may wait for a watcher before some of it is lost to it, which it is told.
const WAITING: usize = 1_024;

/// So many entries of a history are looked at after a change; more do not come between two looks.
const NEWEST: usize = 20;

/// What has become of the circuits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A circuit is not as it was.
    Circuit {
        /// Which.
        key: ModelKey,
        /// Its changes of state, oldest first; none: its counts have changed, or it is gone.
        transitions: Vec<Transition>,
    },
    /// The store was lost, or is back; see [`Circuits::link`].
    Store,
    /// More has come than is kept for a slow watcher: look at everything.
    Missed,
}

#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// A circuit is not as it was. `transitions`: this instance's own; `moved`: others have changed its state.
    Circuit {
        key: ModelKey,
        transitions: Vec<Transition>,
        moved: bool,
    },
    Store,
}

/// Those who watch, if anybody does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers(Arc<OnceLock<broadcast::Sender<Notice>>>);

impl Watchers {
    pub(crate) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if let Some(sender) = self.0.get() {
            // An error means that nobody watches any more.
            drop(sender.send(notice()));
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.get_or_init(|| broadcast::channel(WAITING).0).subscribe()
    }
}

/// The transitions of circuits that were not told yet, as their histories have them.
#[derive(Debug)]
pub struct HistoryReader {
    since: Timestamp,
    told: HashMap<ModelKey, u64>,
}

impl HistoryReader {
    /// Tells what comes after this time of the store's, and what came just before it: the clocks of those who write may
    /// be behind by what the store tolerates.
    #[must_use]
    pub fn new(since: Timestamp) -> Self {
        Self { since: since - CLOCK_TOLERANCE, told: HashMap::new() }
    }

    /// What has come to a circuit's history since it was last asked for, oldest first.
    ///
    /// # Errors
    /// The store could not be read. Nothing is taken for told.
    pub async fn news(&mut self, store: &dyn Store, key: &ModelKey) -> Result<Vec<Transition>, StoreError> {
        let mut entries = store.history(key, NEWEST).await?;
        entries.reverse();
        Ok(self.untold(key, entries))
    }

    /// Those of these transitions, oldest first, that were not told yet. An epoch is a time, so it tells at once what is
    /// older than the watch.
    fn untold(&mut self, key: &ModelKey, mut transitions: Vec<Transition>) -> Vec<Transition> {
        let last = self.told.get(key).copied().unwrap_or(self.since.as_millis());
        transitions.retain(|transition| transition.epoch > last);
        if let Some(newest) = transitions.last() {
            self.told.insert(key.clone(), newest.epoch);
        }
        transitions
    }
}

/// Watches all circuits; see [`Circuits::watch`].
#[derive(Debug)]
pub struct Watch {
    circuits: Circuits,
    notices: broadcast::Receiver<Notice>,
    waiting: VecDeque<Notice>,
    history: HistoryReader,
    /// Circuits whose history could not be read when it was due.
    behind: BTreeSet<ModelKey>,
}

impl Watch {
    pub(crate) fn new(circuits: Circuits, watchers: &Watchers) -> Self {
        let notices = watchers.subscribe();
        let history = HistoryReader::new(circuits.now());
        Self { circuits, notices, waiting: VecDeque::new(), history, behind: BTreeSet::new() }
    }

    /// Waits for the next. What is waited for is not lost if the waiting is given up.
    pub async fn next(&mut self) -> News {
        let notice = match self.waiting.front() {
            Some(notice) => notice.clone(),
            None => match self.notices.recv().await {
                Ok(notice) => {
                    self.waiting.push_back(notice.clone());
                    notice
                }
                Err(RecvError::Lagged(_)) => return News::Missed,
                // The circuits live as long as this holds them.
                Err(RecvError::Closed) => std::future::pending().await,
            },
        };
        let news = match notice {
            Notice::Circuit { key, transitions, moved } => self.circuit(key, transitions, moved).await,
            Notice::Store => {
                self.catch_up();
                News::Store
            }
        };
        self.waiting.pop_front();
        news
    }

    async fn circuit(&mut self, key: ModelKey, own: Vec<Transition>, moved: bool) -> News {
        let transitions = if moved {
            let patience = self.circuits.patience();
            let told = timeout(patience, self.history.news(self.circuits.store(), &key)).await;
            if let Ok(Ok(transitions)) = told {
                transitions
            } else {
                tracing::debug!(circuit = %key, ms = millis(patience), "the history could not be read in time");
                self.behind.insert(key.clone());
                Vec::new()
            }
        } else {
            self.history.untold(&key, own)
        };
        News::Circuit { key, transitions }
    }

    fn catch_up(&mut self) {
        if self.circuits.link() == LinkState::Connected {
            let behind = std::mem::take(&mut self.behind).into_iter();
            self.waiting.extend(behind.map(|key| Notice::Circuit {
                key,
                transitions: Vec::new(),
                moved: true,
            }));
        }
    }
}
