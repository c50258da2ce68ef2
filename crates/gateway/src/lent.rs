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
const MOST: usize = 10_000;

/// The permits that are out. One that is not answered in time ends by itself, and counts as nothing.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    permits: Mutex<HashMap<Uuid, Out>>,
}

#[derive(Debug)]
struct Out {
    permit: Permit,
    end: AbortHandle,
}

impl Lent {
    /// Whether no more can be lent.
    pub(crate) fn is_full(&self) -> bool {
        self.permits().len() >= MOST
    }

    /// Lends a permit for so long. Its id cannot be guessed.
    pub(crate) fn lend(self: &Arc<Self>, permit: Permit, length: Duration) -> Uuid {
        let id = Uuid::new_v4();
        let lent = Arc::downgrade(self);
        // Held until the permit is in its place, which it may not miss, however short its time is.
        let mut permits = self.permits();
        let end = tokio::spawn(async move {
            tokio::time::sleep(length).await;
            if let Some(lent) = lent.upgrade() {
                let ended = lent.permits().remove(&id);
                drop(ended);
            }
        });
        permits.insert(id, Out { permit, end: end.abort_handle() });
        id
    }

    /// Takes a permit of this circuit back; `None`: it has ended, or was never lent.
    pub(crate) fn take(&self, key: &ModelKey, id: Uuid) -> Option<Permit> {
        let mut permits = self.permits();
        if permits.get(&id)?.permit.key() != key {
            return None;
        }
        let Out { permit, end } = permits.remove(&id)?;
        end.abort();
        Some(permit)
    }

    fn permits(&self) -> MutexGuard<'_, HashMap<Uuid, Out>> {
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
        let (lent, length) = (Arc::new(Lent::default()), Duration::from_secs(60));
        let id = lent.lend(circuits.admit(&key).await.unwrap(), length);
        assert!(lent.take(&other, id).is_none(), "it is of another circuit");
        assert!(lent.take(&key, Uuid::new_v4()).is_none());
        assert!(lent.take(&key, id).is_some());
        assert!(lent.take(&key, id).is_none(), "twice");
        let id = lent.lend(circuits.admit(&key).await.unwrap(), length);
        tokio::time::sleep(length + Duration::from_millis(1)).await;
        assert!(lent.take(&key, id).is_none(), "late");
        assert!(lent.permits().is_empty());
    }

    #[tokio::test]
    async fn only_so_many_are_lent() {
        let circuits = Circuits::in_memory(Policies::default());
        let key: ModelKey = "openai:gpt-5".parse().unwrap();
        let lent = Arc::new(Lent::default());
        let mut last = None;
        for _ in 0..MOST {
            assert!(!lent.is_full());
            last = Some(lent.lend(circuits.admit(&key).await.unwrap(), Duration::from_secs(60)));
        }
        assert!(lent.is_full());
        assert!(lent.take(&key, last.unwrap()).is_some() && !lent.is_full());
    }
}
