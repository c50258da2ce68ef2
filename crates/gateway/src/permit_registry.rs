//! Permits that were issued to applications which call providers themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{CallerName, ModelKey};
use circuits::Permit;
use tokio::{task::AbortHandle, time::Instant};
use uuid::Uuid;

/// The limit of issued permits.
const MAX_ISSUED: usize = 10_000;

/// The limit of those of one key, so that it leaves as many to the others (Q6).
const MAX_ISSUED_BY_CALLER: usize = MAX_ISSUED / 2;

/// The issued permits. One whose outcome is not reported in time expires, and is not counted.
#[derive(Debug, Default)]
pub(crate) struct PermitRegistry {
    permits: Mutex<HashMap<Uuid, IssuedPermit>>,
    slots: Arc<Mutex<SlotCounts>>,
}

#[derive(Debug)]
struct IssuedPermit {
    permit: Permit,
    expiry: AbortHandle,
    expires_at: Instant,
    _slot: PermitSlot,
}

/// How many permits are issued, or about to be.
#[derive(Debug, Default)]
struct SlotCounts {
    all: usize,
    /// Callers without a permit are not in it.
    by_caller: HashMap<CallerName, usize>,
}

/// Why no permit is issued to a caller at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooManyPermits {
    #[error(
        "this key holds {MAX_ISSUED_BY_CALLER} permits without an outcome, the most that one key may hold"
    )]
    OfThisCaller,
    #[error(
        "all callers together hold {MAX_ISSUED} permits without an outcome, the most that an instance issues"
    )]
    OfAllCallers,
}

/// The room for one permit of a caller, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct PermitSlot {
    slots: Arc<Mutex<SlotCounts>>,
    caller: Option<CallerName>,
}

impl Drop for PermitSlot {
    fn drop(&mut self) {
        let mut slots = lock(&self.slots);
        slots.all = slots.all.saturating_sub(1);
        if let Some(caller) = &self.caller
            && let Some(count) = slots.by_caller.get_mut(caller)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                slots.by_caller.remove(caller);
            }
        }
    }
}

impl PermitRegistry {
    /// Takes the room for one permit, before the circuit is asked for it.
    pub(crate) fn reserve(&self, caller: Option<CallerName>) -> Result<PermitSlot, TooManyPermits> {
        let mut slots = lock(&self.slots);
        if slots.all >= MAX_ISSUED {
            return Err(TooManyPermits::OfAllCallers);
        }
        if let Some(caller) = &caller {
            let count = slots.by_caller.entry(caller.clone()).or_default();
            if *count >= MAX_ISSUED_BY_CALLER {
                return Err(TooManyPermits::OfThisCaller);
            }
            *count += 1;
        }
        slots.all += 1;
        drop(slots);
        Ok(PermitSlot { slots: Arc::clone(&self.slots), caller })
    }

    /// Issues a permit for this long. Its id cannot be guessed.
    pub(crate) fn issue(self: &Arc<Self>, slot: PermitSlot, permit: Permit, lifetime: Duration) -> Uuid {
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
        let (expiry, expires_at) = (expiry.abort_handle(), Instant::now() + lifetime);
        permits.insert(id, IssuedPermit { permit, expiry, expires_at, _slot: slot });
        id
    }

    /// Takes a permit of this circuit back; `None`: it has expired, or was never issued.
    pub(crate) fn redeem(&self, key: &ModelKey, id: Uuid) -> Option<Permit> {
        let mut permits = self.permits();
        if permits.get(&id)?.permit.key() != key {
            return None;
        }
        let issued = permits.remove(&id)?;
        drop(permits);
        issued.expiry.abort();
        Some(issued.permit)
    }

    /// Asks for the lease of a probe's permit to go on until the permit expires, or as long as the policy has it. Returns how
    /// long the permit has left, and whether the lease was still held; `None`: there is no such permit.
    pub(crate) fn renew(
        &self,
        key: &ModelKey,
        id: Uuid,
    ) -> Option<(RenewedPermit, impl Future<Output = bool> + Send + use<>)> {
        let permits = self.permits();
        let IssuedPermit { permit, expires_at, .. } =
            permits.get(&id).filter(|issued| issued.permit.key() == key)?;
        let remaining = expires_at.saturating_duration_since(Instant::now());
        let renewed = RenewedPermit { epoch: permit.epoch(), probe: permit.is_probe(), remaining };
        Some((renewed, permit.renew(remaining)))
    }

    fn permits(&self) -> MutexGuard<'_, HashMap<Uuid, IssuedPermit>> {
        lock(&self.permits)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A permit that goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RenewedPermit {
    pub(crate) epoch: u64,
    pub(crate) probe: bool,
    /// The time until it expires.
    pub(crate) remaining: Duration,
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
        let id = issue(&registry, &circuits, None).await;
        assert!(registry.redeem(&other, id).is_none(), "it is of another circuit");
        assert!(registry.redeem(&key, Uuid::new_v4()).is_none());
        assert!(registry.redeem(&key, id).is_some());
        assert!(registry.redeem(&key, id).is_none(), "twice");
        let id = issue(&registry, &circuits, None).await;
        tokio::time::sleep(lifetime + Duration::from_millis(1)).await;
        assert!(registry.redeem(&key, id).is_none(), "late");
        assert!(registry.permits().is_empty());
    }

    async fn issue(registry: &Arc<PermitRegistry>, circuits: &Circuits, caller: Option<&str>) -> Uuid {
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let slot = registry.reserve(caller.map(|name| name.parse().unwrap())).unwrap();
        registry.issue(slot, circuits.admit(&key).await.unwrap(), Duration::from_secs(60))
    }

    #[tokio::test]
    async fn one_caller_holds_at_most_half_and_all_the_whole() {
        let circuits = Circuits::in_memory(Policies::default());
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let registry = Arc::new(PermitRegistry::default());
        let reserve = |caller: &str| registry.reserve(Some(caller.parse().unwrap())).map(drop);
        let mut held = Vec::new();
        for _ in 0..MAX_ISSUED_BY_CALLER {
            held.push(issue(&registry, &circuits, Some("ci")).await);
        }
        assert_eq!(reserve("ci"), Err(TooManyPermits::OfThisCaller));
        for _ in 0..MAX_ISSUED_BY_CALLER {
            assert_eq!(reserve("web"), Ok(()));
            held.push(issue(&registry, &circuits, Some("web")).await);
        }
        assert_eq!(reserve("other"), Err(TooManyPermits::OfAllCallers));
        assert!(registry.redeem(&key, held[0]).is_some());
        assert_eq!((reserve("ci"), reserve("other")), (Ok(()), Ok(())), "its slot is free again");
        assert_eq!(reserve("web"), Err(TooManyPermits::OfThisCaller));
        for id in held {
            registry.redeem(&key, id);
        }
        let slots = lock(&registry.slots);
        assert!(slots.all == 0 && slots.by_caller.is_empty(), "{slots:?}");
    }
}
