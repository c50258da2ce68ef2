//! Events of circuits and store, handed to those who watch. It knows neither circuits nor store, so that both can use it.

use std::sync::{Arc, OnceLock};

use breaker::{ModelKey, Transition};
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Events that a slow watcher may have pending before it loses some and learns that it lags.
const EVENT_CHANNEL_CAPACITY: usize = 1_024;

/// An event before the history was read for it.
#[derive(Debug, Clone)]
pub(crate) enum InternalEvent {
    /// A circuit has changed. `transitions` are this instance's own; with `changed_elsewhere` another instance has changed
    /// its state.
    CircuitChanged {
        key: ModelKey,
        transitions: Vec<Transition>,
        changed_elsewhere: bool,
    },
    StoreChanged,
}

/// The watchers, if there are any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers(Arc<OnceLock<Sender<InternalEvent>>>);

impl Watchers {
    pub(crate) fn notify(&self, event: impl FnOnce() -> InternalEvent) {
        if let Some(sender) = self.0.get() {
            // An error means that no watcher is left.
            drop(sender.send(event()));
        }
    }

    pub(crate) fn subscribe(&self) -> Receiver<InternalEvent> {
        self.0.get_or_init(|| channel(EVENT_CHANNEL_CAPACITY).0).subscribe()
    }
}
