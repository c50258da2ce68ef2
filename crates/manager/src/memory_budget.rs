//! The memory that requests' bodies and buffered streams share (Q6): callers decide how much of it they fill, so together
//! they have a limit, and whoever comes too late gets an error instead of the process getting killed.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of accounts, in bytes: a semaphore counts to 2^32.
const UNIT: usize = 1024;

/// The memory that callers may fill.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    free: Arc<Semaphore>,
    total: usize,
}

/// A part of it that is in use, until it is dropped.
#[derive(Debug)]
pub struct MemoryShare {
    budget: MemoryBudget,
    permit: Option<OwnedSemaphorePermit>,
}

/// The budget is used up for the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the memory for requests and buffered streams is in use")]
pub struct MemoryExhausted;

impl MemoryBudget {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), total: units * UNIT }
    }

    /// A share without anything in it.
    #[must_use]
    pub fn reservation(&self) -> MemoryShare {
        MemoryShare { budget: self.clone(), permit: None }
    }

    /// The bytes that are in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.total - self.free.available_permits() * UNIT
    }
}

impl Default for MemoryBudget {
    /// 256 MiB.
    fn default() -> Self {
        Self::new(256 * 1024 * 1024)
    }
}

impl MemoryShare {
    /// Takes more, so that it has at least so many bytes. It waits for nothing.
    ///
    /// # Errors
    /// When the budget has not enough left. The share stays as it was.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), MemoryExhausted> {
        let units = bytes.div_ceil(UNIT);
        let missing = units.saturating_sub(self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| MemoryExhausted)?;
        let more = Arc::clone(&self.budget.free).try_acquire_many_owned(missing);
        let more = more.map_err(|_| MemoryExhausted)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Gives all of it back.
    pub fn release(&mut self) {
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_until_nothing_is_left() {
        let budget = MemoryBudget::new(10 * UNIT + 1);
        let (mut first, mut second) = (budget.reservation(), budget.reservation());
        assert_eq!(first.grow_to(1), Ok(()));
        assert_eq!((first.grow_to(UNIT), budget.used()), (Ok(()), UNIT));
        assert_eq!((first.grow_to(6 * UNIT), budget.used()), (Ok(()), 6 * UNIT));
        assert_eq!((first.grow_to(2 * UNIT), budget.used()), (Ok(()), 6 * UNIT));
        assert_eq!((second.grow_to(4 * UNIT + 1), budget.used()), (Err(MemoryExhausted), 6 * UNIT));
        assert_eq!((second.grow_to(4 * UNIT), budget.used()), (Ok(()), 10 * UNIT));
        assert_eq!(first.grow_to(usize::MAX), Err(MemoryExhausted));
        first.release();
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
