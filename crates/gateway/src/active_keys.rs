//! The keys in force, which a changed configuration replaces while requests are served (Q5).

use std::{net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use per_core::PerCore;
use tokio::sync::watch;

use crate::keys::{Key, Keys};

/// Listening beyond loopback without a key would let anyone on the network call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "listening on {0} needs api_keys, because other machines can reach it: add [keys.NAME] or [server] api_keys, or listen on 127.0.0.1"
)]
pub struct MissingApiKeys(pub SocketAddr);

/// The keys in force. Every request is checked against them anew, also on a connection that was kept alive.
#[derive(Debug)]
pub struct ActiveKeys {
    /// Each core has a copy, since whoever takes a key counts how many have it.
    keys: PerCore<ArcSwap<Keys>>,
    /// The address that is listened on.
    address: SocketAddr,
    changes: watch::Sender<()>,
}

impl ActiveKeys {
    /// Keys for a listener on this address.
    ///
    /// # Errors
    /// When the address is not loopback and there is no key for calls.
    pub fn new(keys: Keys, address: SocketAddr) -> Result<Self, MissingApiKeys> {
        let this = Self { keys: PerCore::default(), address, changes: watch::Sender::new(()) };
        this.replace(keys)?;
        Ok(this)
    }

    /// Whether the keys could replace those in force.
    ///
    /// # Errors
    /// When the listener needs a key for calls and there is none.
    pub fn check(&self, keys: &Keys) -> Result<(), MissingApiKeys> {
        if self.address.ip().is_loopback() || keys.has_api_keys() {
            return Ok(());
        }
        Err(MissingApiKeys(self.address))
    }

    /// Replaces the keys. From now on no request is admitted by another one; requests in flight end as they are, and
    /// streams of events end.
    ///
    /// # Errors
    /// When [`check`](Self::check) fails; those in force are kept.
    #[expect(clippy::needless_pass_by_value, reason = "whoever hands over keys should not keep them")]
    pub fn replace(&self, keys: Keys) -> Result<(), MissingApiKeys> {
        self.check(&keys)?;
        for core in self.keys.iter() {
            core.store(Arc::new(keys.copied()));
        }
        self.changes.send_replace(());
        Ok(())
    }

    /// The keys in force.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Keys>> {
        self.keys.local().load()
    }

    /// Waits until a request with this key (`None`: without one) would be rejected.
    pub(crate) async fn revoked(self: Arc<Self>, key: Option<Arc<Key>>) {
        let mut changes = self.changes.subscribe();
        loop {
            let keys = self.load();
            let admitted = keys.is_empty() || key.as_deref().is_some_and(|key| keys.contains(key));
            drop(keys);
            // The sender lives as long as this does.
            if !admitted || changes.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyDigest, Role};

    fn keys(names: &[&str], role: Role) -> Keys {
        let key = |name: &&str| Key::new(name.parse().unwrap(), KeyDigest::of(name.as_bytes()), role);
        Keys::new(names.iter().map(key).collect()).unwrap()
    }

    #[test]
    fn the_last_key_of_a_listener_that_others_reach_cannot_be_taken_away() {
        let reachable: SocketAddr = "0.0.0.0:4100".parse().unwrap();
        assert!(ActiveKeys::new(Keys::default(), reachable).is_err());
        let active = ActiveKeys::new(keys(&["a"], Role::Caller), reachable).unwrap();
        for none in [Keys::default(), keys(&["admin-1"], Role::Admin)] {
            assert_eq!(active.replace(none), Err(MissingApiKeys(reachable)));
            assert_eq!(**active.load(), keys(&["a"], Role::Caller), "the old ones are kept");
        }
        active.replace(keys(&["b"], Role::Caller)).unwrap();
        assert_eq!(**active.load(), keys(&["b"], Role::Caller));

        let loopback = ActiveKeys::new(keys(&["a"], Role::Caller), "127.0.0.1:1".parse().unwrap()).unwrap();
        assert_eq!(loopback.replace(Keys::default()), Ok(()));
    }

    #[tokio::test]
    async fn a_revoked_key_is_told_at_once() {
        let loopback = "127.0.0.1:1".parse().unwrap();
        let active = Arc::new(ActiveKeys::new(keys(&["a", "b"], Role::Caller), loopback).unwrap());
        let key = Arc::clone(&active.load().identify(&bearer("a")).unwrap().unwrap());
        let revoked = tokio::spawn(Arc::clone(&active).revoked(Some(key)));
        active.replace(keys(&["a", "c"], Role::Caller)).unwrap();
        tokio::task::yield_now().await;
        assert!(!revoked.is_finished(), "it is still there");
        active.replace(keys(&["c"], Role::Caller)).unwrap();
        revoked.await.unwrap();
        active.replace(Keys::default()).unwrap();
        let nobody = tokio::spawn(Arc::clone(&active).revoked(None));
        active.replace(keys(&["first"], Role::Caller)).unwrap();
        nobody.await.unwrap();
    }

    fn bearer(key: &str) -> http::HeaderMap {
        [(http::header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap())].into_iter().collect()
    }
}
