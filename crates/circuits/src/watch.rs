//! Events of the circuits, for the dashboard and the commands.
//!
//! This instance knows its own transitions. When another instance has changed a state, the record shows the new state but
//! not the transitions that led to it; those are read from the history. Without watchers all this costs nothing.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use breaker::{ModelKey, Timestamp, Transition, millis};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use crate::{
    shared::Shared,
    store::{CLOCK_TOLERANCE, Store, StoreError},
    watchers::InternalEvent,
};

/// Entries of a history that are read after a change. More do not come between two reads.
const MAX_NEW_ENTRIES: usize = 20;

/// An event of the circuits or their store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CircuitEvent {
    /// A circuit has changed.
    CircuitChanged {
        /// Which.
        key: ModelKey,
        /// Its changes of state, oldest first; none: its counts have changed, or it is gone.
        transitions: Vec<Transition>,
    },
    /// The store was lost, or is back; see [`Circuits::store_status`](crate::Circuits::store_status).
    StoreChanged,
    /// The watcher was too slow and has lost events: read everything.
    Lagged,
}

/// Reads the transitions that were not reported yet from the histories.
#[derive(Debug)]
pub struct HistoryReader {
    since: Timestamp,
    last_reported: HashMap<ModelKey, u64>,
}

impl HistoryReader {
    /// Reports what comes after this time of the store's, and what came just before it: the writers' clocks may be behind
    /// by what the store tolerates.
    #[must_use]
    pub fn new(since: Timestamp) -> Self {
        Self { since: since - CLOCK_TOLERANCE, last_reported: HashMap::new() }
    }

    /// The new entries of a circuit's history, oldest first.
    ///
    /// # Errors
    /// The store could not be read. The entries remain unreported.
    pub async fn read_new(
        &mut self,
        store: &dyn Store,
        key: &ModelKey,
    ) -> Result<Vec<Transition>, StoreError> {
        let mut entries = store.history(key, MAX_NEW_ENTRIES).await?;
        entries.reverse();
        Ok(self.unreported(key, entries))
    }

    /// Those of these transitions, oldest first, that were not reported yet. An epoch is a time, so it shows what is older
    /// than the watch.
    fn unreported(&mut self, key: &ModelKey, mut transitions: Vec<Transition>) -> Vec<Transition> {
        let last = self.last_reported.get(key).copied().unwrap_or(self.since.as_millis());
        transitions.retain(|transition| transition.epoch > last);
        if let Some(newest) = transitions.last() {
            self.last_reported.insert(key.clone(), newest.epoch);
        }
        transitions
    }
}

/// Watches all circuits; see [`Circuits::watch`](crate::Circuits::watch).
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    events: Receiver<InternalEvent>,
    pending: VecDeque<InternalEvent>,
    history: HistoryReader,
    /// Circuits whose history could not be read when it was due.
    pending_history: BTreeSet<ModelKey>,
    /// The clock was synchronized with the store before `history` began.
    clock_synced: bool,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let events = shared.watchers.subscribe();
        let history = HistoryReader::new(shared.clock.now());
        let clock_synced = shared.store_health.is_connected();
        Self {
            shared,
            events,
            pending: VecDeque::new(),
            history,
            pending_history: BTreeSet::new(),
            clock_synced,
        }
    }

    /// Waits for the next event. Cancel safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> CircuitEvent {
        let event = match self.pending.front() {
            Some(event) => event.clone(),
            None => match self.events.recv().await {
                Ok(event) => {
                    self.pending.push_back(event.clone());
                    event
                }
                Err(RecvError::Lagged(_)) => return CircuitEvent::Lagged,
                // `shared` keeps the sender alive.
                Err(RecvError::Closed) => std::future::pending().await,
            },
        };
        let circuit_event = match event {
            InternalEvent::CircuitChanged { key, transitions, changed_elsewhere } => {
                self.on_circuit_changed(key, transitions, changed_elsewhere).await
            }
            InternalEvent::StoreChanged => {
                self.catch_up();
                CircuitEvent::StoreChanged
            }
        };
        self.pending.pop_front();
        circuit_event
    }

    async fn on_circuit_changed(
        &mut self,
        key: ModelKey,
        own: Vec<Transition>,
        changed_elsewhere: bool,
    ) -> CircuitEvent {
        let transitions = if changed_elsewhere {
            let store_timeout = self.shared.timing.store_timeout;
            let read = timeout(store_timeout, self.history.read_new(&*self.shared.store, &key)).await;
            if let Ok(Ok(transitions)) = read {
                transitions
            } else {
                tracing::debug!(circuit = %key, ms = millis(store_timeout), "history not read in time");
                self.pending_history.insert(key.clone());
                Vec::new()
            }
        } else {
            self.history.unreported(&key, own)
        };
        CircuitEvent::CircuitChanged { key, transitions }
    }

    fn catch_up(&mut self) {
        if self.shared.store_health.is_connected() {
            // Until now `history` began by this machine's clock, which may be far off (B7).
            if !std::mem::replace(&mut self.clock_synced, true) {
                self.history = HistoryReader::new(self.shared.clock.now());
            }
            let pending = std::mem::take(&mut self.pending_history).into_iter();
            self.pending.extend(pending.map(|key| InternalEvent::CircuitChanged {
                key,
                transitions: Vec::new(),
                changed_elsewhere: true,
            }));
        }
    }
}
