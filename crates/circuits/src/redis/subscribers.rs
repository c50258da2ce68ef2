//! The subscribers to changes.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::store::{ChangeNotification, Changes};

/// Receives the changes that a connection reports.
pub(super) trait ChangeSink: fmt::Debug + Send + Sync {
    fn on_change(&self, change: ChangeNotification);
}

/// All subscriptions to a store.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Vec<Changes>>);

impl Subscribers {
    /// Adds a subscription. It begins with [`ChangeNotification::Everything`] if the store is connected. That is checked
    /// after the subscription was added: a store that connects meanwhile is reported twice rather than never.
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
    fn a_store_that_connects_during_a_subscription_is_reported() {
        let subscribers = Subscribers::default();
        let subscription = subscribers.subscribe(|| {
            let not_yet = false;
            subscribers.on_change(ChangeNotification::Everything);
            not_yet
        });
        assert_eq!(subscription.next().now_or_never(), Some(ChangeNotification::Everything));
    }
}
