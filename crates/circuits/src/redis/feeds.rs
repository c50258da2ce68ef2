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
    /// One more feed; it begins with word of everything if the store is at hand. That is looked at only once the feed is
    /// among the others: a store that comes meanwhile is told of twice rather than never.
    pub(super) fn add(&self, at_hand: impl FnOnce() -> bool) -> Changes {
        let feed = Changes::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(feed.clone());
        if at_hand() {
            feed.tell(Change::Everything);
        }
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_store_that_comes_while_a_feed_is_added_is_told_of() {
        let feeds = Feeds::default();
        let feed = feeds.add(|| {
            let not_yet = false;
            feeds.hear(Change::Everything);
            not_yet
        });
        assert_eq!(feed.next().now_or_never(), Some(Change::Everything));
    }
}
