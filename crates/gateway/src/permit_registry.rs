//! Permits that were issued to applications which call providers themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::ModelKey;
use circuits::Permit;
use tokio::task::AbortHandle;
use uuid::Uuid;

/// The limit of issued permits.
const MAX_ISSUED: usize = 10_000;

/// The issued permits. One whose outcome is not reported in time expires, and is not counted.
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
    /// Whether the limit is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.permits().len() >= MAX_ISSUED
    }

    /// Issues a permit for this long. Its id cannot be guessed.
    pub(crate) fn issue(self: &Arc<Self>, permit: Permit, lifetime: Duration) -> Uuid {
        let id = Uuid::new_v4();
        let registry = Arc::downgrade(self);
        // Locked until the permit is inserted: even the shortest lifetime must not end before that.
        let mut permits = self.permits();
        let expiry = tokio::spawn(async move {
            tokio::time::sleep(lifetime).await;
            if let Some(registry) = registry.upgrade() {
                let expired = registry.permits().remove(&id);
                drop(expired);
            }
        });
        permits.insert(id, IssuedPermit { permit, expiry: expiry.abort_handle() });
        id
    }

    /// Takes a permit of this circuit back; `None`: it has expired, or was never issued.
    pub(crate) fn redeem(&self, key: &ModelKey, id: Uuid) -> Option<Permit> {
        let mut permits = self.permits();
        if permits.get(&id)?.permit.key() != key {
            return None;
        }
        let IssuedPermit { permit, expiry } = permits.remove(&id)?;
        expiry.abort();
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
    async fn a_permit_expires_or_is_redeemed_once() {
        let circuits = Circuits::in_memory(Policies::default());
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let other: ModelKey = "openai:gpt-6".parse().unwrap();
        let (registry, lifetime) = (Arc::new(PermitRegistry::default()), Duration::from_secs(60));
        let id = registry.issue(circuits.admit(&key).await.unwrap(), lifetime);
        assert!(registry.redeem(&other, id).is_none(), "it is of another circuit");
        assert!(registry.redeem(&key, Uuid::new_v4()).is_none());
        assert!(registry.redeem(&key, id).is_some());
        assert!(registry.redeem(&key, id).is_none(), "twice");
        let id = registry.issue(circuits.admit(&key).await.unwrap(), lifetime);
        tokio::time::sleep(lifetime + Duration::from_millis(1)).await;
        assert!(registry.redeem(&key, id).is_none(), "late");
        assert!(registry.permits().is_empty());
    }

    #[tokio::test]
    async fn the_number_of_issued_permits_is_limited() {
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
