//! Word of what becomes of the circuits, for whoever shows them.
//!
//! What this instance decides it knows at once. That another has changed a state is seen in the record, but not by which
//! steps: those are in the history, which is read for it. Where nobody watches none of this costs anything.

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

/// So many entries of a history are looked at after a change; more do not come between two looks.
const MAX_NEW_ENTRIES: usize = 20;

/// What has become of the circuits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CircuitEvent {
    /// A circuit is not as it was.
    CircuitChanged {
        /// Which.
        key: ModelKey,
        /// Its changes of state, oldest first; none: its counts have changed, or it is gone.
        transitions: Vec<Transition>,
    },
    /// The store was lost, or is back; see [`Circuits::link`].
    StoreChanged,
    /// More has come than is kept for a slow watcher: look at everything.
    Lagged,
}

/// The transitions of circuits that were not told yet, as their histories have them.
#[derive(Debug)]
pub struct HistoryReader {
    since: Timestamp,
    last_reported: HashMap<ModelKey, u64>,
}

impl HistoryReader {
    /// Tells what comes after this time of the store's, and what came just before it: the clocks of those who write may
    /// be behind by what the store tolerates.
    #[must_use]
    pub fn new(since: Timestamp) -> Self {
        Self { since: since - CLOCK_TOLERANCE, last_reported: HashMap::new() }
    }

    /// What has come to a circuit's history since it was last asked for, oldest first.
    ///
    /// # Errors
    /// The store could not be read. Nothing is taken for told.
    pub async fn read_new(
        &mut self,
        store: &dyn Store,
        key: &ModelKey,
    ) -> Result<Vec<Transition>, StoreError> {
        let mut entries = store.history(key, MAX_NEW_ENTRIES).await?;
        entries.reverse();
        Ok(self.unreported(key, entries))
    }

    /// Those of these transitions, oldest first, that were not told yet. An epoch is a time, so it tells at once what is
    /// older than the watch.
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
    /// The store's time was heard before the history was begun to be told.
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

    /// Waits for the next. What is waited for is not lost if the waiting is given up.
    pub async fn next(&mut self) -> CircuitEvent {
        let event = match self.pending.front() {
            Some(event) => event.clone(),
            None => match self.events.recv().await {
                Ok(event) => {
                    self.pending.push_back(event.clone());
                    event
                }
                Err(RecvError::Lagged(_)) => return CircuitEvent::Lagged,
                // The circuits live as long as this holds them.
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
                tracing::debug!(circuit = %key, ms = millis(store_timeout), "the history could not be read in time");
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
            // Until then this machine's clock had it, which may be far off (B7).
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
