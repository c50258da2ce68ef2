//! Who hears of changes.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::store::{ChangeNotification, Changes};

/// Takes in what a line has to say.
pub(super) trait ChangeSink: fmt::Debug + Send + Sync {
    fn on_change(&self, change: ChangeNotification);
}

/// All feeds of a store.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Vec<Changes>>);

impl Subscribers {
    /// One more feed; it begins with word of everything if the store is at hand. That is looked at only once the feed is
    /// among the others: a store that comes meanwhile is told of twice rather than never.
    pub(super) fn subscribe(&self, is_connected: impl FnOnce() -> bool) -> Changes {
        let subscription = Changes::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(subscription.clone());
        if is_connected() {
            subscription.publish(ChangeNotification::Everything);
        }
        subscription
    }
}

impl ChangeSink for Subscribers {
    fn on_change(&self, change: ChangeNotification) {
        for subscription in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            subscription.publish(change.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_store_that_comes_while_a_feed_is_added_is_told_of() {
        let subscribers = Subscribers::default();
        let subscription = subscribers.subscribe(|| {
            let not_yet = false;
            subscribers.on_change(ChangeNotification::Everything);
            not_yet
        });
        assert_eq!(subscription.next().now_or_never(), Some(ChangeNotification::Everything));
    }
}
