//! No caller holds more than half of the calls that can be in flight (Q6).
//!
//! Their number has no limit but the connections that they come by. Of those, a caller that opens as many as it can would
//! leave none to others.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use breaker::CallerName;
use per_core::{OwnLine, PerCore};

/// The calls in flight of one caller, by the core on which they began.
type CallsByCore = PerCore<Arc<OwnLine<AtomicUsize>>>;

/// The calls in flight of each caller.
#[derive(Debug)]
pub(crate) struct FairShare {
    /// The most calls of one caller, once there are others.
    half: usize,
    /// Of all callers that have called: as many as there are keys.
    in_flight: ArcSwap<HashMap<CallerName, Arc<CallsByCore>>>,
}

/// A call of a caller, until it is dropped.
#[derive(Debug)]
pub(crate) struct CountedCall {
    in_flight: Arc<OwnLine<AtomicUsize>>,
    /// The caller has never called before.
    pub(crate) is_first: bool,
}

impl FairShare {
    /// With room for so many calls of all callers together.
    pub(crate) fn new(max_calls: usize) -> Self {
        Self { half: (max_calls / 2).max(1), in_flight: ArcSwap::default() }
    }

    /// Counts a call; `None`: its caller has half of all, and others have called, too. `connections`: how many are open,
    /// each of which has one call at most.
    pub(crate) fn try_start(&self, caller: &CallerName, connections: usize) -> Option<CountedCall> {
        let mut callers = self.in_flight.load();
        let is_first = !callers.contains_key(caller);
        if is_first {
            self.in_flight.rcu(|callers| {
                let mut callers = HashMap::clone(callers);
                callers.entry(caller.clone()).or_default();
                callers
            });
            callers = self.in_flight.load();
        }
        let calls = callers.get(caller)?;
        let in_flight = Arc::clone(calls.local());
        // Counted first: of two at the same time, each sees the other.
        in_flight.0.fetch_add(1, Ordering::SeqCst);
        let counted = CountedCall { in_flight, is_first };
        // The counts of other cores are looked at only where they can matter.
        let is_crowded = connections > self.half && callers.len() > 1;
        let is_more_than_half =
            is_crowded && calls.iter().map(|calls| calls.0.load(Ordering::SeqCst)).sum::<usize>() > self.half;
        (!is_more_than_half).then_some(counted)
    }
}

impl Drop for CountedCall {
    fn drop(&mut self) {
        self.in_flight.0.fetch_sub(1, Ordering::SeqCst);
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
        let alone: Vec<_> = (0..8).map_while(|_| shares.try_start(&greedy, 8)).collect();
        assert_eq!(alone.len(), 8, "nobody else is there");
        let call = shares.try_start(&modest, 8).unwrap();
        assert!(call.is_first && alone[0].is_first && !alone[1].is_first);
        drop(call);
        assert!(shares.try_start(&greedy, 8).is_none());
        drop(alone);
        let half: Vec<_> = (0..8).map_while(|_| shares.try_start(&greedy, 8)).collect();
        assert_eq!(half.len(), 4);
        assert!(shares.try_start(&modest, 8).is_some());
        drop(half);
        assert!(shares.try_start(&greedy, 8).is_some());
    }
}
