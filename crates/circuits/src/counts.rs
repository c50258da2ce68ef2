//! Counters of what this instance has done and seen, for metrics. No decision depends on them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{State, TransitionCause};

/// Counters of one circuit, since this instance has known it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CircuitCounts {
    /// Calls that were refused.
    pub refusals: u64,
    /// Probes that this instance was granted and that have ended.
    pub probes: ProbeCounts,
    /// Changes of state by kind. Others' changes are counted as far as this instance saw them: of two within
    /// [`Timing::min_read_interval`](crate::Timing::min_read_interval) it may see only the second.
    pub transitions: Vec<(TransitionKind, u64)>,
}

/// How probes ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// A valid response, or a stream's first token.
    pub succeeded: u64,
    /// The provider's fault, or a rate limit.
    pub failed: u64,
    /// Neither: the client disconnected, or its request was invalid.
    pub released: u64,
}

/// A kind of change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransitionKind {
    /// The state that it led to.
    pub to: State,
    /// What led to it.
    pub cause: TransitionCause,
    /// This instance made it; if not, it saw that another had.
    pub own: bool,
}

/// Counters of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// How long ago the store last responded with a circuit; `None`: not yet.
    pub since_last_response: Option<Duration>,
    /// Writes that were done.
    pub written: u64,
    /// Writes that conflicted with another writer and were decided again.
    pub conflicts: u64,
    /// Writes that the store rejected because of this instance's clock skew (B7).
    pub clock_skew: u64,
    /// Writes that got no response, or an error.
    pub failed: u64,
    /// Commands that were sent to the store, by name; none to a store in memory.
    pub commands: Vec<(&'static str, u64)>,
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeOutcome {
    Succeeded,
    Failed,
    Released,
}

/// The counters behind [`CircuitCounts`].
#[derive(Debug, Default)]
pub(crate) struct CircuitCounter {
    probes: [AtomicU64; 3],
    /// Changes are rare, so a lock is cheap enough. Ordered by name.
    transitions: Mutex<BTreeMap<TransitionKey, (TransitionKind, u64)>>,
}

/// `to`, `cause` and `own`.
type TransitionKey = (&'static str, &'static str, bool);

/// The counters behind [`StoreCounts`].
#[derive(Debug, Default)]
pub(crate) struct WriteCounter {
    pub(crate) written: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) clock_skew: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// Adds one.
pub(crate) fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl CircuitCounter {
    pub(crate) fn count_probe(&self, outcome: ProbeOutcome) {
        increment(&self.probes[outcome as usize]);
    }

    pub(crate) fn count_transition(&self, kind: TransitionKind) {
        let mut transitions = self.transitions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind.to.as_str(), kind.cause.as_str(), kind.own);
        transitions.entry(key).or_insert((kind, 0)).1 += 1;
    }

    /// With the refusals, which each core counts for itself.
    pub(crate) fn snapshot(&self, refusals: u64) -> CircuitCounts {
        let probes = |end: ProbeOutcome| load(&self.probes[end as usize]);
        CircuitCounts {
            refusals,
            probes: ProbeCounts {
                succeeded: probes(ProbeOutcome::Succeeded),
                failed: probes(ProbeOutcome::Failed),
                released: probes(ProbeOutcome::Released),
            },
            transitions: self
                .transitions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .copied()
                .collect(),
        }
    }
}

impl WriteCounter {
    pub(crate) fn snapshot(
        &self,
        since_last_response: Option<Duration>,
        commands: Vec<(&'static str, u64)>,
    ) -> StoreCounts {
        StoreCounts {
            since_last_response,
            written: load(&self.written),
            conflicts: load(&self.conflicts),
            clock_skew: load(&self.clock_skew),
            failed: load(&self.failed),
            commands,
        }
    }
}
