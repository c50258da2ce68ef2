//! The memory that requests' bodies and buffered streams share (Q6): callers decide how much of it they fill, so together
//! they have a limit, and whoever comes too late gets an error instead of the process getting killed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use breaker::CallerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of accounts, in bytes: a semaphore counts to 2^32.
const UNIT: usize = 1024;

/// The memory that callers may fill. None of them fills more than half of it, once there are others: else one that sends large
/// bodies slowly would leave none to them.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    free: Arc<Semaphore>,
    total: usize,
    /// The units of every caller that has ever asked for some: as many as there are keys.
    by_caller: Arc<Mutex<HashMap<CallerName, usize>>>,
}

/// A part of it that is in use, until it is dropped.
#[derive(Debug)]
pub struct MemoryShare {
    budget: MemoryBudget,
    /// `None`: the gateway has no keys, so all are one caller.
    caller: Option<CallerName>,
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
        Self { free: Arc::new(Semaphore::new(units)), total: units * UNIT, by_caller: Arc::default() }
    }

    /// A share of this caller's, without anything in it.
    #[must_use]
    pub fn reservation(&self, caller: Option<CallerName>) -> MemoryShare {
        if let Some(caller) = &caller {
            let mut callers = self.callers();
            if !callers.contains_key(caller) {
                callers.insert(caller.clone(), 0);
            }
        }
        MemoryShare { budget: self.clone(), caller, permit: None }
    }

    /// Counts so many more units for this caller.
    fn count(&self, caller: &CallerName, units: usize) -> Result<(), MemoryExhausted> {
        let mut callers = self.callers();
        let has_others = callers.len() > 1;
        let used = callers.entry(caller.clone()).or_default();
        if has_others && *used + units > self.total / UNIT / 2 {
            return Err(MemoryExhausted);
        }
        *used += units;
        Ok(())
    }

    fn uncount(&self, caller: &CallerName, units: usize) {
        if let Some(used) = self.callers().get_mut(caller) {
            *used = used.saturating_sub(units);
        }
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<CallerName, usize>> {
        self.by_caller.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// When the budget has not enough left, or the caller has half of it. The share stays as it was.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), MemoryExhausted> {
        let missing = bytes.div_ceil(UNIT).saturating_sub(self.units());
        if missing == 0 {
            return Ok(());
        }
        let permits = u32::try_from(missing).map_err(|_| MemoryExhausted)?;
        let more = Arc::clone(&self.budget.free).try_acquire_many_owned(permits);
        let more = more.map_err(|_| MemoryExhausted)?;
        if let Some(caller) = &self.caller {
            self.budget.count(caller, missing)?;
        }
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Another share of the same caller's, without anything in it.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { budget: self.budget.clone(), caller: self.caller.clone(), permit: None }
    }

    /// Gives all of it back.
    pub fn release(&mut self) {
        if let Some(caller) = &self.caller {
            self.budget.uncount(caller, self.units());
        }
        self.permit = None;
    }

    fn units(&self) -> usize {
        self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_until_nothing_is_left() {
        let budget = MemoryBudget::new(10 * UNIT + 1);
        let (mut first, mut second) = (budget.reservation(None), budget.reservation(None));
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

    #[test]
    fn one_caller_leaves_half_to_the_others() {
        let budget = MemoryBudget::new(10 * UNIT);
        let share = |caller: &str| budget.reservation(Some(caller.parse().unwrap()));
        let (mut first, mut second) = (share("greedy"), share("greedy"));
        assert_eq!(
            (first.grow_to(4 * UNIT), second.grow_to(6 * UNIT)),
            (Ok(()), Ok(())),
            "nobody else is there"
        );
        let mut modest = share("modest");
        drop(second);
        let mut second = share("greedy");
        assert_eq!(second.grow_to(2 * UNIT), Err(MemoryExhausted));
        assert_eq!((second.grow_to(UNIT), modest.grow_to(5 * UNIT)), (Ok(()), Ok(())));
        drop(modest);
        assert_eq!((first.grow_to(5 * UNIT), budget.used()), (Err(MemoryExhausted), 5 * UNIT));
        first.release();
        assert_eq!(second.grow_to(5 * UNIT), Ok(()));
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }
}
