//! Permits that are lent to applications which call providers themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::ModelKey;
use circuits::Permit;
use tokio::task::AbortHandle;
use uuid::Uuid;

/// So many may be out at once.
const MAX_ISSUED: usize = 10_000;

/// The permits that are out. One that is not answered in time ends by itself, and counts as nothing.
#[derive(Debug, Default)]
pub(crate) struct PermitRegistry {
    permits: Mutex<HashMap<Uuid, IssuedPermit>>,
}

#[derive(Debug)]
struct IssuedPermit {
    permit: Permit,
    expiry: AbortHandle,
}

impl PermitRegistry {
    /// Whether no more can be lent.
    pub(crate) fn is_full(&self) -> bool {
        self.permits().len() >= MAX_ISSUED
    }

    /// Lends a permit for so long. Its id cannot be guessed.
    pub(crate) fn issue(self: &Arc<Self>, permit: Permit, lifetime: Duration) -> Uuid {
        let id = Uuid::new_v4();
        let registry = Arc::downgrade(self);
        // Held until the permit is in its place, which it may not miss, however short its time is.
        let mut permits = self.permits();
        let expiry = tokio::spawn(async move {
            tokio::time::sleep(lifetime).await;
            if let Some(lent) = registry.upgrade() {
                let expired = lent.permits().remove(&id);
                drop(expired);
            }
        });
        permits.insert(id, IssuedPermit { permit, expiry: expiry.abort_handle() });
        id
    }

    /// Takes a permit of this circuit back; `None`: it has ended, or was never lent.
    pub(crate) fn redeem(&self, key: &ModelKey, id: Uuid) -> Option<Permit> {
        let mut permits = self.permits();
        if permits.get(&id)?.permit.key() != key {
            return None;
        }
        let IssuedPermit { permit, expiry: end } = permits.remove(&id)?;
        end.abort();
        Some(permit)
    }

    fn permits(&self) -> MutexGuard<'_, HashMap<Uuid, IssuedPermit>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use circuits::{Circuits, Policies};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_permit_ends_by_itself_or_is_taken_once() {
        let circuits = Circuits::in_memory(Policies::default());
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let other: ModelKey = "openai:gpt-6".parse().unwrap();
        let (registry, length) = (Arc::new(PermitRegistry::default()), Duration::from_secs(60));
        let id = registry.issue(circuits.admit(&key).await.unwrap(), length);
        assert!(registry.redeem(&other, id).is_none(), "it is of another circuit");
        assert!(registry.redeem(&key, Uuid::new_v4()).is_none());
        assert!(registry.redeem(&key, id).is_some());
        assert!(registry.redeem(&key, id).is_none(), "twice");
        let id = registry.issue(circuits.admit(&key).await.unwrap(), length);
        tokio::time::sleep(length + Duration::from_millis(1)).await;
        assert!(registry.redeem(&key, id).is_none(), "late");
        assert!(registry.permits().is_empty());
    }

    #[tokio::test]
    async fn only_so_many_are_lent() {
        let circuits = Circuits::in_memory(Policies::default());
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let registry = Arc::new(PermitRegistry::default());
        let mut last = None;
        for _ in 0..MAX_ISSUED {
            assert!(!registry.is_full());
            last = Some(registry.issue(circuits.admit(&key).await.unwrap(), Duration::from_secs(60)));
        }
        assert!(registry.is_full());
        assert!(registry.redeem(&key, last.unwrap()).is_some() && !registry.is_full());
    }
}
