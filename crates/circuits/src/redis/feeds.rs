//! Who hears of changes.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::store::{Change, Changes};

/// Takes in what a line has to say.
pub(super) trait Hear: fmt::Debug + Send + Sync {
    fn hear(&self, change: Change);
}

/// All feeds of a store.
#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<Vec<Changes>>);

impl Feeds {
    /// One more feed; it begins with word of everything if the store is at hand.
    pub(super) fn add(&self, at_hand: bool) -> Changes {
        let feed = Changes::default();
        if at_hand {
            feed.tell(Change::Everything);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(feed.clone());
        feed
    }
}

impl Hear for Feeds {
    fn hear(&self, change: Change) {
        for feed in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            feed.tell(change.clone());
        }
    }
}
