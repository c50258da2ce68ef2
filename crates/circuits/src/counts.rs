//! What this instance has done and seen, in numbers that only grow, for whoever shows them. Nothing decides by them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use breaker::{State, TransitionCause};

/// Of one circuit, since this instance has held it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CircuitCounts {
    /// Times that a call was not admitted.
    pub refusals: u64,
    /// Probes that this instance was granted and that have come to an end.
    pub probes: ProbeCounts,
    /// Changes of state, each kind with how often it came. Of others' changes only what this instance saw: of two that
    /// follow each other within [`crate::Pacing::reads`] it may see the second alone.
    pub transitions: Vec<(TransitionKind, u64)>,
}

/// What probes came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// A good answer, or a stream's first content.
    pub succeeded: u64,
    /// The provider's fault, or its word to come again later.
    pub failed: u64,
    /// Neither: the caller left, or its request was at fault.
    pub released: u64,
}

/// What a change of state is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransitionKind {
    /// The state that it led to.
    pub to: State,
    /// What led to it.
    pub cause: TransitionCause,
    /// This instance made it; else it saw that another had.
    pub own: bool,
}

/// Of the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// How long ago the store last answered with a circuit; `None`: it has not yet.
    pub since_last_response: Option<Duration>,
    /// Writes that were done.
    pub written: u64,
    /// Writes before which somebody else wrote, so that they were decided anew.
    pub conflicts: u64,
    /// Writes that the store refused because this instance's clock was off (B7).
    pub clock_skew: u64,
    /// Writes that brought no answer, or an error.
    pub failed: u64,
    /// Commands that were sent to the store, by name; none to one in memory.
    pub commands: Vec<(&'static str, u64)>,
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeOutcome {
    Succeeded,
    Failed,
    Released,
}

/// Counts for one circuit.
#[derive(Debug, Default)]
pub(crate) struct CircuitCounter {
    refusals: AtomicU64,
    probes: [AtomicU64; 3],
    /// Changes are seldom, so a lock will do. By the words, which have an order.
    transitions: Mutex<BTreeMap<TransitionKey, (TransitionKind, u64)>>,
}

/// To, cause and own.
type TransitionKey = (&'static str, &'static str, bool);

/// Counts writes.
#[derive(Debug, Default)]
pub(crate) struct WriteCounter {
    pub(crate) written: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) clock_skew: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// One more.
pub(crate) fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl CircuitCounter {
    pub(crate) fn count_refusal(&self) {
        increment(&self.refusals);
    }

    pub(crate) fn count_probe(&self, outcome: ProbeOutcome) {
        increment(&self.probes[outcome as usize]);
    }

    pub(crate) fn count_transition(&self, kind: TransitionKind) {
        let mut transitions = self.transitions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind.to.as_str(), kind.cause.as_str(), kind.own);
        transitions.entry(key).or_insert((kind, 0)).1 += 1;
    }

    pub(crate) fn snapshot(&self) -> CircuitCounts {
        let probes = |end: ProbeOutcome| load(&self.probes[end as usize]);
        CircuitCounts {
            refusals: load(&self.refusals),
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
