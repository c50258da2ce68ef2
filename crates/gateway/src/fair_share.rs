//! No caller holds more than half of the calls that can be in flight (Q6).
//!
//! Their number has no limit but the connections that they come by. Of those, a caller that opens as many as it can would
//! leave none to others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use breaker::CallerName;

/// The calls in flight of each caller.
#[derive(Debug)]
pub(crate) struct FairShare {
    /// The most calls of one caller, once there are others.
    half: usize,
    /// Of all callers that have called: as many as there are keys.
    in_flight: Mutex<HashMap<CallerName, usize>>,
}

/// A call of a caller, until it is dropped.
#[derive(Debug)]
pub(crate) struct CountedCall {
    shares: Arc<FairShare>,
    caller: CallerName,
}

impl FairShare {
    /// With room for so many calls of all callers together.
    pub(crate) fn new(max_calls: usize) -> Arc<Self> {
        Arc::new(Self { half: (max_calls / 2).max(1), in_flight: Mutex::default() })
    }

    /// Counts a call; `None`: its caller has half of all, and others have called, too.
    pub(crate) fn try_start(self: &Arc<Self>, caller: &CallerName) -> Option<CountedCall> {
        let mut in_flight = self.lock();
        let has_others = in_flight.keys().any(|other| other != caller);
        let calls = in_flight.entry(caller.clone()).or_default();
        if has_others && *calls >= self.half {
            return None;
        }
        *calls += 1;
        Some(CountedCall { shares: Arc::clone(self), caller: caller.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallerName, usize>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        if let Some(calls) = self.shares.lock().get_mut(&self.caller) {
            *calls = calls.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_leaves_half_to_the_others() {
        let shares = FairShare::new(8);
        let name = |text: &str| text.parse::<CallerName>().unwrap();
        let (greedy, modest) = (name("greedy"), name("modest"));
        let alone: Vec<_> = (0..8).map_while(|_| shares.try_start(&greedy)).collect();
        assert_eq!(alone.len(), 8, "nobody else is there");
        let call = shares.try_start(&modest).unwrap();
        drop(call);
        assert!(shares.try_start(&greedy).is_none());
        drop(alone);
        let half: Vec<_> = (0..8).map_while(|_| shares.try_start(&greedy)).collect();
        assert_eq!(half.len(), 4);
        assert!(shares.try_start(&modest).is_some());
        drop(half);
        assert!(shares.try_start(&greedy).is_some());
    }
}
